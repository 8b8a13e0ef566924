"""Intervals of shares: what a sample of some hits says about the share in all."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.95


class Share(NamedTuple):
    """A share, and the interval that holds the true one at the level asked for."""

    hits: int
    of: int
    value: float | None
    """None where there is nothing to divide by."""
    low: float
    high: float


def wilson(hits: int, of: int, level: float = LEVEL) -> Share:
    """The share hits / of with its Wilson score interval; 0 to 1 where nothing was counted.

    With z the normal quantile of the level, p = hits / n: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if not of:
        return Share(hits, of, None, 0.0, 1.0)
    z, share = NormalDist().inv_cdf(0.5 + level / 2), hits / of
    middle, half = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return Share(hits, of, share, 0.0 if hits == 0 else (middle - half) / scale,
                 1.0 if hits == of else (middle + half) / scale)
