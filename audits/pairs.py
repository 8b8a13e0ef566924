"""What the pairs look like: how many, how far apart, and whether length tells chosen from rejected."""

from collections.abc import Mapping
from dataclasses import asdict

import polars as pl

from audits.bootstrap import ESTIMATE, Resamples, columns, ratio, resamples

PAIRS = {
    "table": pl.String, "prompts": pl.Int64, "pairs": pl.Int64, "margin_min": pl.Float64, "margin_median": pl.Float64,
    "margin_mean": pl.Float64, "margin_max": pl.Float64, "chosen_chars": pl.Float64, "rejected_chars": pl.Float64,
    "chosen_longer": pl.Int64, "rejected_longer": pl.Int64, **ESTIMATE,
}


def pairs(tables: Mapping[str, pl.DataFrame], draws: Resamples | None = None) -> pl.DataFrame:
    """One row a table of pairs (PAIRS): margins; median characters of both sides; is the chosen one the longer?

    `value` is chosen_longer / (chosen_longer + rejected_longer) with its interval over prompts; at .5 length tells
    nothing.
    """
    rows = [_row(name, table, draws or resamples(table["prompt_id"])) for name, table in tables.items()]
    return pl.DataFrame(rows, PAIRS, orient="row")


def with_lengths(table: pl.DataFrame) -> pl.DataFrame:
    """The pairs with chosen_chars and rejected_chars: characters of all turns of a side."""
    return table.with_columns(_chars(side).alias(f"{side}_chars") for side in ("chosen", "rejected"))


def _row(name: str, table: pl.DataFrame, draws: Resamples) -> dict[str, object]:
    sized = with_lengths(table)
    chosen, rejected = pl.col("chosen_chars"), pl.col("rejected_chars")
    compared = sized.select("prompt_id", chosen_longer=chosen > rejected, rejected_longer=rejected > chosen)
    compared = compared.with_columns(differ=pl.col("chosen_longer") | pl.col("rejected_longer"))
    estimate = draws.estimate(columns(draws, compared, ("chosen_longer", "differ")), ratio, "no pair differs in length")
    margin = table["margin"].sort()
    return {
        "table": name, "prompts": table["prompt_id"].n_unique(), "pairs": table.height, "margin_min": margin.min(),
        "margin_median": margin.median(), "margin_mean": margin.mean(), "margin_max": margin.max(),
        "chosen_chars": sized["chosen_chars"].median(), "rejected_chars": sized["rejected_chars"].median(),
        **{kind: int(compared[kind].sum()) for kind in ("chosen_longer", "rejected_longer")}, **asdict(estimate),
    }


def _chars(side: str) -> pl.Expr:
    return pl.col(side).list.eval(pl.element().struct.field("content").str.len_chars()).list.sum().cast(pl.Int64)
