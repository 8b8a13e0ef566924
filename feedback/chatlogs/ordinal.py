"""ORDINAL: answers with what users made of them, as four grades for a reward model (WildReward).

A grade is read from the user's next turn (or inherited, see hindsight.py), short refusals are judged again, neutral
turns are dropped, and so is what no model that only writes could have answered.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.asking import Question, Questions, filled, json_object, one_of, shown
from feedback.chatlogs.hindsight import NEUTRAL, ordinal_of
from feedback.chatlogs.turns import candidates, texts
from feedback.chatlogs.validate import REFUSALS
from feedback.jury.parse import why_not
from filters.refusal import refusals
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.measurements import MEASUREMENTS

GRADES = {1: 1, 2: 2, 4: 3, 5: 4}
"""Ordinals without the neutral one, as grades."""
GOOD_GRADE = 3
"""The grade from which an answer is good."""
SHORT = 300
"""Characters below which an answer may be nothing but a refusal."""
MOST_HISTORY, FEWEST_QUERY, FEWEST_ANSWER = 20, 5, 10
"""Messages before the question; words of the question; words of the answer."""
LANGUAGES = ("en", "zh")
_BEYOND = (r"(?i)https?://|\bwww\.|\b(?:this|the|attached|my|following) (?:image|picture|photo|screenshot|video|audio|"
           r"pdf|attachment|file)\b|\b(?:search|browse|google) (?:the )?(?:web|internet|online|for)\b")
_WHO = r"(?i)\b(?:who|what) (?:are|r) (?:you|u)\b|\bare you (?:chatgpt|gpt|claude|gemini|llama|an? (?:ai|bot|robot))"
_PERSONAL = ("EMAIL", "PHONE")
_REFUSED = {"harmful": 5, "benign": 1}
"""What a refusal is worth: of what would do harm the best, of what would do none the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinals:
    """Grades answers; made by `ordinals`."""

    engine: str | None

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine} if self.engine else set()

    def plan(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Questions | list[Ask]:
        """The requests that judge refusals: one for each graded answer that is short and refuses."""
        if self.engine is None:
            return []
        engine = engine_named(engines, self.engine, "ordinals")
        told = _refusing(_graded(messages, turn_cues, events))
        return Questions(drawn=lambda: _questions(told), engine=engine, schema=_SCHEMA)

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply says what kind of refusal it is, else why not."""
        return why_not(lambda: _refusal(text))

    def grades(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame,
               completions: pl.DataFrame | None = None, engines: Mapping[str, Engine] | None = None) -> Made:
        """MEASUREMENTS named "ordinal_grade", 1 to 4, of answers by msg_id; the source is "events".

        Where several turns follow one answer (on branches), the worst grade counts. Counts: graded turns (dropped:
        why; failed: a refusal that could not be judged).
        """
        told = _graded(messages, turn_cues, events)
        plan = self.plan(messages, turn_cues, events, engines or {})
        judged = {heard.question.subject: heard.failure or _REFUSED.get(_refusal(heard.text), 0)
                  for heard in (plan.heard(_some(completions), self.parse) if isinstance(plan, Questions) else ())}
        grades: dict[str, int] = {}
        lost, failed = Counter[str](), Counter[str]()
        for row in told.iter_rows(named=True):
            ordinal = judged.get(row["evidence_msg_id"], 0) or row["ordinal"]
            if isinstance(ordinal, str):
                failed[f"refusal not judged: {ordinal}"] += 1
            elif reason := _unfit(row, ordinal):
                lost[reason] += 1
            else:
                target = row["target_msg_id"]
                lost["the answer has a worse grade, or the same"] += target in grades
                grades[target] = min(GRADES[ordinal], grades.get(target, max(GRADES.values())))
        rows = [{"subject_id": name, "name": "ordinal_grade", "value": float(grade), "source": "events"}
                for name, grade in sorted(grades.items())]
        table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows)))
        return Made(table, count("measurements", "graded turns", told.height, out=len(rows), dropped=+lost,
                                 failed=failed))


_SCHEMA: Mapping[str, Any] = {
    "type": "object", "properties": {"refusal": {"type": "string", "enum": list(REFUSALS)}}, "required": ["refusal"],
    "additionalProperties": False}


def ordinals(engine: str | None = None) -> Ordinals:
    """Grades of answers from the ordinals of events; `engine` judges short refusals, else they are graded as they are.

    Complaints about a correct refusal then count as the worst grade: name an engine where logs hold unsafe questions.
    """
    if engine is not None and not engine.strip():
        raise ConfigError("ordinals: engine is empty; write the name of an engine, or leave it out")
    return Ordinals(engine=engine)


def turn_grades(messages: pl.DataFrame, events: pl.DataFrame) -> dict[str, int | str]:
    """For each user's turn with an ordinal the grade of the answer before it, 1 to 4, or why it has none.

    No refusal is judged again: where a model validates events, complaints of correct refusals are dropped before.
    """
    told = _graded(messages, candidates(messages).table, events)
    return {row["evidence_msg_id"]: _unfit(row, row["ordinal"]) or GRADES[row["ordinal"]]
            for row in told.iter_rows(named=True)}


def _graded(messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The turns that an event gives an ordinal, with the texts and what is known of them, sorted."""
    said = ordinal_of(events)
    named = pl.DataFrame({"evidence_msg_id": list(said), "ordinal": list(said.values())},
                         schema={"evidence_msg_id": pl.String, "ordinal": pl.Int64})
    turns = texts(turn_cues.join(named, on="evidence_msg_id", how="inner"), messages, "previous", "target")
    marks = messages.select(previous_msg_id="msg_id", depth="depth", marked="placeholders")
    return turns.join(marks, on="previous_msg_id", how="left").sort("evidence_msg_id")


def _refusing(told: pl.DataFrame) -> pl.DataFrame:
    return told.filter(pl.col("target").str.len_chars() < SHORT, refusals(told["target"]).is_not_null())


def _questions(told: pl.DataFrame) -> Iterator[Question]:
    for row in told.iter_rows(named=True):
        yield Question(subject=row["evidence_msg_id"], conv_id=row["conv_id"], text=filled(
            "refusal", question=shown(row["previous"], 1400, 600), answer=shown(row["target"], SHORT)))


def _refusal(text: str) -> str:
    return one_of(json_object(text, ("refusal",))["refusal"], REFUSALS, "refusal")


def _unfit(row: Mapping[str, Any], ordinal: int) -> str:
    """Why a turn makes no grade; empty where it does."""
    query, answer = row["previous"], row["target"]
    tests = (
        (ordinal == NEUTRAL, "neutral"), (query is None, "no question before the answer"),
        (row["language"] not in (None, *LANGUAGES), "another language"),
        (query is not None and row["depth"] > MOST_HISTORY, "long history"),
        (query is not None and len(query.split()) < FEWEST_QUERY and _spaced(row), "short question"),
        (len(answer.split()) < FEWEST_ANSWER and _spaced(row), "short answer"),
        (bool(set(row["marked"] or ()) & set(_PERSONAL)), "personal data in the question"),
    )
    reason = next((reason for fails, reason in tests if fails), "")
    if reason or query is None:
        return reason
    needs, asks = pl.Series([query]).str.contains(_BEYOND)[0], pl.Series([query]).str.contains(_WHO)[0]
    return "needs more than writing" if needs else "asks who the assistant is" if asks else ""


def _spaced(row: Mapping[str, Any]) -> bool:
    """Whether words are set apart by spaces in its language."""
    return bool(row["language"] != "zh")


def _some(completions: pl.DataFrame | None) -> pl.DataFrame:
    if completions is None:
        raise ConfigError("ordinals: refusals are judged by an engine; give the completions of the plan")
    return completions
