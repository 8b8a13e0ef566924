"""How good test cases are: the mean mutation score over prompts, and the prompts whose cases tell few faults."""

import polars as pl

from audits.bootstrap import ESTIMATE, Resamples, ratios
from feedback.testcases.mutation_score import FAULTS, SCORE

LOW = 0.8
"""Below it answers that pass all cases are wrong most often: docs/testcases.md."""
MUTATION = {"prompts": pl.Int64, "faults": pl.Int64, f"below_{LOW}": pl.Int64, **ESTIMATE}


def scored(measured: pl.DataFrame) -> pl.DataFrame:
    """prompt_id, score and faults of each prompt, the lowest score first, from MEASUREMENTS rows of mutation_score."""
    named = [measured.filter(pl.col("name") == name).select(prompt_id="subject_id", **{column: "value"})
             for name, column in ((SCORE, "score"), (FAULTS, "faults"))]
    return named[0].join(named[1], on="prompt_id").with_columns(pl.col("faults").cast(pl.Int64)).sort(
        "score", "prompt_id")


def mutation(measured: pl.DataFrame, draws: Resamples) -> pl.DataFrame:
    """One row (MUTATION): the mean score of the prompts with its interval, and how many lie below 0.8; or none."""
    each = scored(measured).with_columns(what=pl.lit("score"), one=pl.lit(1.0))
    if each.is_empty():
        return pl.DataFrame(schema=MUTATION)
    found = ratios(each, ("what",), "score", "one", draws, "no prompt has a score")
    return found.select("prompts", pl.lit(each["faults"].sum()).alias("faults"),
                        pl.lit((each["score"] < LOW).sum()).alias(f"below_{LOW}"), *ESTIMATE).cast(pl.Schema(MUTATION))
