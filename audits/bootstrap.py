"""Percentile bootstrap over prompts: votes on one prompt are not independent, so prompts are drawn, never rows.

A statistic is a function of sums over prompts. Each prompt contributes one row of sufficient statistics, a draw is how
often each prompt was picked, and all draws are one matrix product (Efron 1979; percentile intervals).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.ids import seed_of

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""From sums (draws, columns) to one value a draw; NaN where the statistic is not defined."""

DRAWS = 1000
LEVEL = 0.95
ESTIMATE = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "reason": pl.String}
"""The columns of an estimate in a table."""
ONE_PROMPT = "no interval: fewer than two prompts"
_LEAST_DEFINED = 0.9
_SAME = 1e-12
_KEPT_CELLS = 1 << 26
_BLOCK_CELLS = 1 << 22
_GROUPS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval, or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    """Why value or interval is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """Which prompts each draw picked; made by `resamples`."""

    prompts: pl.DataFrame
    """prompt_id with its number `prompt`, in the order of the ids."""
    draws: int
    seed: int
    kept: NDArray[np.uint8] | None
    """How often each draw picked each prompt, where that fits into 64 MB; otherwise it is drawn again for each use."""

    @property
    def size(self) -> int:
        """How many prompts there are."""
        return self.prompts.height

    def number(self, rows: pl.DataFrame) -> NDArray[np.int64]:
        """The number of each row's prompt."""
        joined = rows.select("prompt_id").join(self.prompts, on="prompt_id", how="left", maintain_order="left")
        return joined["prompt"].to_numpy()

    def blocks(self) -> Iterator[Array]:
        """The draws, some at a time: (some draws, prompts)."""
        step = _rows_of_a_block(self.size)
        if self.kept is None:
            yield from (block.astype(np.float64) for block in _picked(self.size, self.draws, self.seed))
        else:
            for start in range(0, self.draws, step):
                yield self.kept[start:start + step].astype(np.float64)

    def sums(self, stats: Array) -> Array:
        """The sums of each draw, (draws, columns), from one row of statistics a prompt."""
        return np.concatenate([block @ stats for block in self.blocks()])

    def estimate(self, stats: Array, statistic: Statistic, why_undefined: str) -> Estimate:
        """The statistic of all prompts with its 95 % interval; `why_undefined` is told where it has no value.

        The interval is null for fewer than two prompts with anything to count, and where more than a tenth of the draws
        leave the statistic undefined.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(stats.sum(axis=0, keepdims=True))[0])
            if not np.isfinite(value):
                return Estimate(value=None, reason=why_undefined)
            if np.count_nonzero(np.abs(stats).sum(axis=1)) < 2:
                return Estimate(value=value, reason=ONE_PROMPT)
            return interval(value, statistic(self.sums(stats)))


def resamples(prompt_ids: Iterable[str], draws: int = DRAWS, seed: int = 0) -> Resamples:
    """Draws with replacement from the distinct prompts; row order does not matter."""
    ids = pl.Series("prompt_id", list(prompt_ids), pl.String).unique().sort()
    prompts = pl.DataFrame({"prompt_id": ids, "prompt": np.arange(len(ids), dtype=np.int64)})
    kept = None
    if draws * len(ids) <= _KEPT_CELLS:
        kept = np.concatenate([np.zeros((0, len(ids)), np.uint8), *_picked(len(ids), draws, seed)])
    return Resamples(prompts=prompts, draws=draws, seed=seed, kept=kept)


def interval(value: float, draws: Array) -> Estimate:
    """The value with the percentile interval of its draws; undefined draws (NaN) are left out, if they are few.

    Where every draw gives the same value, as when all labels are right, the interval is null: width 0 would claim that
    nothing else is possible.
    """
    defined = draws[np.isfinite(draws)]
    if len(draws) == 0 or len(defined) < _LEAST_DEFINED * len(draws):
        return Estimate(value=value, reason="no interval: too many draws leave it undefined")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    if defined.max() - defined.min() < _SAME:
        return Estimate(value=value, reason="no interval: every draw gives the same value")
    return Estimate(value=value, low=float(low), high=float(high))


def ratio(sums: Array) -> Array:
    """The first column over the second; NaN where the second is 0."""
    quotient: Array = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] != 0)
    return quotient


def ratios(rows: pl.DataFrame, by: Sequence[str], above: str, below: str, draws: Resamples, why: str) -> pl.DataFrame:
    """For each group: the sum of column `above` over the sum of column `below`, with its interval.

    Gives the columns `by`, prompts (those with anything below), `above` and `below` (their sums), value, low, high and
    reason; `why` is the reason where nothing is below. Sorted by `by`.
    """
    rows = rows.select("prompt_id", *by, pl.col(above, below).cast(pl.Float64))
    prompts = pl.col("prompt_id").filter(pl.col(below) != 0).n_unique().cast(pl.Int64).alias("prompts")
    groups = rows.group_by(by).agg(prompts, pl.col(above, below).sum()).sort(by)
    number = rows.join(groups.select(by).with_row_index("group"), on=list(by), maintain_order="left")["group"]
    prompt, group = draws.number(rows), number.cast(pl.Int64).to_numpy()
    estimates = []
    for start in range(0, groups.height, _GROUPS):
        some = (group >= start) & (group < start + _GROUPS)
        stats = [
            per_prompt(prompt[some], group[some] - start, draws.size, min(_GROUPS, groups.height - start),
                       rows[name].to_numpy()[some])
            for name in (above, below)
        ]
        estimates += _ratios(stats[0], stats[1], draws, why)
    return groups.hstack(pl.DataFrame(estimates, ESTIMATE, orient="row"))


def per_prompt(prompt: NDArray[np.int64], cell: NDArray[np.int64], prompts: int, cells: int,
               weight: Array | None = None) -> Array:
    """One row a prompt, one column a cell: how many entries fall there, or the sum of their weights."""
    counted = np.bincount(prompt * cells + cell, weights=weight, minlength=prompts * cells)
    return counted.astype(np.float64).reshape(prompts, cells)


def columns(numbers: Resamples, rows: pl.DataFrame, names: Iterable[str]) -> Array:
    """The named number or boolean columns of the rows, summed by prompt: (prompts, names)."""
    prompt, zero = numbers.number(rows), np.zeros(rows.height, np.int64)
    parts = [per_prompt(prompt, zero, numbers.size, 1, rows[name].cast(pl.Float64).to_numpy()) for name in names]
    return np.concatenate(parts, axis=1)


def _ratios(above: Array, below: Array, draws: Resamples, why: str) -> list[dict[str, float | str | None]]:
    """One estimate a column: the sum above over the sum below."""
    sums_above, sums_below = draws.sums(above), draws.sums(below)
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        values, drawn = above.sum(axis=0) / below.sum(axis=0), sums_above / sums_below
    for column, value in enumerate(values):
        if not np.isfinite(value):
            estimate = Estimate(value=None, reason=why)
        elif np.count_nonzero(below[:, column]) < 2:
            estimate = Estimate(value=float(value), reason=ONE_PROMPT)
        else:
            estimate = interval(float(value), drawn[:, column])
        found.append(asdict(estimate))
    return found


def _rows_of_a_block(prompts: int) -> int:
    return max(1, _BLOCK_CELLS // max(1, prompts))


def _picked(prompts: int, draws: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """How often each draw picks each prompt, some draws at a time."""
    random = np.random.default_rng(seed_of("bootstrap", seed))
    step = _rows_of_a_block(prompts)
    for start in range(0, draws if prompts else 0, step):
        rows = min(step, draws - start)
        picks = random.integers(0, prompts, (rows, prompts)) + prompts * np.arange(rows)[:, None]
        yield np.bincount(picks.ravel(), minlength=rows * prompts).astype(np.uint8).reshape(rows, prompts)
