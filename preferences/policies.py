"""Pair policies: of all pairs of one prompt's responses, which ones a method takes.

A policy sees every pair of responses that take part, best first: columns prompt_id, response_id and
response_id_rejected; place and place_rejected, the 0-based position in the prompt's order, best first, equals in the
order of a hash of their ids; last, the worst place; and fate, null where the pair is good, else why it is not
(identical, tie, below gap). It says true for the pairs it takes; whether a pair is good is not its business.
"""

from collections import Counter
from collections.abc import Callable

import polars as pl

from schemas.ids import draw

Policy = Callable[[pl.DataFrame, int], pl.Series]
"""From the pairs and the seed, one boolean a pair."""


def best_worst(pairs: pl.DataFrame, seed: int) -> pl.Series:
    """The best with the worst: max-min of RLHF Workflow (Dong et al. 2024)."""
    return (pairs["place"] == 0) & (pairs["place_rejected"] == pairs["last"])


def best_random(pairs: pl.DataFrame, seed: int) -> pl.Series:
    """The best with one of the responses it may be paired with, by hash: binarised UltraFeedback (Zephyr, Argilla)."""
    drawn = draws(pairs, seed, "best-random", (pairs["place"] == 0) & pairs["fate"].is_null())
    first = pairs.select("prompt_id", drawn).select(pl.col("draw") == pl.col("draw").min().over("prompt_id"))
    return first["draw"].fill_null(False)


def best_vs_each(pairs: pl.DataFrame, seed: int) -> pl.Series:
    """The best with each of the others: Curry-DPO (Pattnaik et al. 2024), three pairs of four responses."""
    return pairs["place"] == 0


def every(pairs: pl.DataFrame, seed: int) -> pl.Series:
    """Every pair: UltraFeedback (Cui et al. 2023); with gap=1 and cap=2, RLAIF-V (Yu et al. 2024)."""
    return pl.repeat(True, pairs.height, dtype=pl.Boolean, eager=True)


def adjacent(pairs: pl.DataFrame, seed: int) -> pl.Series:
    """Each response with the next best."""
    return pairs["place_rejected"] == pairs["place"] + 1


def draws(pairs: pl.DataFrame, seed: int, purpose: str, where: pl.Series) -> pl.Series:
    """A number in [0, 1) for each pair where asked, null elsewhere, by a hash of its prompt and its two responses."""
    keys = pairs.select("prompt_id", "response_id", "response_id_rejected", asked=where).iter_rows()
    drawn = [draw(seed, purpose, *ids) if asked else None for *ids, asked in keys]
    return pl.Series("draw", drawn, dtype=pl.Float64)


def capped(pairs: pl.DataFrame, cap: int | None, seed: int) -> pl.DataFrame:
    """The pairs, those that are good but more than `cap` of a prompt with fate "cap": a hash says which stay."""
    if cap is None:
        return pairs
    drawn = pairs.with_columns(draws(pairs, seed, "cap", pairs["fate"].is_null()))
    over = pl.col("draw").rank("ordinal").over("prompt_id") > cap
    return drawn.with_columns(fate=pl.when(over).then(pl.lit("cap")).otherwise("fate"))


def good(pairs: pl.DataFrame, fates: Counter[str]) -> pl.DataFrame:
    """The ids of the pairs that met no fate; the fates of the others are added up."""
    for fate, n in pairs["fate"].drop_nulls().value_counts().iter_rows():
        fates[fate] += n
    return pairs.filter(pl.col("fate").is_null()).select("prompt_id", "response_id", "response_id_rejected")


POLICIES: dict[str, Policy] = {
    "best-worst": best_worst, "best-random": best_random, "best-vs-each": best_vs_each, "all": every,
    "adjacent": adjacent, "by-model-order": every,
}
"""Every policy by its name in a recipe."""
