"""Columns that all preference tables share: assistant turns, and the rows a label came from."""

import polars as pl


def assistant(text: str) -> pl.Expr:
    """The text column as messages: one assistant turn."""
    return pl.concat_list(pl.struct(role=pl.lit("assistant"), content=pl.col(text)))


def votes(*sides: str) -> pl.Expr:
    """The judgments of the ranked responses, sorted, then their rankings ("<prompt_id>/<response_id>").

    Each side is the suffix of the columns response_id and judgment_ids that describe one response.
    """
    judgments = pl.concat_list(*[pl.col(f"judgment_ids{side}") for side in sides]).list.unique().list.sort()
    named = judgments.list.eval(pl.struct(table=pl.lit("judgments"), id=pl.element()))
    return pl.concat_list(named, *[_row("rankings", pl.format("{}/{}", "prompt_id", f"response_id{s}")) for s in sides])


def answers(*sides: str) -> pl.Expr:
    """The responses themselves, where no vote was needed."""
    return pl.concat_list(*[_row("responses", pl.col(f"response_id{side}")) for side in sides])


def _row(table: str, key: pl.Expr) -> pl.Expr:
    return pl.struct(table=pl.lit(table), id=key)
