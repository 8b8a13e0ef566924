"""HINTS: critiques that are worth showing, since a weaker model repairs more with them than without.

The weak student is GPT4Hints-GPT3.5Val's (Phung et al. 2023, arXiv 2310.03780): it repairs a program some ten times
with a hint and as often without, and the hint is kept where it helps enough. That the bar is set for a wanted
precision, on hints whose worth is known, and paid for in coverage, is PyFiXV's (Phung et al. 2023, arXiv 2302.04662).
"""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from feedback.testcases.outcomes import passes
from generators.made import Made
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count

UPLIFT = {
    "critique_id": pl.String, "response_id": pl.String, "prompt_id": pl.String, "tried": pl.Int64, "solved": pl.Int64,
    "tried_alone": pl.Int64, "solved_alone": pl.Int64, "uplift": pl.Float64,
}
"""uplift is solved / tried - solved_alone / tried_alone; null where either was never tried."""
CURVE = {"threshold": pl.Float64, "kept": pl.Int64, "good": pl.Int64, "coverage": pl.Float64, "precision": pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepHints:
    """Keeps hints that help; see `keep_hints`."""

    threshold: float
    least: int

    def __call__(self, critiques: pl.DataFrame, uplifts: pl.DataFrame) -> Made:
        """The CRITIQUES rows that help enough, with their uplift as score, sorted by critique_id.

        Critiques are dropped as "too few repairs" or "no uplift".
        """
        told = critiques.drop("score").join(uplifts.select("critique_id", "tried", "tried_alone", score="uplift"),
                                            on="critique_id", how="left")
        tried = pl.min_horizontal("tried", "tried_alone").fill_null(0) >= self.least
        enough = told.filter(tried)
        kept = enough.filter(pl.col("score") >= self.threshold - 1e-9)
        dropped = Counter({"too few repairs": told.height - enough.height, "no uplift": enough.height - kept.height})
        return Made(kept.select(critiques.columns).sort("critique_id"),
                    count("critiques", "critiques", critiques.height, out=kept.height, dropped=+dropped))


def keep_hints(threshold: float = 0.2, least: int = 8) -> KeepHints:
    """Keep hints with which at least the share `threshold` more repairs pass, of `least` or more tried on either side.

    A repair that holds no code, or whose run says nothing, is no try: a `least` of all ten that the student is asked
    for would lose a hint, however good, for one such reply. Take the threshold from `calibrate` where hints of known
    worth are at hand. Raises ConfigError on what cannot be.
    """
    if not -1.0 <= threshold <= 1.0:
        raise ConfigError(f"keep_hints: threshold is {threshold}; give a difference of shares, such as 0.2")
    if least < 1:
        raise ConfigError(f"keep_hints: least is {least}; give 1 or more")
    return KeepHints(threshold=threshold, least=least)


def uplift(critiques: pl.DataFrame, repairs: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """What each critique adds to the student's repairs: one row (UPLIFT) a critique, sorted by critique_id.

    `repairs` are RESPONSES: those that name the critique were made with it, those of the same parent that name none
    without. A repair solves where it passes every test; one that fails none, but has an outcome that
    is no label, was not tried.
    """
    told = passes(outcomes).filter((pl.col("unknown") == 0) | (pl.col("failed") > 0)).select(
        "response_id", solved=pl.col("passed") == pl.col("tests"))
    tries = repairs.select("response_id", "critiques", parent=pl.col("parents").list.last()).join(
        told, on="response_id")
    sums = (pl.len().cast(pl.Int64), pl.col("solved").sum().cast(pl.Int64))
    helped = tries.explode("critiques").drop_nulls("critiques").group_by(critique_id="critiques").agg(
        tried=sums[0], solved=sums[1])
    alone = tries.filter(pl.col("critiques").list.len() == 0).group_by(response_id="parent").agg(
        tried_alone=sums[0], solved_alone=sums[1])
    met = critiques.select("critique_id", "response_id", "prompt_id").join(helped, on="critique_id", how="left").join(
        alone, on="response_id", how="left").with_columns(
        pl.col("tried", "solved", "tried_alone", "solved_alone").fill_null(0))
    both = (pl.col("tried") > 0) & (pl.col("tried_alone") > 0)
    share = pl.col("solved") / pl.col("tried") - pl.col("solved_alone") / pl.col("tried_alone")
    return met.with_columns(uplift=pl.when(both).then(share)).select(
        pl.col(name).cast(kind) for name, kind in UPLIFT.items()).sort("critique_id")


def precision_coverage(scored: pl.DataFrame) -> pl.DataFrame:
    """What each threshold keeps and how much of it is good: one row (CURVE) a threshold, sorted.

    `scored` has uplift and good (a person's or a test's word on the hint); rows that lack one are left out. The
    thresholds are the uplifts themselves: no other one keeps something else.
    """
    known = scored.select("uplift", pl.col("good").cast(pl.Int64)).drop_nulls()
    each = known.group_by(threshold="uplift").agg(kept=pl.len().cast(pl.Int64), good=pl.col("good").sum()).sort(
        "threshold", descending=True)
    summed = each.with_columns(pl.col("kept", "good").cum_sum())
    return summed.with_columns(coverage=pl.col("kept") / max(1, known.height),
                               precision=pl.col("good") / pl.col("kept")).cast(pl.Schema(CURVE)).sort("threshold")


def calibrate(scored: pl.DataFrame, precision: float) -> float | None:
    """The lowest threshold, so the widest coverage, of which the kept hints are good in the share `precision`.

    None where no threshold is that precise. Calibrate on hints other than those you keep: PyFiXV takes folds. Raises
    ConfigError where `precision` is no share, SchemaError where no hint is known to be good or not.
    """
    if not 0.0 < precision <= 1.0:
        raise ConfigError(f"calibrate: precision is {precision}; give a share above 0, up to 1")
    curve = precision_coverage(scored)
    if curve.is_empty():
        raise SchemaError("calibrate: no hint has both an uplift and a label good; label some by hand")
    precise = curve.filter(pl.col("precision") >= precision - 1e-9)
    return None if precise.is_empty() else float(precise["threshold"][0])
