"""Where did the rows go? in = out + dropped + failed, for each step and unit, checked."""

import polars as pl

ORDER = ("messages", "turn_cues", "detect_completions", "validate_completions", "feedback_events",
         "summary_completions", "inference_completions", "summaries", "prompts", "criteria", "completions",
         "again_completions", "responses", "programs", "test_completions", "test_inputs", "executions", "references",
         "test_cases", "outcomes", "repairs", "critiques", "repair_completions", "measurements", "steps",
         "step_completions", "rollouts", "hints", "hint_completions", "hint_repairs", "correct", "mutation",
         "true_outcomes", "judge_completions", "judgments", "rankings", "preferences", "kept", "unpaired", "lists")
"""The order of the flow; steps of other names follow, by name. What a step is made of follows it: "prompts, of the
round" after "prompts"."""
COLUMNS = {
    "step": pl.String, "unit": pl.String, "in": pl.Int64, "out": pl.Int64, "dropped": pl.Int64, "failed": pl.Int64,
    "reasons": pl.String, "balanced": pl.Boolean,
}


def funnel(counts: pl.DataFrame) -> pl.DataFrame:
    """One row a step and unit (COLUMNS), in the order of the flow, from the rows of the funnel table.

    `reasons` tells what became of the rows that did not come out, as "reason: count; ...", most frequent first.
    """
    sums = {
        fate: pl.col("count").filter(pl.col("fate") == fate).sum().alias(fate)
        for fate in ("in", "out", "dropped", "failed")
    }
    lost = counts.filter(pl.col("reason") != "").group_by("step", "unit", "reason").agg(pl.col("count").sum())
    told = pl.concat_str("reason", pl.lit(": "), "count").sort_by(["count", "reason"], descending=[True, False])
    reasons = lost.group_by("step", "unit").agg(told.str.join("; ").alias("reasons"))
    rows = counts.group_by("step", "unit").agg(*sums.values()).join(reasons, on=["step", "unit"], how="left")
    balanced = pl.col("in") == pl.col("out") + pl.col("dropped") + pl.col("failed")
    whole = rows.with_columns(pl.col("reasons").fill_null(""), balanced=balanced).sort(_place(), "step", "unit")
    return whole.select(*COLUMNS).cast(pl.Schema(COLUMNS))


def lost(counts: pl.DataFrame) -> pl.DataFrame:
    """The rows that did not come out: step, unit, fate, reason, count, in the order of the flow."""
    rows = counts.filter(pl.col("fate").is_in(["dropped", "failed"])).sort(_place(), "step", "unit", "fate", "reason")
    return rows.select("step", "unit", "fate", "reason", "count")


def _place() -> pl.Expr:
    """Where in the flow a step is."""
    whole = pl.col("step").str.split(", ").list.first()
    return whole.replace_strict(ORDER, range(len(ORDER)), default=len(ORDER), return_dtype=pl.Int64)
