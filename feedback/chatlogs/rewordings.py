"""Rewordings: a question that was asked again until an answer satisfied, its answers put to its last wording."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.chains import SUCCESS, Chain, chains
from feedback.chatlogs.hindsight import GOOD
from feedback.chatlogs.repairs import REPHRASED, Anchor, Row
from feedback.chatlogs.turns import candidates

KINDS = ("follow_up", "thumb", "comment")
"""The kinds of events that say where a chain goes and ends."""


@dataclass(frozen=True, slots=True)
class Rewording:
    """The answer to the last wording against one to an earlier wording, both put to the last."""

    chain: Chain
    """Only where it ends in success did the last answer satisfy."""
    place: int
    """Which of the chain's wordings the worse answer is to."""
    better: Anchor
    """Of the last wording, where nobody said a thing of its answer."""
    worse: Anchor
    events: tuple[str, ...]
    """The events that say that the question was asked again, and that the user was content."""
    evidence: tuple[str, ...]
    """The messages that say it: all wordings, and the user's content turn."""
    both: bool
    """Whether somebody was content with the worse answer, too."""


def asked_again(messages: pl.DataFrame, events: pl.DataFrame, gap_s: float = math.inf) -> list[Chain]:
    """The chains of conversations in which events speak, those of one wording too.

    Only an event says that a question was asked again: who looks for likeness of form says so by one (see cues).
    """
    told = _telling(events)
    near = messages.filter(pl.col("conv_id").is_in(told["conv_id"].unique().implode()))
    turns = candidates(near).table.with_columns(similarity=pl.lit(None, pl.Float64))
    return chains(near, turns, told, gap_s=gap_s)


def rewordings(messages: pl.DataFrame, events: pl.DataFrame) -> Iterator[Rewording]:
    """Each answer to an earlier wording of a question, in order, whatever came of the last wording.

    The place of both is the last wording, after what was said before the first one: this is what the user meant, and
    neither answer's prompt holds the other answers. Whatever time lies between; who wants less leaves out.
    """
    before = dict(messages.filter(pl.col("role") == "user").select("msg_id", "parent_id").iter_rows())
    told = _telling(events).sort("event_id").select(
        "event_id", "target_msg_id", "evidence_msg_id", "act", "polarity", "ordinal").to_dicts()
    again = {row["evidence_msg_id"]: row["event_id"] for row in told if row["act"] == REPHRASED}
    where = messages.filter(pl.col("msg_id").is_in(list(again)))["conv_id"].unique()
    glad: dict[str, list[Row]] = {}
    for row in told:
        if row["polarity"] == "positive" or (row["ordinal"] or 0) >= GOOD:
            glad.setdefault(row["target_msg_id"], []).append(row)
    for chain in asked_again(messages.filter(pl.col("conv_id").is_in(where.implode())), events):
        if len(chain.questions) > 1:
            yield from _of_chain(chain, before, again, glad)


def _of_chain(chain: Chain, before: Mapping[str, str | None], again: Mapping[str, str],
              glad: Mapping[str, Sequence[Row]]) -> Iterator[Rewording]:
    last, start = chain.questions[-1], before.get(chain.questions[0])
    *earlier, best = chain.answers if len(chain.answers) == len(chain.questions) else (*chain.answers, last)
    content = glad.get(best, ()) if chain.end == SUCCESS else ()
    said = [row["evidence_msg_id"] for row in content if row["evidence_msg_id"] is not None]
    for place, answer in enumerate(earlier):
        steps = [again[one] for one in chain.questions[place + 1:]]
        yield Rewording(chain, place, Anchor(best, last, start), Anchor(answer, last, start),
                        (*steps, *(row["event_id"] for row in content)), (*chain.questions, *said), both=answer in glad)


def _telling(events: pl.DataFrame) -> pl.DataFrame:
    """The events that chains are made of; an unjustified complaint is none."""
    return events.filter(pl.col("kind").is_in(KINDS), pl.col("justified").fill_null("unclear") != "no")
