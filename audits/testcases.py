"""Are labels by test cases right? Votes against truth, pairs against truth or another source, and what tests tell."""

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from audits.bootstrap import ESTIMATE, Resamples, columns, ratio, ratios, resamples
from feedback.testcases.outcomes import Comparer, check
from schemas.outcomes import FAILURES

EDGES = (0.0, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Bins of vote shares; each holds its lower edge, the last one both."""
CALIBRATION = {
    "low_share": pl.Float64, "high_share": pl.Float64, "cases": pl.Int64, "prompts": pl.Int64, "right": pl.Int64,
    **ESTIMATE,
}
STANDINGS = ("right", "both_fail", "both_pass", "inverted", "unknown")
PAIRS = {"standing": pl.String, "prompts": pl.Int64, "pairs": pl.Int64, **ESTIMATE}
ORDERS = ("agrees", "equal", "inverted", "unknown")


def calibration(votes: pl.DataFrame, truth: pl.DataFrame, edges: Sequence[float] = EDGES,
                draws: Resamples | None = None, maths: Comparer | None = None, tolerance: float = 1e-6) -> pl.DataFrame:
    """How often the vote is right, by its share: one row (CALIBRATION) a bin that has cases.

    `votes` and `truth` are TEST_CASES rows; a vote is right where it is what `truth` expects of the same input. Votes
    on inputs of unknown truth, and answers that cannot be compared, are left out.
    """
    told = right_cases(votes, truth, maths, tolerance).with_columns(bin=pl.col("share").map_elements(
        lambda share: _bin(share, edges), return_dtype=pl.Int64), one=pl.lit(1.0))
    draws = draws or resamples(told["prompt_id"])
    found = ratios(told, ("bin",), "right", "one", draws, "no vote has such a share")
    return found.select(
        low_share=pl.col("bin").replace_strict(dict(enumerate(edges[:-1])), return_dtype=pl.Float64),
        high_share=pl.col("bin").replace_strict(dict(enumerate(edges[1:])), return_dtype=pl.Float64),
        cases=pl.col("one").cast(pl.Int64), prompts="prompts", right=pl.col("right").cast(pl.Int64),
        value="value", low="low", high="high", reason="reason").cast(pl.Schema(CALIBRATION)).sort("low_share")


def right_cases(cases: pl.DataFrame, truth: pl.DataFrame, maths: Comparer | None = None,
                tolerance: float = 1e-6) -> pl.DataFrame:
    """prompt_id, test_id, share and right of the cases whose truth is known; where truths differ, all must agree."""
    as_runs = cases.select(
        "prompt_id", "input_id", "kind", response_id="test_id", environment=pl.lit(""), status=pl.lit("ran"),
        output="expected", detail=pl.lit(None, pl.String), steady=pl.lit(True))
    told = check(tolerance=tolerance)(as_runs, truth, maths).table
    known = told.filter(pl.col("outcome").is_in(["pass", "fail"])).group_by(test_id="response_id").agg(
        right=(pl.col("outcome") == "pass").all())
    return cases.select("prompt_id", "test_id", "share").join(known, on="test_id").sort("test_id")


def truth_of_tests(outcomes: pl.DataFrame) -> pl.DataFrame:
    """What trusted tests say of each response: prompt_id, response_id, passes (null: some outcome is no label).

    A response passes where it passes every test, and fails where it fails one.
    """
    told = pl.col("outcome")
    failed, passed = told.is_in(FAILURES).any(), (told == "pass").all()
    return outcomes.group_by("prompt_id", "response_id").agg(
        passes=pl.when(failed).then(False).when(passed).then(True)).sort("prompt_id", "response_id")


def standings(pairs: pl.DataFrame, truth: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """What pairs are worth where the truth is known: one row (PAIRS) a standing, with intervals over prompts.

    right: chosen passes and rejected fails; inverted: the opposite; both_fail, both_pass: a pair of equals; unknown:
    the truth lacks a side. `truth` has response_id and passes, as `truth_of_tests` gives it.
    """
    sides = truth.select("response_id", "passes")
    met = pairs.select("prompt_id", "chosen_id", "rejected_id").join(
        sides.rename({"response_id": "chosen_id", "passes": "good"}), on="chosen_id", how="left").join(
        sides.rename({"response_id": "rejected_id", "passes": "bad"}), on="rejected_id", how="left")
    good, bad = pl.col("good"), pl.col("bad")
    standing = (pl.when(good & ~bad).then(pl.lit("right")).when(bad & ~good).then(pl.lit("inverted"))
                .when(good & bad).then(pl.lit("both_pass")).when(~good & ~bad).then(pl.lit("both_fail"))
                .otherwise(pl.lit("unknown")))
    return _shares(met.with_columns(standing=standing), STANDINGS, draws)


def inversions(pairs: pl.DataFrame, passes: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """An estimate of inversion without truth: how another source's tests order the pairs; rows and shares as PAIRS.

    `passes` is the pass vector's sums of outcomes of a source that did not make the pairs (a model's expectations, or
    the vote of other samples). agrees: chosen passes the larger share of its tests; inverted: rejected does.
    """
    share = passes.filter(pl.col("tests") > pl.col("unknown")).select(
        "response_id", share=pl.col("passed") / (pl.col("tests") - pl.col("unknown")))
    met = pairs.select("prompt_id", "chosen_id", "rejected_id").join(
        share.rename({"response_id": "chosen_id", "share": "good"}), on="chosen_id", how="left").join(
        share.rename({"response_id": "rejected_id", "share": "bad"}), on="rejected_id", how="left")
    gap = pl.col("good") - pl.col("bad")
    standing = (pl.when(gap > 0).then(pl.lit("agrees")).when(gap < 0).then(pl.lit("inverted"))
                .when(gap == 0).then(pl.lit("equal")).otherwise(pl.lit("unknown")))
    return _shares(met.with_columns(standing=standing), ORDERS, draws)


def cases_per_prompt(prompts: pl.DataFrame, test_cases: pl.DataFrame) -> pl.DataFrame:
    """prompt_id and how many test cases it has, prompts without any included."""
    sizes = test_cases.group_by("prompt_id").agg(tests=pl.len().cast(pl.Int64))
    return prompts.select("prompt_id").join(sizes, on="prompt_id", how="left").with_columns(
        pl.col("tests").fill_null(0)).sort("prompt_id")


def pass_rates(passes: pl.DataFrame) -> pl.DataFrame:
    """prompt_id, response_id and the share of the labelled tests that it passes; responses without a label left out."""
    labelled = pl.col("tests") - pl.col("unknown")
    return passes.filter(labelled > 0).select("prompt_id", "response_id", rate=pl.col("passed") / labelled)


def _shares(met: pl.DataFrame, names: Sequence[str], draws: Resamples | None) -> pl.DataFrame:
    draws = draws or resamples(met["prompt_id"])
    rows = []
    for name in names:
        flags = met.select("prompt_id", is_it=pl.col("standing") == name, one=pl.lit(1.0))
        estimate = draws.estimate(columns(draws, flags, ("is_it", "one")), ratio, "there is no pair")
        mine = met.filter(pl.col("standing") == name)
        rows.append({"standing": name, "prompts": mine["prompt_id"].n_unique(), "pairs": mine.height,
                     **asdict(estimate)})
    return pl.DataFrame(rows, PAIRS, orient="row")


def _bin(share: float, edges: Sequence[float]) -> int:
    inside = [number for number, edge in enumerate(edges[:-1]) if share >= edge - 1e-12]
    return inside[-1]
