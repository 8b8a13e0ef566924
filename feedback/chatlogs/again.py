"""ANSWER AGAIN: what drew a complaint, or an edit, is answered anew, with the user's wishes; a sample from scratch.

Whether feedback helps is an open question: answering with it beat answering from scratch in 48 percent of cases (User
Feedback in Human-LLM Dialogues). So a sample is always answered without, under the same engine, as a control. An answer
under what the same person's earlier edits taught (CIPHER) shows whether these help with the next question.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from feedback.chatlogs.answers import Answer, Logged, Tree
from feedback.chatlogs.asking import filled
from feedback.chatlogs.inferences import Infer
from feedback.chatlogs.past import past_edits
from feedback.chatlogs.summaries import Summarise, merged, summarise
from generators.ask import Ask, Plan
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas import RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import draw, text_digest
from schemas.messages import Message
from schemas.responses import response_id

WITH_SUMMARY, FROM_SCRATCH, WITH_PAST = "with summary", "from scratch", "with past edits"
SAMPLES = {WITH_SUMMARY: 0, FROM_SCRATCH: 0, WITH_PAST: 1}
"""Past edits may teach what the answer's own shows: the same request then, but another draw."""
Planned = tuple[Ask, str, tuple[str, ...], Answer]
"""An ask, its arm, the criteria that it is made under, and the logged answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAgain:
    """Answers anew; made by `answer_again`."""

    engine: str
    control: float
    seed: int
    summaries: Summarise
    edits: Infer | None
    licensed_only: bool = True
    """As `logged` says it of the answers that are given again."""

    def __ror__(self, logged: Logged) -> "LoggedAgain":
        """`logged() | answer_again(...)`."""
        return LoggedAgain(logged=logged, again=replace(self, licensed_only=logged.licensed_only))

    @property
    def engines(self) -> set[str]:
        """The engines it asks for answers."""
        return {self.engine}

    def criteria(self, messages: pl.DataFrame, events: pl.DataFrame, completions: Mapping[str, pl.DataFrame],
                 engines: Mapping[str, Engine]) -> Made:
        """CRITERIA out of complaints and of edits; `completions` holds the replies by the name of their operator."""
        made = [part.criteria(messages, events, completions[name], engines) for name, part in self.readers.items()]
        rows = [row for part in made for row in part.table.to_dicts()]
        return Made(merged(rows), [one for part in made for one in part.counts])

    @property
    def readers(self) -> dict[str, Summarise | Infer]:
        """What makes wishes: of complaints, and of edits where these are asked about."""
        return {"summaries": self.summaries, **({"edits": self.edits} if self.edits else {})}

    def plan(self, messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Plan:
        """The requests to send: each prompt with its wishes, with those of past edits, a drawn share without any."""
        engine = engine_named(engines, self.engine, "answer_again")

        def asks() -> Iterator[Ask]:
            seen = set()  # answers to one prompt share what is asked from scratch
            for ask, *_ in self._asks(messages, events, criteria):
                if (what := (ask.request_id(engine), ask.sample)) not in seen:
                    seen.add(what)
                    yield ask

        return Plan(asks=asks, of=lambda name: asks() if name == self.engine else iter(()))

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply says something."""
        return None if text.strip() else "empty"

    def responses(self, messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame,
                  completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """RESPONSES with `arm`; the parent is the logged answer, the criteria are the wishes it was made under.

        Counts: summaries (dropped: why the logged answer is none), and answers (failed: no reply).
        """
        engine = engine_named(engines, self.engine, "answer_again")
        key = ["request_id", "sample", "attempt"]
        came = {(row["request_id"], row["sample"]): row for row in completions.filter(pl.col("status") == "ok").sort(
            key, descending=True).iter_rows(named=True)}
        rows, asked = {}, 0
        for ask, arm, under, answer in self._asks(messages, events, criteria):
            asked += 1
            if reply := came.get((ask.request_id(engine), ask.sample)):
                row = _row(reply, arm, under, answer)
                rows[row["response_id"], arm] = row
        answers = self._answers(Tree(messages, criteria["name"]), criteria)
        lost = Counter(why for name in criteria["name"] if isinstance(why := answers[name], str))
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows[name] for name in sorted(rows))))
        return Made(table, [
            *count("responses", "summaries", criteria.height, out=criteria.height - lost.total(), dropped=lost),
            *count("responses", "answers given again", asked, out=len(rows),
                   failed=+Counter({"no reply": asked - len(rows)}))])

    def _asks(self, messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame) -> Iterator[Planned]:
        """What is asked of each logged answer: under each criterion named after it, under past edits, from scratch."""
        tree = Tree(messages, criteria["name"])
        answers = self._answers(tree, criteria)
        past = past_edits(messages, events, criteria, self.edits.past) if self.edits else {}
        wishes = dict(criteria.select("criterion_id", "text").iter_rows())
        own: defaultdict[str, list[str]] = defaultdict(list)
        for criterion, name in criteria.sort("criterion_id").select("criterion_id", "name").iter_rows():
            own[name].append(criterion)
        for name, criteria_of in sorted(own.items()):
            answer = answers[name]
            if isinstance(answer, str):
                continue
            prompt = tree.prompt(answer)
            for arm, under in (*((WITH_SUMMARY, (one,)) for one in criteria_of), (WITH_PAST, past.get(name, ()))):
                if under:
                    steered = _steered(prompt, _lines(wishes[one] for one in under))
                    yield self._ask(steered, arm, answer), arm, under, answer
            if draw(self.seed, "control", name) < self.control:
                yield self._ask(prompt, FROM_SCRATCH, answer), FROM_SCRATCH, (), answer

    def _answers(self, tree: Tree, criteria: pl.DataFrame) -> dict[str, Answer | str]:
        return {name: tree.answer(tree.own(name), self.licensed_only) for name in criteria["name"].unique().sort()}

    def _ask(self, prompt: tuple[Message, ...], arm: str, answer: Answer) -> Ask:
        return Ask(engine=self.engine, messages=prompt, sample=SAMPLES[arm], prompt_id=answer.prompt_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAgain:
    """The answers of logs, and what was answered again; written `logged() | answer_again(...)`."""

    logged: Logged
    again: AnswerAgain

    def __call__(self) -> Made:
        """Answers of logs are made from the messages, not from a file."""
        return self.logged()

    @property
    def engines(self) -> set[str]:
        """The engines it asks, for wishes and for answers."""
        return self.again.engines.union(*(part.engines for part in self.again.readers.values()))

    def prompts(self, messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame) -> Made:
        """PROMPTS as `logged()` has them; the reference is the list of wishes, a checklist for judges."""
        made = self.logged.prompts(messages, events)
        tree = Tree(messages, criteria["name"])
        wishes: defaultdict[str, set[str]] = defaultdict(set)
        for name, text in criteria.select("name", "text").iter_rows():
            if isinstance(answer := tree.answer(tree.own(name), self.logged.licensed_only), Answer):
                wishes[answer.prompt_id] |= set(text.splitlines())
        reference = ["\n".join(sorted(wishes[name])) or None for name in made.table["prompt_id"]]
        return Made(made.table.with_columns(reference=pl.Series(reference, dtype=pl.String)), made.counts)


def answer_again(engine: str, summaries: str | None = None, edits: Infer | None = None, control: float = 0.2,
                 seed: int = 0) -> AnswerAgain:
    """One engine answers anew what drew a complaint: with the wishes, and a share `control` of it from scratch.

    The expert variant of WildFeedback names a strong engine and rejects the logged answer; the on-policy variant names
    the policy, with control=1.0, and rejects its answer from scratch. `summaries` is the engine that writes the wishes
    down (default: the same). With `edits=infer(...)` answers that people edited are answered again, too, under what
    their edits show, and every answer also under what the person's earlier edits taught. Raises ConfigError for a
    share that is none.
    """
    if not engine.strip() or not 0.0 < control <= 1.0:
        raise ConfigError(f"answer_again({engine!r}, control={control}): name an engine, and give a share above 0, up "
                          "to 1: without a control nobody can tell whether the feedback helped")
    return AnswerAgain(engine=engine, control=control, seed=seed, summaries=summarise(summaries or engine), edits=edits)


def _lines(wishes: Iterable[str]) -> str:
    """Lists of wishes as one list, each wish once."""
    return "\n".join(dict.fromkeys(line for text in wishes for line in text.splitlines()))


def _steered(prompt: tuple[Message, ...], wishes: str) -> tuple[Message, ...]:
    """The prompt under the wishes, which stand before its own system turn, in one: templates know one such turn."""
    own = [turn["content"] for turn in prompt if turn["role"] == "system"]
    head = Message(role="system", content="\n\n".join([filled("again", wishes=wishes).strip(), *own]))
    return (head, *(turn for turn in prompt if turn["role"] != "system"))


def _row(reply: Mapping[str, Any], arm: str, under: tuple[str, ...], answer: Answer) -> dict[str, Any]:
    text = reply["text"]
    return {
        "response_id": response_id(answer.prompt_id, "engine", reply["request_id"], reply["sample"],
                                   parents=[answer.response_id]),
        "prompt_id": answer.prompt_id, "origin": "engine", "role": "candidate", "engine": reply["engine"],
        "model": reply["model"], "revision": reply["revision"], "strategy": "answer again", "round": 0, "arm": arm,
        "parents": [answer.response_id], "criteria": list(under), "critiques": [],
        "sample": reply["sample"], "text": text, "text_digest": text_digest(text),
        "finish_reason": reply["finish_reason"], "tokens": reply["completion_tokens"],
        "request_id": reply["request_id"], "attempt": reply["attempt"]}
