"""Repairs: an answer that drew a complaint and the answer that then satisfied, put to one question."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from feedback.chatlogs.told import Told

REPHRASED = "repeat_rephrase"
COMPLAINTS = (REPHRASED, "correction", "rejection", "clarification")
MOST_TURNS = 3
"""How many of the user's turns may lie between the answer complained of and the one that satisfied."""

Row = Mapping[str, Any]


class Anchor(NamedTuple):
    """An answer, the question it is put to, and the message before that question."""

    answer: str
    question: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Repair:
    """A complaint that was met: what satisfied against what had drawn it, both at one place."""

    better: Anchor
    worse: Anchor
    events: tuple[str, ...]
    evidence: tuple[str, ...]
    """The messages that complain and that are content."""


class Repairs:
    """Finds repairs; `rows` are the messages by id."""

    def __init__(self, rows: Mapping[str, Told], events: pl.DataFrame) -> None:
        self._rows = rows
        self._content = _by_target(events.filter(pl.col("polarity") == "positive"))
        self._complaints = _by_target(events.filter(
            pl.col("polarity") == "negative", pl.col("act").is_in(COMPLAINTS), pl.col("evidence_msg_id").is_not_null(),
            pl.col("justified").fill_null("unclear") != "no"))
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(rows):
            if (parent := rows[name].parent_id) is not None:
                self._children[parent].append(name)

    def all(self) -> Iterator[Repair]:
        """Every repair, in the order of the answers complained of.

        A complaint that was found unjustified begins none, nor does a question that is asked again: see rewordings. The
        question stays as it was first asked. Repairs are rare: 491 in 88,920 conversations of WildChat (DRIFT, 2025).
        """
        for worse, complaints in sorted(self._complaints.items()):
            asked = self._parent(worse)
            for complaint in complaints:
                if asked is not None and complaint["act"] != REPHRASED:
                    yield from (self._repair(worse, better, asked, complaint) for better in self._satisfying(complaint))

    def _repair(self, worse: str, better: str, asked: str, complaint: Row) -> Repair:
        glad, before = self._content[better][0], self._parent(asked)
        evidence = (complaint["evidence_msg_id"], glad["evidence_msg_id"])
        return Repair(Anchor(better, asked, before), Anchor(worse, asked, before),
                      (complaint["event_id"], glad["event_id"]), tuple(one for one in evidence if one is not None))

    def _satisfying(self, complaint: Row) -> Iterator[str]:
        """The first answers after a complaint that nobody complained of and the user was content with."""
        here = [complaint["evidence_msg_id"]]
        for _ in range(MOST_TURNS):
            answers = [one for asked in here for one in self._below(asked, "assistant")]
            yield from (one for one in answers if one in self._content and one not in self._complaints)
            here = [one for answer in answers if answer not in self._content for one in self._below(answer, "user")]

    def _below(self, msg_id: str, role: str) -> list[str]:
        return [one for one in self._children.get(msg_id, ()) if self._rows[one].role == role]

    def _parent(self, msg_id: str | None) -> str | None:
        return None if msg_id is None or msg_id not in self._rows else self._rows[msg_id].parent_id


def elsewhere(rows: Mapping[str, Told], placed: Iterable[Anchor]) -> list[Anchor]:
    """Those of the anchors that are not where their answer stands in the log, sorted, each once."""

    def above(name: str | None) -> str | None:
        row = rows.get(name or "")
        return row and row.parent_id

    return sorted({one for one in placed if one.answer not in rows
                   or (above(one.answer), above(above(one.answer))) != (one.question, one.before)},
                  key=lambda one: (one.answer, one.question or "", one.before or ""))


def _by_target(events: pl.DataFrame) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    told = ("event_id", "target_msg_id", "evidence_msg_id", "act")
    for row in events.sort("event_id").select(told).iter_rows(named=True):
        found[row["target_msg_id"]].append(row)
    return dict(found)
