"""Are the labels right? Pairs and votes against a truth that is known: planted, tested or agreed by experts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import polars as pl

from audits.agreement import HUMAN, majority
from audits.bootstrap import ESTIMATE, Resamples, columns, ratio, ratios, resamples
from schemas.messages import Message

Quality = Callable[[Sequence[Message], str], float | None]
"""From a prompt's messages and an answer's text, its true quality; higher is better; None: not known."""

TRUTH = {"prompt_id": pl.String, "response_id": pl.String, "quality": pl.Float64}
JURY = "the jury"
LABELS = {
    "table": pl.String, "prompts": pl.Int64, "pairs": pl.Int64, "right": pl.Int64, "wrong": pl.Int64,
    "equal": pl.Int64, "unknown": pl.Int64, **ESTIMATE,
}
JUDGES = {
    "judge": pl.String, "aspect": pl.String, "prompts": pl.Int64, "pairs": pl.Int64, "right": pl.Int64,
    "wrong": pl.Int64, "undecided": pl.Int64, **ESTIMATE,
}


def truth_of(prompts: pl.DataFrame, responses: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    """The truth table (TRUTH): each response's true quality, as the function says; unknown ones are left out."""
    messages = dict(prompts.select("prompt_id", "messages").iter_rows())
    rows = [
        (prompt, response, quality(messages[prompt], text))
        for prompt, response, text in responses.select("prompt_id", "response_id", "text").iter_rows()
        if prompt in messages
    ]
    return pl.DataFrame(rows, TRUTH, orient="row").drop_nulls().sort("prompt_id", "response_id")


def true_outcomes(truth: pl.DataFrame) -> pl.DataFrame:
    """Every pair of answers of known quality: prompt_id, first_id < second_id, outcome (first, second, tie)."""
    met = truth.join(truth, on="prompt_id", suffix="_2").filter(pl.col("response_id") < pl.col("response_id_2"))
    gap = pl.col("quality") - pl.col("quality_2")
    outcome = pl.when(gap > 0).then(pl.lit("first")).when(gap < 0).then(pl.lit("second")).otherwise(pl.lit("tie"))
    ids = (pl.col("response_id").alias("first_id"), pl.col("response_id_2").alias("second_id"))
    return met.select("prompt_id", *ids, outcome.alias("outcome")).sort("prompt_id", "first_id", "second_id")


def labels(tables: Mapping[str, pl.DataFrame], truth: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Are chosen answers truly better? One row (LABELS) a table of pairs: preferences, kept.

    `value` is right / (right + wrong) with its interval over prompts; `equal` pairs, whose two answers are equally
    good, are neither; for `unknown` ones the truth lacks a side.
    """
    rows = [_label_row(name, table, truth, draws or resamples(table["prompt_id"])) for name, table in tables.items()]
    return pl.DataFrame(rows, LABELS, orient="row")


def judges(outcomes: pl.DataFrame, truth: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Does each judge see the truth? A row a judge and aspect (JUDGES), over pairs whose truth is decided.

    `value` is right / (right + wrong); `undecided` counts its ties and both_bad.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    known = true_outcomes(truth).filter(pl.col("outcome") != "tie").rename({"outcome": "truth"})
    met = outcomes.join(known, on=["prompt_id", "first_id", "second_id"])
    decided = pl.col("outcome").is_in(["first", "second"])
    same = pl.col("outcome") == pl.col("truth")
    met = met.with_columns(right=decided & same, wrong=decided & ~same, undecided=~decided, decided=decided)
    by = ("judge", "aspect")
    counts = met.group_by(by).agg(pl.len().alias("pairs"), pl.col("wrong", "undecided").sum())
    found = ratios(met, by, "right", "decided", draws, "it decided no pair").join(counts, on=by)
    return found.select(*JUDGES).cast(pl.Schema(JUDGES)).sort(by)


def with_jury(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The outcomes, and where several models judge, those of their majority as one more judge, `JURY`."""
    models = outcomes.filter(~pl.col("judge").str.starts_with(HUMAN))
    if models["judge"].n_unique() < 2:
        return outcomes
    jury = majority(models.with_columns(judge=pl.lit(JURY)))
    return pl.concat([outcomes.select(jury.columns), jury])


def _label_row(name: str, pairs: pl.DataFrame, truth: pl.DataFrame, draws: Resamples) -> dict[str, object]:
    quality = truth.select("response_id", "quality")
    for side in ("chosen", "rejected"):
        named = quality.rename({"response_id": f"{side}_id", "quality": f"{side}_quality"})
        pairs = pairs.join(named, on=f"{side}_id", how="left")
    gap = pl.col("chosen_quality") - pl.col("rejected_quality")
    rows = pairs.select(
        "prompt_id", right=(gap > 0).fill_null(False), wrong=(gap < 0).fill_null(False),
        equal=(gap == 0).fill_null(False), unknown=gap.is_null(), decided=(gap != 0).fill_null(False))
    counts = {kind: int(rows[kind].sum()) for kind in ("right", "wrong", "equal", "unknown")}
    estimate = draws.estimate(columns(draws, rows, ("right", "decided")), ratio, "no pair of known, different quality")
    return {
        "table": name, "prompts": rows["prompt_id"].n_unique(), "pairs": rows.height, **counts, **asdict(estimate),
    }
