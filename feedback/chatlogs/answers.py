"""LOGGED: the answers that events speak of, as prompts and responses: what was said before an answer is its prompt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.chains import SUCCESS
from feedback.chatlogs.groups import alike, groups
from feedback.chatlogs.repairs import Anchor, Repairs, elsewhere
from feedback.chatlogs.rewordings import rewordings
from feedback.chatlogs.told import Told, told_of
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


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a prompt: a message of an assistant at its own place, or at that of another question."""

    msg_id: str
    prompt_id: str
    question: str
    """msg_id of the user's message that the prompt ends with."""
    before: str | None
    """msg_id of the message before that question."""

    @property
    def response_id(self) -> str:
        """The id of the response that this answer is."""
        return logged_id(self.prompt_id, self.msg_id)


class Tree:
    """The messages of the conversations that some messages are in, and the ways to them.

    Texts stay in their column, and are looked up when they are asked for.
    """

    def __init__(self, messages: pl.DataFrame, wanted: Iterable[str]) -> None:
        near = messages.filter(pl.col("msg_id").is_in(list(wanted)))["conv_id"].unique()
        told = messages.filter(pl.col("conv_id").is_in(near.implode()))
        self._texts = told["text"]
        self.rows: dict[str, Told] = {row.msg_id: row for row in told_of(told)}

    def text(self, msg_id: str) -> str:
        """What a message says."""
        return str(self._texts[self.rows[msg_id].place])

    def path(self, msg_id: str | None) -> tuple[Message, ...] | None:
        """What is said up to a message, itself included; None where a message on the way is missing."""
        way: list[Message] = []
        for _ in range(len(self.rows) + 1):
            if msg_id is None:
                return tuple(reversed(way))
            row = self.rows.get(msg_id)
            if row is None or set(CUT) & set(row.flags):
                return None
            text = self.text(msg_id)
            if "hidden" not in row.flags and text.strip():
                way.append({"role": row.role, "content": text})
            msg_id = row.parent_id
        return None

    def prompt(self, answer: Answer) -> tuple[Message, ...]:
        """What was said before an answer, its question last."""
        return (*(self.path(answer.before) or ()), Message(role="user", content=self.text(answer.question)))

    def before(self, msg_id: str) -> str | None:
        """The message that one follows."""
        return self.rows[msg_id].parent_id if msg_id in self.rows else None

    def siblings(self, msg_ids: Iterable[str]) -> set[str]:
        """The answers to the messages that these answers follow."""
        parents = {self.rows[one].parent_id for one in msg_ids if one in self.rows} - {None}
        return {name for name, row in self.rows.items() if row.parent_id in parents and row.role == "assistant"}

    def answer(self, anchor: Anchor, licensed_only: bool = True) -> Answer | str:
        """The answer at its anchor, or why it is none."""
        row, question = self.rows.get(anchor.answer), self.rows.get(anchor.question or "")
        if row is None:
            return "its message is missing"
        if row.role != "assistant":
            return "no assistant's message"
        if not self.text(row.msg_id).strip():
            return "no text"
        if question is None or question.role != "user":
            return "its prompt does not end with a user's turn"
        said = self.path(anchor.before)
        if said is None or set(CUT) & {*row.flags, *question.flags}:
            return "a message before it is missing"
        if set(UNFINISHED) & set(row.flags):
            return "no whole answer"
        if licensed_only and not (row.redistributable and question.redistributable):
            return "may not be passed on"
        asked = self.text(question.msg_id)
        if not asked.strip():
            return "its question has no text"
        prompt = (*said, Message(role="user", content=asked))
        return Answer(anchor.answer, prompt_id(prompt), question.msg_id, anchor.before)

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
        rows, tree = found.tree.rows, found.tree
        group = groups({name: ({_owner(rows[one.msg_id]) for one in those}, alike(tree.prompt(those[0])))
                        for name, those in by_prompt.items()})
        made = (_prompt_row(name, tree.prompt(those[0]), [rows[one.msg_id] for one in those], group[name])
                for name, those in sorted(by_prompt.items()))
        table = pl.DataFrame(pl.from_arrow(PROMPTS.rows(made)))
        return Made(table, count("prompts", "prompts", len(by_prompt), out=table.height))

    def responses(self, messages: pl.DataFrame, events: pl.DataFrame) -> Made:
        """RESPONSES of origin log: the answers as they were given; of origin human: as a person edited them.

        Messages that events speak of are dropped where they are no answer, with the reason.
        """
        found = self.answers(messages, events)
        placed = {one.response_id: (one, strategy)
                  for strategy, those in (("logged", found.own), ("re-anchored", found.elsewhere))
                  for one in those.values() if isinstance(one, Answer)}
        edited, lost = _edited(found, events)
        made = (edited[name] if name in edited else _response(found.tree, *placed[name])
                for name in sorted({*placed, *edited}))
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(made)))
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


def spoken_of(events: pl.DataFrame) -> list[str]:
    """The answers that events point at or compare, sorted."""
    return sorted({*events["target_msg_id"], *events["compared"].explode().drop_nulls()})


def logged_id(prompt: str, msg_id: str) -> str:
    """The response_id of a logged answer to a prompt."""
    return response_id(prompt, "log", msg_id, 0)


def edited_id(prompt: str, event_id: str) -> str:
    """The response_id of an answer as a person edited it."""
    return response_id(prompt, "human", event_id, 0)


def _edited(found: Answers, events: pl.DataFrame) -> tuple[dict[str, dict[str, Any]], list[Count]]:
    """The answers as people edited them, by response_id, and what became of the others."""
    rows, lost = {}, Counter[str]()
    edits = events.filter(pl.col("kind").is_in(EDITED)).select("event_id", "target_msg_id", "text")
    for event, target, text in edits.iter_rows():
        original = found.own[target]
        if isinstance(original, str):
            lost[original] += 1
        elif not (text or "").strip():
            lost["no edited text"] += 1
        else:
            name = edited_id(original.prompt_id, event)
            rows[name] = {**_plain(name, original.prompt_id, "human", text), "model": "human", "strategy": "edited",
                          "parents": [original.response_id]}
    return rows, count("responses", "edits", edits.height, out=edits.height - lost.total(), dropped=lost)


def _response(tree: Tree, answer: Answer, strategy: str) -> dict[str, Any]:
    row = tree.rows[answer.msg_id]
    return {**_plain(answer.response_id, answer.prompt_id, "log", tree.text(answer.msg_id)),
            "model": row.model or "unknown", "strategy": strategy, "finish_reason": row.finish_reason}


def _plain(name: str, prompt: str, origin: str, text: str) -> dict[str, Any]:
    return {"response_id": name, "prompt_id": prompt, "origin": origin, "role": "candidate", "round": 0, "parents": [],
            "criteria": [], "critiques": [], "sample": 0, "text": text, "text_digest": text_digest(text)}


def _prompt_row(name: str, prompt: Sequence[Message], rows: Sequence[Told], group: str) -> dict[str, Any]:
    languages = {row.language for row in rows}
    return {"prompt_id": name, "messages": list(prompt), "sources": sorted({row.source for row in rows}),
            "licences": sorted({row.licence or "unknown" for row in rows}), "group": group,
            "language": languages.pop() if len(languages) == 1 else None}


def _owner(row: Told) -> str:
    return row.user_hash or row.conv_id
