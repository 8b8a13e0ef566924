"""Repairs: an answer that drew a complaint and the answer that then satisfied, put to one question."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

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
    rephrased: bool
    """Whether the user asked the same again in other words; both answers are then put to the last of them."""
    events: tuple[str, ...]
    evidence: tuple[str, ...]
    """The messages that complain and that are content."""


class Repairs:
    """Finds repairs; `rows` are the messages by id."""

    def __init__(self, rows: Mapping[str, Row], events: pl.DataFrame) -> None:
        self._rows = rows
        self._content = _by_target(events.filter(pl.col("polarity") == "positive"))
        self._complaints = _by_target(events.filter(
            pl.col("polarity") == "negative", pl.col("act").is_in(COMPLAINTS), pl.col("evidence_msg_id").is_not_null(),
            pl.col("justified").fill_null("unclear") != "no"))
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(rows):
            if (parent := rows[name]["parent_id"]) is not None:
                self._children[parent].append(name)

    def all(self) -> Iterator[Repair]:
        """Every repair, in the order of the answers complained of.

        A complaint that was found unjustified begins none. A correction leaves the question as it was first asked; a
        question said again ends with its last wording, which is what the user meant. Repairs are rare: 491 in 88,920
        conversations of WildChat (DRIFT, 2025).
        """
        for worse, complaints in sorted(self._complaints.items()):
            asked = self._parent(worse)
            for complaint in complaints if asked is not None else ():
                for better in self._satisfying(complaint):
                    yield self._repair(worse, better, asked or "", complaint)

    def _repair(self, worse: str, better: str, asked: str, complaint: Row) -> Repair:
        rephrased = complaint["act"] == REPHRASED
        question = self._parent(better) if rephrased else asked
        before = self._parent(self._first_wording(asked) if rephrased else asked)
        glad = self._content[better][0]
        evidence = (complaint["evidence_msg_id"], glad["evidence_msg_id"])
        return Repair(Anchor(better, question, before), Anchor(worse, question, before), rephrased,
                      (complaint["event_id"], glad["event_id"]), tuple(one for one in evidence if one is not None))

    def _satisfying(self, complaint: Row) -> Iterator[str]:
        """The first answers after a complaint that nobody complained of and the user was content with."""
        here = [complaint["evidence_msg_id"]]
        for _ in range(MOST_TURNS):
            answers = [one for asked in here for one in self._below(asked, "assistant")]
            yield from (one for one in answers if one in self._content and one not in self._complaints)
            here = [one for answer in answers if answer not in self._content for one in self._below(answer, "user")
                    if complaint["act"] != REPHRASED or self._says_again(one)]

    def _first_wording(self, asked: str) -> str:
        """The first of the wordings of which a question is the last."""
        while self._says_again(asked) and (before := self._parent(self._parent(asked))) is not None:
            asked = before
        return asked

    def _says_again(self, asked: str) -> bool:
        """Whether a user's message says again what the one before it asked."""
        return any(one["act"] == REPHRASED and one["evidence_msg_id"] == asked
                   for one in self._complaints.get(self._parent(asked) or "", ()))

    def _below(self, msg_id: str, role: str) -> list[str]:
        return [one for one in self._children.get(msg_id, ()) if self._rows[one]["role"] == role]

    def _parent(self, msg_id: str | None) -> str | None:
        return None if msg_id is None or msg_id not in self._rows else self._rows[msg_id]["parent_id"]


def anchors(rows: Mapping[str, Row], events: pl.DataFrame) -> list[Anchor]:
    """Where repairs put answers that stand elsewhere in the log, sorted."""
    placed = {anchor for repair in Repairs(rows, events).all() for anchor in (repair.better, repair.worse)}
    own = {name: (row["parent_id"], rows[row["parent_id"]]["parent_id"] if row["parent_id"] in rows else None)
           for name, row in rows.items()}
    return sorted((one for one in placed if own.get(one.answer) != (one.question, one.before)),
                  key=lambda one: (one.answer, one.question or "", one.before or ""))


def _by_target(events: pl.DataFrame) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    told = ("event_id", "target_msg_id", "evidence_msg_id", "act")
    for row in events.sort("event_id").select(told).iter_rows(named=True):
        found[row["target_msg_id"]].append(row)
    return dict(found)
