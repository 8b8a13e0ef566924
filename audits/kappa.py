"""Chance-corrected agreement as functions of sums, so that a bootstrap draw costs one row of a matrix product.

Leading dimensions are draws; a value is NaN where the coefficient is not defined (nobody could disagree).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.bootstrap import ONE_PROMPT, Array, Estimate, Resamples, interval

_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Who gave which of the levels 0, 1, ... to which item."""

    codes: NDArray[np.int64]
    """(items, raters); -1: no rating."""
    prompt: NDArray[np.int64]
    """The number of each item's prompt."""
    levels: int

    def counts(self) -> Array:
        """How many raters gave each item each level: (items, levels)."""
        given = [(self.codes == level).sum(axis=1) for level in range(self.levels)]
        return np.stack(given, axis=1).astype(np.float64)


def cohen(tables: Array) -> Array:
    """Cohen's kappa (1960) of two raters, from their contingency tables (..., classes, classes)."""
    total = tables.sum(axis=(-2, -1))
    chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1)
    agreed: Array = np.trace(tables, axis1=-2, axis2=-1) * total
    return _over(agreed - chance, total**2 - chance)


def fleiss(totals: Array, agreeing: Array, raters: int) -> Array:
    """Fleiss' kappa (1971) of `raters` ratings an item.

    `totals` counts ratings by class (..., classes); `agreeing` counts ordered pairs of ratings of one item that agree.
    """
    ratings = totals.sum(axis=-1)
    observed = _over(agreeing, ratings * (raters - 1))
    chance = _over((totals**2).sum(axis=-1), ratings**2)
    return _over(observed - chance, 1 - chance)


def alpha_nominal(totals: Array, agreeing: Array) -> Array:
    """Krippendorff's alpha, nominal: from pairable values by class, and the diagonal sum of the coincidence matrix."""
    values = totals.sum(axis=-1)
    expected = values**2 - (totals**2).sum(axis=-1)
    return 1 - _over((values - 1) * (values - agreeing), expected)


def ordinal_ranks(totals: Array) -> Array:
    """Each level's middle rank: the ordinal distance of two levels is the squared distance of their middle ranks."""
    return totals.cumsum(axis=-1) - totals / 2


def alpha_ordinal(totals: Array, disagreement: Array) -> Array:
    """Krippendorff's alpha, ordinal; `disagreement` sums coincidences of unequal levels times their distance, once."""
    ranks, values = ordinal_ranks(totals), totals.sum(axis=-1)
    expected = values * (totals * ranks**2).sum(axis=-1) - (totals * ranks).sum(axis=-1) ** 2
    return 1 - _over((values - 1) * disagreement, expected)


def estimate_cohen(a: NDArray[np.int64], b: NDArray[np.int64], ratings: Ratings, draws: Resamples) -> Estimate:
    """Cohen's kappa of two raters' codes over the items both rated, bootstrapped over prompts."""
    both = (a >= 0) & (b >= 0)
    if not both.any():
        return Estimate(value=None, reason="no item was rated by both")
    classes = ratings.levels
    tables = _by_prompt(np.eye(classes**2)[a[both] * classes + b[both]], ratings.prompt[both], draws.size)
    return draws.estimate(tables, lambda sums: cohen(sums.reshape(-1, classes, classes)), "only one class was used")


def estimate_fleiss(ratings: Ratings, draws: Resamples) -> Estimate:
    """Fleiss' kappa; null where items have unequal numbers of raters, which Krippendorff's alpha allows."""
    counts = ratings.counts()
    raters = np.unique(counts.sum(axis=1)).astype(int)
    if len(raters) == 0 or raters.max() < 2:
        return Estimate(value=None, reason="no item was rated twice")
    if len(raters) > 1:
        return Estimate(value=None, reason="items have unequal numbers of raters; read krippendorff_nominal")
    agreeing = (counts * (counts - 1)).sum(axis=1, keepdims=True)
    stats = _by_prompt(np.concatenate([counts, agreeing], axis=1), ratings.prompt, draws.size)
    each = int(raters[0])
    return draws.estimate(stats, lambda sums: fleiss(sums[:, :-1], sums[:, -1], each), "only one class was used")


def estimate_raw(ratings: Ratings, draws: Resamples) -> Estimate:
    """The share of rater pairs that agree on an item, over all items rated at least twice."""
    counts = ratings.counts()
    raters = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    stats = _by_prompt(np.stack([agreeing, raters * (raters - 1)], axis=1), ratings.prompt, draws.size)
    return draws.estimate(stats, lambda sums: _over(sums[:, 0], sums[:, 1]), "no item was rated twice")


def estimate_nominal(ratings: Ratings, draws: Resamples) -> Estimate:
    """Krippendorff's nominal alpha; items with one rating do not count."""
    counts, pairable = _pairable(ratings)
    if not pairable.any():
        return Estimate(value=None, reason="no item was rated twice")
    agreeing = _coincidences(counts, counts * (counts - 1)).sum(axis=1, keepdims=True)
    stats = _by_prompt(np.concatenate([counts, agreeing], axis=1), ratings.prompt[pairable], draws.size)
    return draws.estimate(stats, lambda sums: alpha_nominal(sums[:, :-1], sums[:, -1]), "only one class was used")


def estimate_ordinal(ratings: Ratings, draws: Resamples) -> Estimate:
    """Krippendorff's ordinal alpha; levels are in their order; items with one rating do not count."""
    counts, pairable = _pairable(ratings)
    if not pairable.any():
        return Estimate(value=None, reason="no item was rated twice")
    prompt = ratings.prompt[pairable]
    stats = _by_prompt(counts, prompt, draws.size)
    whole = stats.sum(axis=0, keepdims=True)
    totals = np.concatenate([whole, draws.sums(stats)])
    apart = np.zeros(len(totals))
    ranks = ordinal_ranks(totals)
    low, high = np.nonzero(np.triu(counts.T @ counts, 1))
    for start in range(0, len(low), _BLOCK):
        c, k = low[start:start + _BLOCK], high[start:start + _BLOCK]
        cells = _by_prompt(_coincidences(counts, counts[:, c] * counts[:, k]), prompt, draws.size)
        sums = np.concatenate([cells.sum(axis=0, keepdims=True), draws.sums(cells)])
        apart += (sums * (ranks[:, c] - ranks[:, k]) ** 2).sum(axis=1)
    values = alpha_ordinal(totals, apart)
    if not np.isfinite(values[0]):
        return Estimate(value=None, reason="only one class was used")
    if len(np.unique(prompt)) < 2:
        return Estimate(value=float(values[0]), reason=ONE_PROMPT)
    return interval(float(values[0]), values[1:])


def _pairable(ratings: Ratings) -> tuple[Array, NDArray[np.bool_]]:
    counts = ratings.counts()
    pairable = counts.sum(axis=1) > 1
    return counts[pairable], pairable


def _coincidences(counts: Array, pairs: Array) -> Array:
    """Pairs of ratings of an item, each item weighed so that a rating counts once."""
    weighed: Array = pairs / (counts.sum(axis=1, keepdims=True) - 1)
    return weighed


def _by_prompt(stats: Array, prompt: NDArray[np.int64], prompts: int) -> Array:
    """The items' statistics summed by prompt: (prompts, columns)."""
    order = np.argsort(prompt, kind="stable")
    present, starts = np.unique(prompt[order], return_index=True)
    summed = np.zeros((prompts, stats.shape[1]))
    if len(present):
        summed[present] = np.add.reduceat(stats[order], starts, axis=0)
    return summed


def _over(above: Array, below: Array) -> Array:
    """The quotient, NaN where the divisor is 0 (up to rounding)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(below) > 1e-9, above / below, np.nan)
