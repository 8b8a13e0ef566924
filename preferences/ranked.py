"""Responses joined with their rankings by key: what pairs, single labels and lists all start from."""

import polars as pl

from schemas.errors import SchemaError

DECIMALS = 9
"""Scores are compared after rounding to this many decimals: a smaller difference is the float's, not the judges'."""

FEW = "fewer than two ranked responses"
"""Why a prompt gives no pair and no list."""


def ranked(prompts: pl.DataFrame, responses: pl.DataFrame, rankings: pl.DataFrame) -> pl.DataFrame:
    """Every row of responses with its score, its votes and whether it takes part, sorted by prompt and response.

    Columns: prompt_id, response_id, model, engine, text, text_digest, judgment_ids, score (null where unranked),
    level (the score rounded to DECIMALS, by which scores are compared) and out: null where the response takes part,
    else "baseline" (its role) or "no_quorum" (its ranking says so, or it was never voted on). Rankings of responses
    that are not given are ignored. Raises SchemaError when a response's prompt is unknown, a key repeats or a score
    is no number.
    """
    check_responses(prompts, responses)
    if rankings.select("prompt_id", "response_id").is_duplicated().any():
        raise SchemaError("rankings: a response has more than one row; a response is ranked once")
    votes = rankings.select("prompt_id", "response_id", "outcome", "score", "judgment_ids")
    joined = responses.join(votes, on=["prompt_id", "response_id"], how="left").with_columns(out=_out())
    shown = joined.select(
        "prompt_id", "response_id", "model", "engine", "text", "text_digest", "judgment_ids", "out",
        score=pl.when(pl.col("out").is_null()).then("score"),
    )
    wrong = shown.filter(pl.col("out").is_null() & ~pl.col("score").is_finite().fill_null(False))
    if wrong.height:
        raise SchemaError(f"rankings: {wrong.height} ranked response(s) have no finite score, such as {_some(wrong)}")
    return shown.with_columns(level=pl.col("score").round(DECIMALS)).sort("prompt_id", "response_id")


def check_responses(prompts: pl.DataFrame, responses: pl.DataFrame) -> None:
    """Raise SchemaError where a response answers no prompt that is given, or a key repeats."""
    if prompts["prompt_id"].is_duplicated().any():
        raise SchemaError("prompts: a prompt_id repeats; duplicates must be merged before")
    if responses["response_id"].is_duplicated().any():
        raise SchemaError("responses: a response_id repeats")
    lost = responses.join(prompts, on="prompt_id", how="anti")
    if lost.height:
        raise SchemaError(f"responses: {lost.height} row(s) answer a prompt that is not given, such as {_some(lost)}")


def _out() -> pl.Expr:
    unranked = pl.col("outcome").is_null() | (pl.col("outcome") != "ranked")
    return pl.when(pl.col("role") == "baseline").then(pl.lit("baseline")).when(unranked).then(pl.lit("no_quorum"))


def _some(rows: pl.DataFrame) -> str:
    return ", ".join(rows["response_id"].sort().head(3))
