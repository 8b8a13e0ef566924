"""PAST: what a person's earlier edits taught, of those made to the most similar questions (CIPHER, Gao et al. 2024).

CIPHER compares contexts by embeddings and lets a model sum the nearest ones' preferences up. Here questions are alike
by form (`repeats.similarity`), and the preferences stand side by side, each once: no model is asked.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl

from feedback.chatlogs.answers import EDITED
from feedback.chatlogs.repeats import similarity
from feedback.chatlogs.summaries import BETWEEN


class Lesson(NamedTuple):
    """A preference that an edit taught, when, and what had been asked."""

    made: datetime
    target: str
    question: str
    criterion: str


def past_edits(messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame, most: int
               ) -> dict[str, tuple[str, ...]]:
    """For each answer that a criterion is named after, the criteria that earlier edits of the same person taught.

    Earlier: the edit was made before the answer was written. An edit that the log does not date is taken to be made
    when the person next wrote in that conversation; where that is not known either, or the log names no person, or does
    not date the answer, nothing is remembered. The `most` edits with the most similar questions count, of equally
    similar ones the latest.
    """
    lessons = _lessons(messages, events, criteria)
    served = criteria.select(msg_id="name").unique().join(_asked(messages), on="msg_id").drop_nulls(
        ["user_hash", "created_at"])
    found = {}
    for row in served.sort("msg_id").iter_rows(named=True):
        known = [one for one in lessons.get(row["user_hash"], ())
                 if one.made < row["created_at"] and one.target != row["msg_id"]]
        if nearest := _nearest(known, row["question"] or "", most):
            found[row["msg_id"]] = nearest
    return found


def _nearest(known: Sequence[Lesson], question: str, most: int) -> tuple[str, ...]:
    """The criteria of the nearest lessons, each once; sorted, so that equal sets make equal requests."""
    ordered = sorted(sorted(known, key=lambda one: one.criterion), reverse=True,
                     key=lambda one: (similarity(one.question, question), one.made))
    return tuple(sorted({one.criterion for one in ordered[:most]}))


def _lessons(messages: pl.DataFrame, events: pl.DataFrame, criteria: pl.DataFrame) -> dict[str, list[Lesson]]:
    """What edits taught, by the person who made them."""
    told = criteria.select("criterion_id", event_id=pl.col("evidence").str.split(BETWEEN)).explode("event_id")
    edits = events.filter(pl.col("kind").is_in(EDITED)).select(
        "event_id", "actor_hash", edited_at="created_at", msg_id="target_msg_id")
    met = told.join(edits, on="event_id").join(_asked(messages), on="msg_id").join(
        _gone_on(messages), on="msg_id", how="left").with_columns(made=pl.coalesce("edited_at", "gone_on"))
    lessons: defaultdict[str, list[Lesson]] = defaultdict(list)
    rows = met.drop_nulls(["actor_hash", "made"]).sort("criterion_id", "event_id").select(
        "actor_hash", "made", "msg_id", pl.col("question").fill_null(""), "criterion_id").iter_rows()
    for person, *lesson in rows:
        lessons[person].append(Lesson(*lesson))
    return dict(lessons)


def _asked(messages: pl.DataFrame) -> pl.DataFrame:
    """Each message with the text of the one it answers."""
    asked = messages.select(parent_id="msg_id", question="text")
    return messages.select("msg_id", "parent_id", "user_hash", "created_at").join(asked, on="parent_id", how="left")


def _gone_on(messages: pl.DataFrame) -> pl.DataFrame:
    """When the person next wrote after an answer."""
    return messages.filter(pl.col("role") == "user").group_by(msg_id="parent_id").agg(
        gone_on=pl.col("created_at").min())
