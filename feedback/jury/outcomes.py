"""Pairwise outcomes: what each judge says of each pair of answers, whatever protocol it was asked by.

A judge's two orders are folded by the order policy of its votes, scores become comparisons, rankings become pairs.
Votes that are invalid or abstain say nothing here: leaving them out and marking them invalid is the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import polars as pl
import pyarrow as pa

SILENT = ("invalid", "abstain")
"""Outcomes of votes that say nothing."""

_COLUMNS = pa.schema({
    "prompt_id": pa.string(), "judge": pa.string(), "aspect": pa.string(), "first_id": pa.string(),
    "second_id": pa.string(), "outcome": pa.string(), "p_first": pa.float64(), "votes": pa.int32(),
    "judgment_ids": pa.list_(pa.string()),
})
_VOTE = ("judgment_id", "prompt_id", "judge", "aspect", "shown", "outcome", "order", "scores", "p_first",
         "order_policy")

Pair = tuple[str, str]
"""Two response_ids, the smaller first."""
Seat = tuple[str, str, str]
"""prompt_id, judge, aspect."""


class Verdict(NamedTuple):
    """What one judge says of one pair on one aspect."""

    prompt_id: str
    judge: str
    aspect: str
    first_id: str
    second_id: str
    outcome: str
    """first, second, tie or both_bad."""
    p_first: float | None
    votes: int
    judgment_ids: list[str]


class _Said(NamedTuple):
    """One vote on a pair, seen from the pair's first."""

    win: int
    """2 where the first wins, 1 for neither, 0 where the second wins."""
    both_bad: bool
    first_shown: bool
    p_first: float | None
    policy: str | None
    judgment_id: str


def pairwise(judgments: pl.DataFrame) -> pl.DataFrame:
    """One row a judge, aspect and unordered pair of answers, from any JUDGMENTS rows that say something of the pair.

    Columns: prompt_id, judge, aspect, first_id < second_id, outcome (first, second, tie, both_bad), p_first (mean over
    the votes, null where one has none), votes (how many) and judgment_ids, sorted. Sorted by the first five.

    - Comparisons: `both-else-tie` is the verdict both orders agree on, else tie (Peering Through Preferences, 2023);
      every other policy averages win values 1, 1/2, 0: above 1/2 first wins, at 1/2 it is a tie (both_bad where all
      votes say so). Under the two `both-` policies a pair that lacks a valid vote in one of its orders has no row.
    - Rankings: who stands before whom. Scores: who has the higher mean of the judge's scores on that aspect; equal is
      a tie. Where a judge both compared and scored a pair on one aspect, the comparison stands.
    """
    columns = list(zip(*verdicts(judgments), strict=True)) or [()] * len(_COLUMNS)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _COLUMNS, strict=True)]
    return pl.DataFrame(pl.from_arrow(pa.Table.from_arrays(arrays, schema=_COLUMNS)))


def verdicts(judgments: pl.DataFrame) -> Iterator[Verdict]:
    """The rows of `pairwise`, in its order."""
    said: dict[Seat, dict[Pair, list[_Said]]] = defaultdict(lambda: defaultdict(list))
    scores: dict[Seat, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for vote, prompt, judge, aspect, shown, outcome, order, given, p, policy in _valid(judgments):
        seat = (prompt, judge, aspect)
        if outcome == "scored":
            for name, score in zip(shown, given, strict=True):
                scores[seat][name].append((score, vote))
        else:
            for pair, one in _said(vote, shown, outcome, order, p, policy):
                said[seat][pair].append(one)
    for seat in sorted({*said, *scores}):
        yield from _of_seat(seat, said.get(seat, {}), scores.get(seat, {}))


def mean(values: Sequence[Fraction]) -> Fraction:
    """The exact mean of values, of which there must be some."""
    return values[0] if len(values) == 1 else sum(values, Fraction()) / len(values)


def mean_score(scores: Sequence[float]) -> Fraction:
    """The exact mean of scores taken as they are written in decimals, so that float noise makes and breaks no tie."""
    doubled = [2 * score for score in scores]
    if all(map(float.is_integer, doubled)):
        return Fraction(int(sum(doubled)), 2 * len(scores))
    return mean([_written(score) for score in scores])


@lru_cache(maxsize=1 << 16)
def _written(score: float) -> Fraction:
    return Fraction(repr(score))


def _valid(judgments: pl.DataFrame) -> Iterator[tuple[str, str, str, str, list[str], str, list[str], list[float],
                                                      float | None, str | None]]:
    spoken = judgments.filter(~pl.col("outcome").is_in(SILENT))
    return spoken.select(_VOTE).sort("judgment_id").iter_rows()


def _said(vote: str, shown: list[str], outcome: str, order: list[str], p: float | None,
          policy: str | None) -> Iterator[tuple[Pair, _Said]]:
    """What a vote on two or more answers says of each pair of them."""
    for better, worse in combinations(order or shown, 2):
        forward = better < worse
        first_shown = forward if not order else (shown.index(better) < shown.index(worse)) == forward
        win = 1 if not order else 2 if forward else 0
        p_pair = None if p is None or len(shown) > 2 else p if first_shown else 1.0 - p
        pair = (better, worse) if forward else (worse, better)
        yield pair, _Said(win, outcome == "both_bad", first_shown, p_pair, policy, vote)


def _of_seat(seat: Seat, said: dict[Pair, list[_Said]],
             scores: dict[str, list[tuple[float, str]]]) -> Iterator[Verdict]:
    means = {name: float(mean_score([score for score, _ in given])) for name, given in scores.items()}
    votes = {name: [vote for _, vote in given] for name, given in scores.items()}
    scored = combinations(sorted(scores), 2)
    for pair in sorted({*said, *scored}) if said else scored:
        first, second = pair
        if pair in said:
            if folded := _fold(seat, pair, said[pair]):
                yield folded
        else:
            outcome = "first" if means[first] > means[second] else "second" if means[first] < means[second] else "tie"
            both = votes[first] if votes[first] == votes[second] else sorted({*votes[first], *votes[second]})
            yield Verdict(*seat, first, second, outcome, None, len(both), both)


def _fold(seat: Seat, pair: Pair, said: list[_Said]) -> Verdict | None:
    """One judge's votes on a pair as one outcome; None where a policy wants both orders and one is missing."""
    policies = {one.policy for one in said}
    if policies & {"both-average", "both-else-tie"} and len({one.first_shown for one in said}) < 2:
        return None
    ps = [one.p_first for one in said if one.p_first is not None]
    p_first = sum(sorted(ps)) / len(ps) if len(ps) == len(said) else None
    outcome = _agreed(said) if "both-else-tie" in policies else _averaged(said)
    return Verdict(*seat, *pair, outcome, p_first, len(said), sorted(one.judgment_id for one in said))


def _averaged(said: list[_Said]) -> str:
    if all(one.both_bad for one in said):
        return "both_bad"
    total = sum(one.win for one in said)
    return "tie" if total == len(said) else "first" if total > len(said) else "second"


def _agreed(said: list[_Said]) -> str:
    alike = len({(one.win, one.both_bad) for one in said}) == 1
    return _averaged(said) if alike else "tie"
