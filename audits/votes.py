"""What became of the votes: valid, tie, both_bad, abstain and invalid rates, and do judges hold when orders swap."""

import polars as pl

from audits.bootstrap import Resamples, ratios, resamples
from schemas.judgments import OUTCOMES

RATES = ("tie", "both_bad", "abstain", "invalid")
_OF = ("judge", "aspect")


def rates(judgments: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """How each judge voted on each aspect: judge, aspect, votes, one count for each outcome, and shares of all votes.

    Shares are tie_rate, both_bad_rate, abstain_rate and invalid_rate. `pairs` and `pair_tie_rate` are those of the
    pairwise `outcomes`, to which scored votes contribute ties too; pair_tie_rate is null where no pair has an outcome.
    """
    counts = [(pl.col("outcome") == name).sum().cast(pl.Int64).alias(name) for name in OUTCOMES]
    voted = judgments.group_by(_OF).agg(pl.len().cast(pl.Int64).alias("votes"), *counts)
    shares = [(pl.col(name) / pl.col("votes")).alias(f"{name}_rate") for name in RATES]
    paired = outcomes.group_by(_OF).agg(
        pl.len().cast(pl.Int64).alias("pairs"), (pl.col("outcome") == "tie").mean().alias("pair_tie_rate"))
    joined = voted.with_columns(shares).join(paired, on=_OF, how="left").sort(_OF)
    return joined.with_columns(pl.col("pairs").fill_null(0))


def swaps(judgments: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Swap consistency of each judge and aspect, over the pairs that it voted on in both orders.

    Columns: judge, aspect, prompts, pairs (asked in both orders, both votes valid), consistent, first_twice (the answer
    shown first won both times), second_twice, half (a win in one order only), and consistency with low, high, reason:
    the share of pairs with the same outcome in both orders, with its interval over prompts.
    """
    draws = draws or resamples(judgments["prompt_id"])
    both = _both_orders(judgments)
    kinds = [pl.col(name).sum().cast(pl.Int64) for name in ("first_twice", "second_twice", "half")]
    share = ratios(both, _OF, "consistent", "pairs", draws, "no pair was asked in both orders")
    named = share.rename({"value": "consistency"}).with_columns(pl.col("consistent", "pairs").cast(pl.Int64))
    return named.join(both.group_by(_OF).agg(kinds), on=_OF).sort(_OF)


def _both_orders(judgments: pl.DataFrame) -> pl.DataFrame:
    """One row for each pair and sample with a valid vote in both orders, and how the two votes compare."""
    pairs = judgments.filter((pl.col("subject") == "pair") & pl.col("outcome").is_in(["win", "tie", "both_bad"]))
    a, b = pl.col("shown").list.get(0, null_on_oob=True), pl.col("shown").list.get(1, null_on_oob=True)
    winner = pl.col("order").list.get(0, null_on_oob=True)
    seen = pairs.select(
        "prompt_id", *_OF, "judgment_id", pl.col("sample").fill_null(0), pl.min_horizontal(a, b).alias("low_id"),
        pl.max_horizontal(a, b).alias("high_id"), (a < b).alias("straight"), (winner == a).alias("first"),
        pl.coalesce(winner, "outcome").alias("says"))
    key = ["prompt_id", *_OF, "sample", "low_id", "high_id"]
    one = seen.sort("judgment_id").unique([*key, "straight"], keep="first", maintain_order=True)
    both = one.filter("straight").join(one.filter(~pl.col("straight")), on=key, suffix="_swapped")
    first, swapped = pl.col("first"), pl.col("first_swapped")
    return both.select(
        "prompt_id", *_OF, pl.lit(1).alias("pairs"), (pl.col("says") == pl.col("says_swapped")).alias("consistent"),
        (first & swapped).fill_null(False).alias("first_twice"),
        (~first & ~swapped).fill_null(False).alias("second_twice"),
        (first.is_null() != swapped.is_null()).alias("half"))
