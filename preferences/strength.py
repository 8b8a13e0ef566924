"""How sure a pair is: p_chosen, the probability that the chosen answer is better, between .5 and 1."""

import math
from dataclasses import dataclass

import polars as pl

from feedback.jury.outcomes import pairwise
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """p_chosen = 1 / (1 + exp(-b * margin))."""

    b: float

    def __call__(self, pairs: pl.DataFrame, judgments: pl.DataFrame | None) -> pl.Series:
        """p_chosen of each pair."""
        return pairs.select(p_chosen=1.0 / (1.0 + (-self.b * pl.col("margin")).exp()))["p_chosen"]


@dataclass(frozen=True, slots=True)
class Gap:
    """p_chosen = .5 + .5 * margin / widest, at most 1."""

    widest: float

    def __call__(self, pairs: pl.DataFrame, judgments: pl.DataFrame | None) -> pl.Series:
        """p_chosen of each pair."""
        return pairs.select(p_chosen=0.5 + 0.5 * (pl.col("margin") / self.widest).clip(0.0, 1.0))["p_chosen"]


@dataclass(frozen=True, slots=True)
class VoteShare:
    """p_chosen = the share of the judges who prefer chosen; a judge's tie is half a vote."""

    def __call__(self, pairs: pl.DataFrame, judgments: pl.DataFrame | None) -> pl.Series:
        """p_chosen of each pair."""
        if judgments is None:
            raise ConfigError("vote_share() counts votes: call the pair operator with the judgments table as well")
        shares = _verdicts(pairs, judgments).group_by("pair_id").agg(p=(pl.col("verdict").mean() + 1) / 2)
        return pairs.select("pair_id").join(shares, on="pair_id", how="left", maintain_order="left")["p"].clip(0.5, 1.0)


Strength = Sigmoid | Gap | VoteShare
"""From pairs (and judgments, where votes are counted), p_chosen of each."""


def sigmoid(b: float = 1.0) -> Sigmoid:
    """The Bradley-Terry probability of the margin, 1 / (1 + exp(-b * margin)): MMPO's soft labels (Kim et al. 2024).

    `b` is per point of the score's scale (MMPO: 2.2 for Gemma-2B and Llama-8B, .3 for Gemma-7B, 1.1 on SHP). Raises
    ConfigError when it is not a positive number.
    """
    return Sigmoid(_positive("sigmoid: b", b))


def gap(widest: float) -> Gap:
    """The margin as a share of the widest one possible, put between .5 (no gap) and 1 (`widest` points or more).

    `widest` is in points of the score: 9 on a scale of 1 to 10. Raises ConfigError when it is not a positive number.
    """
    return Gap(_positive("gap: widest", widest))


def vote_share() -> VoteShare:
    """The share of the jury's votes that prefer the chosen answer, counted in the judgments of the two responses.

    One judge has one vote for each aspect: its verdict on the pair, folded from comparisons, rankings or scores as
    feedback/jury/outcomes.py says, a tie or both_bad being half a vote. Null where no judge has a verdict. Where the
    scores were averaged a minority can carry a pair: its share is then raised to .5.
    """
    return VoteShare()


def _positive(what: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{what} is {value}; give a positive number")
    return value


def _verdicts(pairs: pl.DataFrame, judgments: pl.DataFrame) -> pl.DataFrame:
    """pair_id, judge, aspect and verdict: 1 where the judge prefers chosen, -1 rejected, 0 neither."""
    said = pairwise(judgments.filter(pl.col("prompt_id").is_in(pairs["prompt_id"].implode())))
    chosen, rejected = pl.col("chosen_id"), pl.col("rejected_id")
    ids = pairs.select("pair_id", "prompt_id", straight=chosen < rejected,
                       first_id=pl.min_horizontal(chosen, rejected), second_id=pl.max_horizontal(chosen, rejected))
    decided = pl.col("outcome").is_in(["first", "second"])
    right = (pl.col("outcome") == "first") == pl.col("straight")
    verdict = pl.when(~decided).then(0).when(right).then(1).otherwise(-1)
    both = ids.join(said, on=["prompt_id", "first_id", "second_id"])
    return both.select("pair_id", "judge", "aspect", verdict=verdict)
