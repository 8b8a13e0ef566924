"""What did the replies cost? Requests, tokens and money for each engine; unknown is null, never 0."""

import polars as pl


def cost(completions: pl.DataFrame) -> pl.DataFrame:
    """One row an engine, by name.

    requests are (request_id, sample) asked for; replies are the attempts that came, ok or invalid; errors never came
    and are taken to cost nothing. prompt_tokens, completion_tokens and cost are null where any reply's is unknown;
    cost_known is the sum of what is known (null: nothing is), tokens_unknown and cost_unknown count the other replies.
    Money is in the currency of the engines file.
    """
    came = pl.col("status") != "error"
    requests = pl.struct("request_id", "sample").n_unique()
    tokens_unknown = came & (pl.col("prompt_tokens").is_null() | pl.col("completion_tokens").is_null())
    rows = completions.group_by("engine").agg(
        pl.col("model").unique().sort().str.join(", ").alias("model"), requests.cast(pl.Int64).alias("requests"),
        came.sum().cast(pl.Int64).alias("replies"),
        (pl.col("status") == "invalid").sum().cast(pl.Int64).alias("invalid"),
        (~came).sum().cast(pl.Int64).alias("errors"),
        _known("prompt_tokens", came), _known("completion_tokens", came),
        tokens_unknown.sum().cast(pl.Int64).alias("tokens_unknown"), _known("cost", came),
        _some("cost", came).alias("cost_known"),
        (came & pl.col("cost").is_null()).sum().cast(pl.Int64).alias("cost_unknown"))
    return rows.sort("engine")


def total(costs: pl.DataFrame) -> dict[str, float | int | None]:
    """The sums over engines; null where any engine's is."""
    whole = ("requests", "replies", "invalid", "errors", "tokens_unknown", "cost_unknown")
    sums: dict[str, float | int | None] = {name: int(costs[name].sum()) for name in whole}
    for name in ("prompt_tokens", "completion_tokens", "cost"):
        values = costs[name].to_list()
        sums[name] = None if None in values or not values else sum(values)
    known = costs["cost_known"].drop_nulls().to_list()
    return {**sums, "cost_known": sum(known) if known else None}


def _known(name: str, came: pl.Expr) -> pl.Expr:
    """The sum over the replies that came, null where one of them is unknown or none came."""
    value = pl.col(name).filter(came).sort()
    return pl.when((value.null_count() == 0) & (value.len() > 0)).then(value.sum()).alias(name)


def _some(name: str, came: pl.Expr) -> pl.Expr:
    """The sum over the replies whose value is known, null where none is."""
    value = pl.col(name).filter(came).sort()
    return pl.when(value.count() > 0).then(value.sum())
