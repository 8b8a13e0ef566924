"""CodeT (Chen et al. 2023): responses that pass the same tests are one set, scored by its size and its tests."""

from math import sqrt

import polars as pl

from schemas.errors import SchemaError


def dual_agreement(outcomes: pl.DataFrame, weights: pl.DataFrame | None = None) -> pl.DataFrame:
    """The score of each response: prompt_id, response_id, score, members, tests, sorted by prompt and response.

    Responses of a prompt that pass exactly the same cases are one consensus set; its score is sqrt(members) times the
    cases they pass. `weights` (test_id, weight) counts a case several times, as often as it was written. A set that
    passes nothing scores 0. Responses with an outcome that is no label are left out: their set is not known.
    """
    if outcomes.select("response_id", "test_id").is_duplicated().any():
        raise SchemaError("outcomes: a response has two outcomes of one test case")
    unsure = pl.col("outcome").is_in(["unknown", "sandbox_error"]).any().over("response_id")
    known = outcomes.filter(~unsure).with_columns(weight=pl.lit(1.0))
    if weights is not None:
        known = known.drop("weight").join(weights.select("test_id", "weight"), on="test_id", how="left").with_columns(
            pl.col("weight").cast(pl.Float64).fill_null(1.0))
    passed = pl.col("outcome") == "pass"
    each = known.group_by("prompt_id", "response_id").agg(
        passed=pl.col("test_id").filter(passed).sort().str.join(" "), tests=pl.col("weight").filter(passed).sum())
    members = pl.len().over("prompt_id", "passed").cast(pl.Int64)
    scored = each.with_columns(members=members)
    roots = [sqrt(n) for n in scored["members"]]
    return scored.with_columns(score=pl.col("tests") * pl.Series(roots, dtype=pl.Float64)).select(
        "prompt_id", "response_id", "score", "members", "tests").sort("prompt_id", "response_id")
