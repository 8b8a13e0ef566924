"""RUBRICS of content and discontent, found in labelled turns and then scored item by item (SPUR).

SPUR takes reasons out of labelled conversations, sums them up as a rubric of at most ten items a side, and scores new
conversations by it. The reasons here are the events of the detector, with the words that say so; a model sums up a
drawn sample of them, and scores turns. The scores are features, or a check of the labels we ship.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.asking import Question, Questions, fields, filled, json_object, shown
from feedback.chatlogs.detect import CUTS, FEEDBACK
from feedback.chatlogs.turns import texts
from feedback.jury.parse import Unparsable, why_not
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.criteria import CRITERIA, criterion_id
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import pick
from schemas.measurements import MEASUREMENTS

MOODS = {"positive": "content", "negative": "discontent"}
REQUESTS = {polarity: f"rubric of {polarity}" for polarity in MOODS}
"""The prompt_id of the requests that quote many users: of one who is forgotten, all of them go."""
RUBRIC = "rubric"
_SCOPE = "turns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Induce:
    """Makes rubrics; made by `induce`."""

    engine: str
    most: int
    cases: int
    seed: int

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, events: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """One request for content and one for discontent, where there are events of that kind."""
        engine = engine_named(engines, self.engine, "induce")
        made = [Question(subject=polarity, conv_id=REQUESTS[polarity], text=filled(
            "induce", mood=mood, most=str(self.most), cases="\n".join(cases.values())))
            for polarity, mood in MOODS.items() if (cases := self._cases(events, polarity))]
        return Questions(drawn=lambda: iter(made), engine=engine, schema=_items_schema(self.most))

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply is a rubric, else why not."""
        return why_not(lambda: _items(text, self.most))

    def criteria(self, events: pl.DataFrame, completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """CRITERIA of kind rubric, a row for each item, with the ids of the events it was made of as evidence.

        An item's name begins with "positive: " or "negative: ".

        Counts: rubrics asked for (failed: invalid, no reply, missing).
        """
        heard = list(self.plan(events, engines).heard(completions, self.parse))
        rows = {}
        for one in (one for one in heard if not one.reason):
            for name, text in _items(one.text, self.most):
                named = f"{one.question.subject}: {name}"
                key = criterion_id(RUBRIC, named, text)
                rows[key] = {"criterion_id": key, "kind": RUBRIC, "name": named, "scope": _SCOPE, "text": text,
                             "evidence": " ".join(self._cases(events, one.question.subject))}
        table = pl.DataFrame(pl.from_arrow(CRITERIA.rows(rows.values()))).sort("criterion_id")
        failed = Counter(one.failure for one in heard if one.reason)
        return Made(table, count("criteria", "rubrics", len(heard), out=len(heard) - failed.total(), failed=failed))

    def _cases(self, events: pl.DataFrame, polarity: str) -> dict[str, str]:
        """The drawn cases of one side by event, in the order of the events."""
        told = events.filter(pl.col("polarity") == polarity, pl.col("act").is_in(FEEDBACK),
                             pl.col("quote").is_not_null()).sort("event_id")
        lines = {row["event_id"]: f'- {row["act"]} ({", ".join(row["reasons"]) or "no reason given"}): '
                 f'"{shown(row["quote"], 200)}"' for row in told.to_dicts()}
        return {name: lines[name] for name in pick(list(lines), self.cases, self.seed, "induce", polarity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricScore:
    """Scores turns by a rubric; made by `rubric_score`."""

    engine: str

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, criteria: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Questions:
        """One request for each turn."""
        engine = engine_named(engines, self.engine, "rubric_score")
        rules = criteria.sort("criterion_id")
        rubric = "\n".join(f"{number}. {text}" for number, text in enumerate(rules["text"], 1))
        turns = texts(turn_cues.sort("evidence_msg_id"), messages, "previous", "target", "evidence")
        return Questions(drawn=lambda: _turns(turns, rubric), engine=engine, schema=_SCORES)

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply names items, else why not; whether there are such items is seen when it is read."""
        return why_not(lambda: _numbers(text))

    def measurements(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, criteria: pl.DataFrame,
                     completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """MEASUREMENTS of turns by evidence_msg_id: 1 or 0 for each item, under its criterion_id.

        Counts: turns (failed: invalid, no reply, missing, `no such item`).
        """
        names = criteria["criterion_id"].sort().to_list()
        rows: list[dict[str, Any]] = []
        failed, read = Counter[str](), 0
        for heard in self.plan(messages, turn_cues, criteria, engines).heard(completions, self.parse):
            numbers = set() if heard.reason else _numbers(heard.text)
            if heard.reason or not numbers <= set(range(1, len(names) + 1)):
                failed[heard.failure or "no such item"] += 1
                continue
            read += 1
            rows += [{"subject_id": heard.question.subject, "name": name, "value": float(number in numbers),
                      "source": self.engine} for number, name in enumerate(names, 1)]
        table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows))).sort("subject_id", "name")
        return Made(table, count("measurements", "turns", turn_cues.height, out=read, failed=failed))


_SCORES: Mapping[str, Any] = {
    "type": "object", "properties": {"items": {"type": "array", "items": {"type": "integer", "minimum": 1}}},
    "required": ["items"], "additionalProperties": False}


def induce(engine: str, most: int = 10, cases: int = 60, seed: int = 0) -> Induce:
    """A rubric of content and one of discontent, of at most `most` items each, from `cases` drawn events of each kind.

    Raises ConfigError for numbers below 1.
    """
    if most < 1 or cases < 1:
        raise ConfigError(f"induce: most={most} and cases={cases} must be 1 or more")
    return Induce(engine=engine, most=most, cases=cases, seed=seed)


def rubric_score(engine: str) -> RubricScore:
    """Which items of a rubric hold for each turn."""
    return RubricScore(engine=engine)


def _turns(turns: pl.DataFrame, rubric: str) -> Iterator[Question]:
    for row in turns.iter_rows(named=True):
        yield Question(subject=row["evidence_msg_id"], conv_id=row["conv_id"], text=filled(
            "score", rubric=rubric, before=shown(row["previous"], *CUTS["before"]),
            answer=shown(row["target"], *CUTS["answer"]), turn=shown(row["evidence"], *CUTS["turn"])))


def _items_schema(most: int) -> Mapping[str, Any]:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "text": {"type": "string"}},
            "required": ["name", "text"], "additionalProperties": False}
    return {"type": "object", "properties": {"items": {"type": "array", "items": item, "maxItems": most}},
            "required": ["items"], "additionalProperties": False}


def _items(text: str, most: int) -> list[tuple[str, str]]:
    """The names and texts of a rubric; raises Unparsable."""
    items = json_object(text, ("items",))["items"]
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise Unparsable(f"'items' is not a list of 1 to {most}")
    told = [fields(item, ("name", "text"), "an item is not an object") for item in items]
    for item in told:
        if not all(isinstance(value, str) and value.strip() for value in item.values()):
            raise Unparsable("an item has no text")
    if len({item["name"] for item in told}) < len(told):
        raise Unparsable("two items have one name")
    return [(item["name"], item["text"]) for item in told]


def _numbers(text: str) -> set[int]:
    """The numbers of the items that hold; raises Unparsable."""
    numbers = json_object(text, ("items",))["items"]
    if not isinstance(numbers, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in numbers):
        raise Unparsable("'items' is not a list of whole numbers")
    if len(set(numbers)) < len(numbers):
        raise Unparsable("an item is named twice")
    return set(numbers)
