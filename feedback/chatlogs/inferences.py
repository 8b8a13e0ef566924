"""INFER: a model tells what a person prefers from an answer and the person's edit of it (PRELUDE, Gao et al. 2024).

What is inferred becomes a criterion, as the wishes of a complaint do. It is about form and tone and not about the
question, so that it may hold for the person's other questions too: see `feedback.chatlogs.past`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.answers import EDITED
from feedback.chatlogs.asking import CUT, Question, Questions, between, filled, shown
from feedback.chatlogs.edits import edit_ratio
from feedback.chatlogs.leaks import grams
from feedback.chatlogs.summaries import SCHEMA, criterion, merged, read_wishes, wishes_of
from feedback.jury.parse import Unparsable, why_not
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import count

AROUND = 300
"""Characters that are shown on both sides of what an edit changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Infer:
    """Asks a model what people prefer who edited answers; made by `infer`."""

    engine: str
    past: int
    smallest: float
    largest: float

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, messages: pl.DataFrame, events: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: one for each edit that is neither a typo nor another text."""
        engine = engine_named(engines, self.engine, "infer")
        told = self.edited(messages, events).filter(pl.col("reason") == "")
        return Questions(drawn=lambda: _questions(told), engine=engine, schema=SCHEMA)

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply is a list of preferences in words of their own, else why not."""
        return why_not(lambda: _own_words(read_wishes(text), ask.messages[-1]["content"]))

    def criteria(self, messages: pl.DataFrame, events: pl.DataFrame, completions: pl.DataFrame,
                 engines: Mapping[str, Engine]) -> Made:
        """CRITERIA of kind "summary", named after the edited answer's msg_id; the evidence is the edit's event_id.

        Counts: edits (dropped: `tiny edit`, `rewritten`, `no edited text`, `no wish`, ...; failed: no reply came).
        """
        told = self.edited(messages, events)
        target = dict(told.select("event_id", "target_msg_id").iter_rows())
        wishes, lost, failed = wishes_of(self.plan(messages, events, engines).heard(completions, self.parse))
        lost.update(told.filter(pl.col("reason") != "")["reason"])
        rows = [criterion(target[event], those, [event]) for event, those in wishes.items()]
        return Made(merged(rows), count("criteria", "edits", told.height, out=len(rows), dropped=lost, failed=failed))

    def edited(self, messages: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
        """People's edits of answers, sorted by event_id: question, answer, text, `reason` (empty: it is asked about).

        An edited question, and an edit whose text the log does not keep, tell nothing of a preference.
        """
        told = events.filter(pl.col("kind").is_in(EDITED), pl.col("actor_kind") == "human").select(
            "event_id", "target_msg_id", "conv_id", "text")
        answers = messages.select(target_msg_id="msg_id", question_id="parent_id", answer="text")
        asked = messages.filter(pl.col("role") == "user").select(question_id="msg_id", question="text")
        met = told.join(answers, on="target_msg_id", how="left").join(asked, on="question_id", how="left")
        reasons = [self._reason(*row) for row in met.select("question", "answer", "text").iter_rows()]
        return met.with_columns(reason=pl.Series(reasons, dtype=pl.String)).sort("event_id")

    def _reason(self, question: str | None, answer: str | None, text: str | None) -> str:
        if not (text or "").strip():
            return "no edited text"
        if question is None:
            return "it follows no user's turn"
        ratio = edit_ratio(answer or "", text or "")
        return "tiny edit" if ratio < self.smallest else "rewritten" if ratio > self.largest else ""


def infer(engine: str, past: int = 3, smallest: float = 0.05, largest: float = 0.8) -> Infer:
    """One engine infers preferences from edits; `answer_again(..., edits=infer("large"))`.

    `past` is how many earlier edits of the same person, those of the most similar questions, an answer is also given
    under (CIPHER; three in its authors' code), 0 for none. Edits of less than `smallest` of the words are typos, of
    more than `largest` other texts: the window of the rule "edit". Raises ConfigError on what cannot be.
    """
    if not engine.strip():
        raise ConfigError("infer: engine is empty; write the name of an engine of the engines file")
    if past < 0 or not 0.0 <= smallest < largest <= 1.0:
        raise ConfigError(f"infer: past={past}, smallest={smallest}, largest={largest}; give past 0 or more, and "
                          "0 <= smallest < largest <= 1")
    return Infer(engine=engine, past=past, smallest=smallest, largest=largest)


def around_change(before: str, after: str) -> tuple[str, str]:
    """Both texts without what they have in common at their ends, but for some of it."""
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    head, tail = max(0, start - AROUND), max(0, end - AROUND)
    first, second = ((CUT if head else "") + text[head:len(text) - tail] + (CUT if tail else "")
                     for text in (before, after))
    return first, second


def _alike(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _own_words(wishes: list[str], said: str) -> None:
    """Raise Unparsable where a wish copies the edited text: it would give the answer away."""
    copied = grams(between("after", said) or "") - grams(between("question", said) or "")
    if any(grams(wish) & copied for wish in wishes):
        raise Unparsable("a wish copies the edited text")


def _questions(told: pl.DataFrame) -> Iterator[Question]:
    for row in told.iter_rows(named=True):
        before, after = around_change(row["answer"], row["text"])
        yield Question(subject=row["event_id"], conv_id=row["conv_id"], text=filled(
            "infer", question=shown(row["question"], 1400, 600), before=shown(before, 1400, 600),
            after=shown(after, 1400, 600)))
