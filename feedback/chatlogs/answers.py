"""LOGGED: the answers that events speak of, as prompts and responses: what was said before an answer is its prompt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.chains import SUCCESS
from feedback.chatlogs.groups import groups
from feedback.chatlogs.repairs import Anchor, Repairs, elsewhere
from feedback.chatlogs.rewordings import rewordings
from generators.made import Made
from schemas import PROMPTS, RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import Count, count
from schemas.ids import text_digest
from schemas.messages import Message, prompt_id
from schemas.responses import response_id

CUT = ("orphan", "context left out")
"""Flags of messages that followed one which the log does not hold."""
UNFINISHED = ("unfinished", "error", "tool call")
"""Flags of messages that are no whole answer."""
EDITED = ("edit", "correction")
"""Kinds of events whose text is an answer as a person would have it."""
_READ = ("msg_id", "conv_id", "parent_id", "role", "text", "model", "user_hash", "created_at", "on_main_path",
         "branch", "synthetic", "flags", "source", "licence", "language", "redistributable", "finish_reason")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a prompt: a message of an assistant at its own place, or at that of another question."""

    msg_id: str
    prompt_id: str
    prompt: tuple[Message, ...]
    question: str
    """msg_id of the user's message that the prompt ends with."""

    @property
    def response_id(self) -> str:
        """The id of the response that this answer is."""
        return logged_id(self.prompt_id, self.msg_id)


class Tree:
    """The messages of the conversations that some messages are in, and the ways to them."""

    def __init__(self, messages: pl.DataFrame, wanted: Iterable[str]) -> None:
        near = messages.filter(pl.col("msg_id").is_in(list(wanted)))["conv_id"].unique()
        told = messages.filter(pl.col("conv_id").is_in(near.implode())).select(_READ)
        self.rows: dict[str, Mapping[str, Any]] = {row["msg_id"]: row for row in _slim(told)}
        self._paths: dict[str, tuple[Message, ...] | None] = {}

    def path(self, msg_id: str | None) -> tuple[Message, ...] | None:
        """What is said up to a message, itself included; None where a message on the way is missing."""
        way: list[str] = []
        while msg_id is not None and msg_id not in self._paths:
            if msg_id not in self.rows or len(way) > len(self.rows):
                self._paths.update(dict.fromkeys([*way, msg_id]))
                return None
            way.append(msg_id)
            msg_id = self.rows[msg_id]["parent_id"]
        said = () if msg_id is None else self._paths[msg_id]
        for step in reversed(way):
            row = self.rows[step]
            if set(CUT) & set(row["flags"]):
                said = None
            turn: tuple[Message, ...] = ({"role": row["role"], "content": row["text"]},) if _shown(row) else ()
            said = None if said is None else (*said, *turn)
            self._paths[step] = said
        return said

    def before(self, msg_id: str) -> str | None:
        """The message that one follows."""
        return self.rows[msg_id]["parent_id"] if msg_id in self.rows else None

    def siblings(self, msg_ids: Iterable[str]) -> set[str]:
        """The answers to the messages that these answers follow."""
        parents = {self.rows[one]["parent_id"] for one in msg_ids if one in self.rows} - {None}
        return {name for name, row in self.rows.items() if row["parent_id"] in parents and row["role"] == "assistant"}

    def answer(self, anchor: Anchor, licensed_only: bool = True) -> Answer | str:
        """The answer at its anchor, or why it is none."""
        row, question = self.rows.get(anchor.answer), self.rows.get(anchor.question or "")
        if row is None:
            return "its message is missing"
        if row["role"] != "assistant":
            return "no assistant's message"
        if not row["text"].strip():
            return "no text"
        if question is None or question["role"] != "user":
            return "its prompt does not end with a user's turn"
        said = self.path(anchor.before)
        if said is None or set(CUT) & {*row["flags"], *question["flags"]}:
            return "a message before it is missing"
        if set(UNFINISHED) & set(row["flags"]):
            return "no whole answer"
        if licensed_only and not (row["redistributable"] and question["redistributable"]):
            return "may not be passed on"
        if not question["text"].strip():
            return "its question has no text"
        prompt = (*said, Message(role="user", content=question["text"]))
        return Answer(anchor.answer, prompt_id(prompt), prompt, question["msg_id"])

    def own(self, msg_id: str) -> Anchor:
        """Where a message stands in its log."""
        question = self.before(msg_id)
        return Anchor(msg_id, question, None if question is None else self.before(question))


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Answers out of logs; see `logged`."""

    licensed_only: bool

    def __call__(self) -> Made:
        """Answers of logs are made from the messages, not from a file: see `prompts` and `responses`."""
        raise ConfigError("logged() needs the messages of chat logs; add messages=chat_logs(...) to the recipe")

    def answers(self, messages: pl.DataFrame, events: pl.DataFrame) -> "Answers":
        """Every answer that an event speaks of, and its siblings; and why others are none."""
        spoken = spoken_of(events)
        tree = Tree(messages, spoken)
        wanted = sorted({*spoken, *tree.siblings(spoken)})
        own = {msg_id: tree.answer(tree.own(msg_id), self.licensed_only) for msg_id in wanted}
        repaired = [anchor for one in Repairs(tree.rows, events).all() for anchor in (one.better, one.worse)]
        reworded = [anchor for one in rewordings(messages, events) if one.chain.end == SUCCESS
                    for anchor in (one.better, one.worse)]
        placed = elsewhere(tree.rows, [*repaired, *reworded])
        return Answers(tree, own, {anchor: tree.answer(anchor, self.licensed_only) for anchor in placed})

    def prompts(self, messages: pl.DataFrame, events: pl.DataFrame) -> Made:
        """PROMPTS: what was said before each answer; the group is that of all users and conversations that share it."""
        found = self.answers(messages, events)
        by_prompt: dict[str, list[Answer]] = {}
        for answer in found.all():
            by_prompt.setdefault(answer.prompt_id, []).append(answer)
        rows = found.tree.rows
        group = groups({name: ({_owner(rows[one.msg_id]) for one in those}, those[0].prompt)
                        for name, those in by_prompt.items()})
        made = [_prompt_row(name, those, [rows[one.msg_id] for one in those], group[name])
                for name, those in sorted(by_prompt.items())]
        table = pl.DataFrame(pl.from_arrow(PROMPTS.rows(made)))
        return Made(table, count("prompts", "prompts", len(by_prompt), out=table.height))

    def responses(self, messages: pl.DataFrame, events: pl.DataFrame) -> Made:
        """RESPONSES of origin log: the answers as they were given; of origin human: as a person edited them.

        Messages that events speak of are dropped where they are no answer, with the reason.
        """
        found = self.answers(messages, events)
        rows = [_response(one, found.tree.rows[one.msg_id], elsewhere)
                for elsewhere, those in ((False, found.own), (True, found.elsewhere))
                for one in those.values() if isinstance(one, Answer)]
        edited, lost = _edited(found, events)
        by_id = {row["response_id"]: row for row in [*rows, *edited]}
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(by_id[name] for name in sorted(by_id))))
        return Made(table, [*found.counts(), *lost])


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that events speak of, where they stand in the log and where a repair puts them."""

    tree: Tree
    own: Mapping[str, Answer | str]
    elsewhere: Mapping[Anchor, Answer | str]

    def all(self) -> Iterator[Answer]:
        """Every answer that can be used."""
        yield from (one for one in (*self.own.values(), *self.elsewhere.values()) if isinstance(one, Answer))

    def counts(self) -> list[Count]:
        """What became of the messages that events speak of, and of the answers that are put to another question."""
        told: list[Count] = []
        for unit, those in (("messages", self.own), ("re-anchored answers", self.elsewhere)):
            lost = Counter(one for one in those.values() if isinstance(one, str))
            told += count("responses", unit, len(those), out=len(those) - lost.total(), dropped=lost)
        return told


def logged(licensed_only: bool = True) -> Logged:
    """The answers that events speak of, as prompts and responses: `prompts=logged(), responses=logged()`.

    The prompt is the way from the conversation's root to the message before the answer, and must end with a user's
    turn. `licensed_only` leaves out what the log's licence does not let you pass on; False is for your own use.
    """
    return Logged(licensed_only=licensed_only)


def _slim(messages: pl.DataFrame) -> Iterator[Mapping[str, Any]]:
    """The rows; what stands in many of them (a conversation, a user, a model) is held once."""
    held: dict[str, str] = {}
    for row in messages.iter_rows(named=True):
        yield {name: held.setdefault(value, value) if isinstance(value, str) and name != "text" else value
               for name, value in row.items()}


def spoken_of(events: pl.DataFrame) -> list[str]:
    """The answers that events point at or compare, sorted."""
    return sorted({*events["target_msg_id"], *events["compared"].explode().drop_nulls()})


def logged_id(prompt: str, msg_id: str) -> str:
    """The response_id of a logged answer to a prompt."""
    return response_id(prompt, "log", msg_id, 0)


def edited_id(prompt: str, event_id: str) -> str:
    """The response_id of an answer as a person edited it."""
    return response_id(prompt, "human", event_id, 0)


def _edited(found: Answers, events: pl.DataFrame) -> tuple[list[dict[str, Any]], list[Count]]:
    """The answers as people edited them, and what became of the others."""
    rows, lost = [], Counter[str]()
    edits = events.filter(pl.col("kind").is_in(EDITED)).select("event_id", "target_msg_id", "text")
    for event, target, text in edits.iter_rows():
        original = found.own[target]
        if isinstance(original, str):
            lost[original] += 1
        elif not (text or "").strip():
            lost["no edited text"] += 1
        else:
            rows.append({**_plain(edited_id(original.prompt_id, event), original.prompt_id, "human", text),
                         "model": "human", "strategy": "edited", "parents": [original.response_id]})
    return rows, count("responses", "edits", edits.height, out=len(rows), dropped=lost)


def _response(answer: Answer, row: Mapping[str, Any], elsewhere: bool) -> dict[str, Any]:
    return {**_plain(answer.response_id, answer.prompt_id, "log", row["text"]), "model": row["model"] or "unknown",
            "strategy": "re-anchored" if elsewhere else "logged", "finish_reason": row["finish_reason"]}


def _plain(name: str, prompt: str, origin: str, text: str) -> dict[str, Any]:
    return {"response_id": name, "prompt_id": prompt, "origin": origin, "role": "candidate", "round": 0, "parents": [],
            "criteria": [], "critiques": [], "sample": 0, "text": text, "text_digest": text_digest(text)}


def _prompt_row(name: str, answers: Sequence[Answer], rows: Sequence[Mapping[str, Any]], group: str) -> dict[str, Any]:
    languages = {row["language"] for row in rows}
    return {"prompt_id": name, "messages": list(answers[0].prompt), "sources": sorted({row["source"] for row in rows}),
            "licences": sorted({row["licence"] or "unknown" for row in rows}), "group": group,
            "language": languages.pop() if len(languages) == 1 else None}


def _owner(row: Mapping[str, Any]) -> str:
    return str(row["user_hash"] or row["conv_id"])


def _shown(row: Mapping[str, Any]) -> bool:
    """Whether a message is part of a prompt: not where the log hides it, or it says nothing."""
    return "hidden" not in row["flags"] and bool(row["text"].strip())
