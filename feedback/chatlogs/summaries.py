"""SUMMARISE: a model writes down what a user wants, from what the user said of an answer (WildFeedback).

The wishes become a criterion, one for each answer complained of. They steer the answer that is given again, and can be
a judge's checklist; the user's own words go into neither.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.asking import Heard, Question, Questions, filled, json_object, shown
from feedback.chatlogs.repairs import COMPLAINTS
from feedback.jury.parse import Unparsable, why_not
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas import CRITERIA
from schemas.criteria import criterion_id
from schemas.errors import ConfigError
from schemas.funnel import count

WISHES = "summary"
"""The kind of the criteria."""
MOST_WISHES = 10
NO_WISH = "no wish"
BETWEEN = ", "
"""Stands between the events that are evidence of a criterion."""
SCHEMA: Mapping[str, Any] = {
    "type": "object", "additionalProperties": False, "required": ["wishes"],
    "properties": {"wishes": {"type": "array", "maxItems": MOST_WISHES, "items": {"type": "string"}}}}
"""JSON schema of a summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarise:
    """Asks a model what users want; made by `summarise`."""

    engine: str

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, messages: pl.DataFrame, events: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: one for each answer that somebody complained of in words."""
        engine = engine_named(engines, self.engine, "summarise")
        told = complaints(messages, events)
        return Questions(drawn=lambda: _questions(told), engine=engine, schema=SCHEMA)

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply is a list of wishes, else why not."""
        return why_not(lambda: read_wishes(text))

    def criteria(self, messages: pl.DataFrame, events: pl.DataFrame, completions: pl.DataFrame,
                 engines: Mapping[str, Engine]) -> Made:
        """CRITERIA of kind "summary", named after the answer's msg_id; the evidence are the events' ids.

        Counts: answers complained of (dropped: `no wish`; failed: no summary came).
        """
        events_of = dict(complaints(messages, events).select("target_msg_id", "events").iter_rows())
        wishes, lost, failed = wishes_of(self.plan(messages, events, engines).heard(completions, self.parse))
        rows = [criterion(answer, those, events_of[answer]) for answer, those in wishes.items()]
        return Made(merged(rows), count("criteria", "answers complained of", len(events_of), out=len(rows),
                                        dropped=lost, failed=failed))


def summarise(engine: str) -> Summarise:
    """One engine writes down the wishes in what users said of answers; ConfigError where it has no name."""
    if not engine.strip():
        raise ConfigError("summarise: engine is empty; write the name of an engine of the engines file")
    return Summarise(engine=engine)


def complaints(messages: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Every answer that somebody complained of in words: question, answer, turns and events; sorted by msg_id.

    A complaint that was found unjustified is none, and neither is an answer that follows no user's turn.
    """
    said = events.filter(
        pl.col("polarity") == "negative", pl.col("act").is_in(COMPLAINTS), pl.col("evidence_msg_id").is_not_null(),
        pl.col("justified").fill_null("unclear") != "no", pl.col("actor_kind") == "human")
    words = messages.select(evidence_msg_id="msg_id", turn="text")
    answers = messages.select(target_msg_id="msg_id", question_id="parent_id", answer="text")
    asked = messages.filter(pl.col("role") == "user").select(question_id="msg_id", question="text")
    met = said.join(words, on="evidence_msg_id").join(answers, on="target_msg_id").join(asked, on="question_id")
    return met.sort("target_msg_id", "evidence_msg_id", "event_id").group_by(
        "target_msg_id", "conv_id", "question", "answer", maintain_order=True).agg(
        pl.col("turn").unique(maintain_order=True), events=pl.col("event_id").unique().sort())


def read_wishes(text: str) -> list[str]:
    """The wishes of a reply, each once, in their order; Unparsable where it is no list of short texts."""
    wishes = json_object(text, ("wishes",))["wishes"]
    if not isinstance(wishes, list) or not all(isinstance(wish, str) and wish.strip() for wish in wishes):
        raise Unparsable("wishes is not a list of texts")
    if len(wishes) > MOST_WISHES:
        raise Unparsable(f"more than {MOST_WISHES} wishes")
    return list(dict.fromkeys(" ".join(wish.split()) for wish in wishes))


def wishes_of(replies: Iterable[Heard]) -> tuple[dict[str, list[str]], Counter[str], Counter[str]]:
    """The wishes in replies by what was asked about; how many hold none, and how many failed by reason."""
    wishes, lost, failed = dict[str, list[str]](), Counter[str](), Counter[str]()
    for heard in replies:
        if heard.failure:
            failed[heard.failure] += 1
        elif found := read_wishes(heard.text):
            wishes[heard.question.subject] = found
        else:
            lost[NO_WISH] += 1
    return wishes, lost, failed


def criterion(target: str, wishes: Sequence[str], events: Sequence[str]) -> dict[str, Any]:
    """The row of what a user wants of an answer."""
    text = "\n".join(f"- {wish}" for wish in wishes)
    return {"criterion_id": criterion_id(WISHES, target, text), "kind": WISHES, "name": target,
            "scope": "responses", "text": text, "evidence": BETWEEN.join(events)}


def merged(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """CRITERIA, sorted; what is wanted of an answer in equal words is one criterion with the evidence of all."""
    table = pl.DataFrame(pl.from_arrow(CRITERIA.rows(rows)))
    return table.sort("criterion_id", "evidence").group_by("criterion_id", maintain_order=True).agg(
        pl.exclude("evidence").first(), pl.col("evidence").str.join(BETWEEN)).select(table.columns)


def _questions(told: pl.DataFrame) -> Iterator[Question]:
    for row in told.iter_rows(named=True):
        text = filled("summary", question=shown(row["question"], 1400, 600), answer=shown(row["answer"], 1000, 500),
                      turn=shown("\n\n".join(row["turn"]), 1400, 600))
        yield Question(subject=row["target_msg_id"], conv_id=row["conv_id"], text=text)
