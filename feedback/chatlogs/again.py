"""ANSWER AGAIN: what drew a complaint is answered anew, with the user's wishes; a sample from scratch, as a control.

Whether feedback helps is an open question: answering with it beat answering from scratch in 48 percent of cases (User
Feedback in Human-LLM Dialogues). So a sample is always answered without, under the same engine, and can be compared.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.answers import Answer, Logged, Tree
from feedback.chatlogs.asking import filled
from feedback.chatlogs.summaries import Summarise, summarise
from generators.ask import Ask, Plan
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas import RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import draw, text_digest
from schemas.messages import Message
from schemas.responses import response_id

WITH_SUMMARY, FROM_SCRATCH = "with summary", "from scratch"
SAMPLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAgain:
    """Answers anew; made by `answer_again`."""

    engine: str
    control: float
    seed: int
    summaries: Summarise

    def __ror__(self, logged: Logged) -> "LoggedAgain":
        """`logged() | answer_again(...)`."""
        return LoggedAgain(logged=logged, again=self)

    @property
    def engines(self) -> set[str]:
        """The engines it asks for answers."""
        return {self.engine}

    def plan(self, messages: pl.DataFrame, criteria: pl.DataFrame, engines: Mapping[str, Engine]) -> Plan:
        """The requests to send: each prompt with its wishes, and a drawn share of them without."""
        engine_named(engines, self.engine, "answer_again")
        return Plan(asks=lambda: (ask for ask, *_ in self._asks(messages, criteria)),
                    of=lambda name: (ask for ask, *_ in self._asks(messages, criteria) if name == self.engine))

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply says something."""
        return None if text.strip() else "empty"

    def responses(self, messages: pl.DataFrame, criteria: pl.DataFrame, completions: pl.DataFrame,
                  engines: Mapping[str, Engine]) -> Made:
        """RESPONSES with `arm`; the parent is the logged answer, the criterion the wishes it was made under.

        Counts: summaries (dropped: why the logged answer is none), and answers (failed: no reply).
        """
        engine = engine_named(engines, self.engine, "answer_again")
        key = ["request_id", "sample", "attempt"]
        came = {row["request_id"]: row for row in completions.filter(pl.col("status") == "ok").sort(
            key, descending=True).iter_rows(named=True)}
        rows, asked = {}, 0
        for ask, arm, criterion, answer in self._asks(messages, criteria):
            asked += 1
            if reply := came.get(ask.request_id(engine)):
                row = _row(reply, arm, criterion, answer)
                rows[row["response_id"], arm] = row
        lost = Counter(why for why in self._answers(messages, criteria).values() if isinstance(why, str))
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows[name] for name in sorted(rows))))
        return Made(table, [
            *count("responses", "summaries", criteria.height, out=criteria.height - lost.total(), dropped=lost),
            *count("responses", "answers given again", asked, out=len(rows),
                   failed=+Counter({"no reply": asked - len(rows)}))])

    def _asks(self, messages: pl.DataFrame, criteria: pl.DataFrame) -> Iterator[tuple[Ask, str, str, Answer]]:
        """Each ask with its arm, the criterion and the logged answer."""
        answers = self._answers(messages, criteria)
        for row in criteria.sort("criterion_id").iter_rows(named=True):
            answer = answers[row["criterion_id"]]
            if isinstance(answer, str):
                continue
            yield self._ask(_steered(answer.prompt, row["text"]), answer), WITH_SUMMARY, row["criterion_id"], answer
            if draw(self.seed, "control", row["criterion_id"]) < self.control:
                yield self._ask(answer.prompt, answer), FROM_SCRATCH, row["criterion_id"], answer

    def _answers(self, messages: pl.DataFrame, criteria: pl.DataFrame) -> dict[str, Answer | str]:
        tree = Tree(messages, criteria["name"])
        return {criterion: tree.answer(tree.own(name))
                for criterion, name in criteria.select("criterion_id", "name").iter_rows()}

    def _ask(self, prompt: tuple[Message, ...], answer: Answer) -> Ask:
        return Ask(engine=self.engine, messages=prompt, sample=SAMPLE, prompt_id=answer.prompt_id)


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
        return self.again.engines | self.again.summaries.engines

    def prompts(self, messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame) -> Made:
        """PROMPTS as `logged()` has them; the reference is the list of wishes, a checklist for judges."""
        made = self.logged.prompts(messages, events)
        tree = Tree(messages, criteria["name"])
        wishes: defaultdict[str, set[str]] = defaultdict(set)
        for name, text in criteria.select("name", "text").iter_rows():
            if isinstance(answer := tree.answer(tree.own(name)), Answer):
                wishes[answer.prompt_id] |= set(text.splitlines())
        reference = ["\n".join(sorted(wishes[name])) or None for name in made.table["prompt_id"]]
        return Made(made.table.with_columns(reference=pl.Series(reference, dtype=pl.String)), made.counts)


def answer_again(engine: str, summaries: str | None = None, control: float = 0.2, seed: int = 0) -> AnswerAgain:
    """One engine answers anew what drew a complaint: with the wishes, and a share `control` of it from scratch.

    The expert variant of WildFeedback names a strong engine and rejects the logged answer; the on-policy variant names
    the policy, with control=1.0, and rejects its answer from scratch. `summaries` is the engine that writes the wishes
    down (default: the same). Raises ConfigError for a share that is none.
    """
    if not engine.strip() or not 0.0 < control <= 1.0:
        raise ConfigError(f"answer_again({engine!r}, control={control}): name an engine, and give a share above 0, up "
                          "to 1: without a control nobody can tell whether the feedback helped")
    return AnswerAgain(engine=engine, control=control, seed=seed, summaries=summarise(summaries or engine))


def _steered(prompt: tuple[Message, ...], wishes: str) -> tuple[Message, ...]:
    """The prompt under the wishes, which stand before its own system turn, in one: templates know one such turn."""
    own = [turn["content"] for turn in prompt if turn["role"] == "system"]
    head = Message(role="system", content="\n\n".join([filled("again", wishes=wishes).strip(), *own]))
    return (head, *(turn for turn in prompt if turn["role"] != "system"))


def _row(reply: Mapping[str, Any], arm: str, criterion: str, answer: Answer) -> dict[str, Any]:
    text = reply["text"]
    return {
        "response_id": response_id(answer.prompt_id, "engine", reply["request_id"], reply["sample"],
                                   parents=[answer.response_id]),
        "prompt_id": answer.prompt_id, "origin": "engine", "role": "candidate", "engine": reply["engine"],
        "model": reply["model"], "revision": reply["revision"], "strategy": "answer again", "round": 0, "arm": arm,
        "parents": [answer.response_id], "criteria": [criterion] if arm == WITH_SUMMARY else [], "critiques": [],
        "sample": reply["sample"], "text": text, "text_digest": text_digest(text),
        "finish_reason": reply["finish_reason"], "tokens": reply["completion_tokens"],
        "request_id": reply["request_id"], "attempt": reply["attempt"]}
