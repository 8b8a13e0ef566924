"""What the UI shows of test-case feedback: programs, inputs and outputs as Python writes them, and outcomes."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assets.show import SAMPLE, Rows, crosstab, frame, rows
from assets.stage import Tables
from assets.views import View
from audits.bootstrap import resamples
from audits.mutation import LOW, MUTATION, scored
from audits.mutation import mutation as audited
from audits.testcases import pass_rates
from feedback.testcases.outcomes import passes, trivial
from feedback.testcases.sandbox.codec import Unsupported, decode
from feedback.testcases.smells import BAD_SMELLS, shares


def programs(tables: Tables) -> Mapping[str, Any]:
    """Programs: where they were found, and a few."""
    told = tables["programs"]
    found = told.group_by("language", "found").agg(programs=pl.len(), distinct=pl.col("program_id").n_unique())
    return {"programs by place": frame(found.sort("language", "found"), "language", "found", "programs", "distinct"),
            "sample programs": frame(told.head(SAMPLE), "entry", "found", "source")}


def test_inputs(tables: Tables) -> Mapping[str, Any]:
    """Inputs: who made them, and a few."""
    told = tables["test_inputs"]
    makers = told.explode("makers").group_by("makers", "kind").agg(inputs=pl.len()).sort("makers", "kind")
    cells = [(row["kind"], readable(row["kind"], row["value"]), ", ".join(row["makers"]))
             for row in told.head(SAMPLE).iter_rows(named=True)]
    return {"inputs by maker": frame(makers, "makers", "kind", "inputs"),
            "sample inputs": rows(("kind", "input", "makers"), cells)}


def test_smells(tables: Tables) -> Mapping[str, Any]:
    """Written tests: how many have what a test needs, style, and smells, and one that has a smell."""
    told = tables["test_smells"]
    bad = told.filter(pl.col("name").is_in(BAD_SMELLS) & (pl.col("value") == 1)).group_by("subject_id").agg(
        smells=pl.col("name").sort().str.join(", ")).sort("subject_id").head(SAMPLE)
    sample = bad.join(tables["test_inputs"].select(subject_id="input_id", test="value"), on="subject_id",
                      maintain_order="left")
    return {"what tests look like": frame(shares(told), "what", "tests", "share"),
            **({"sample of tests that smell": frame(sample, "smells", "test")} if sample.height else {})}


def executions(tables: Tables) -> Mapping[str, Any]:
    """Runs: how they ended, where, and a few with what came out."""
    told = tables["executions"]
    sample = told.head(SAMPLE).join(tables["test_inputs"].select("input_id", "value"), on="input_id", how="left")
    cells = [(row["response_id"][:8], readable(row["kind"], row["value"] or ""), row["status"],
              readable(row["kind"], row["output"]) if row["output"] is not None else row["detail"])
             for row in sample.iter_rows(named=True)]
    failed = told.filter(pl.col("status") != "ran").group_by("status", "detail").agg(runs=pl.len())
    return {"runs by status": crosstab(told, "kind", "status"), "environments": frame(
                told.select("environment", "isolation").unique().sort("environment"), "environment", "isolation"),
            "sample runs": rows(("response", "input", "status", "output"), cells),
            **({"why runs failed": frame(failed.sort("runs", "status", "detail", descending=[True, False, False]),
                                         "status", "detail", "runs")} if failed.height else {})}


def test_cases(table: str) -> View:
    """Cases: by source, and a few with what is expected."""

    def show(tables: Tables) -> Mapping[str, Any]:
        told = tables[table]
        values = tables["test_inputs"].select("input_id", "value")
        cells = [(row["source"], readable(row["kind"], row["value"] or ""), readable(row["kind"], row["expected"]),
                  row["voters"], row["share"])
                 for row in told.head(SAMPLE).join(values, on="input_id", how="left").iter_rows(named=True)]
        by_source = told.group_by("source").agg(
            cases=pl.len(), prompts=pl.col("prompt_id").n_unique(), mean_share=pl.col("share").mean(),
            agreed=pl.col("agreement").mean()).sort("source")
        return {"cases by source": frame(by_source, *by_source.columns),
                "sample cases": rows(("source", "input", "expected", "voters", "share"), cells)}

    return show


def outcomes(table: str, cases: str = "test_cases") -> View:
    """Outcomes: by source, how many answers pass all and none, and a few that are no pass, beside what was expected."""

    def show(tables: Tables) -> Mapping[str, Any]:
        told = tables[table]
        rates = pass_rates(passes(told))["rate"]  # of labels alone: what is unknown was not failed
        every, none = int((rates == 1.0).sum()), int((rates == 0.0).sum())
        share = round(told.filter(pl.col("outcome") == "pass").height / told.height, 4) if told.height else 0.0
        return {"outcomes by source": crosstab(told, "source", "outcome"), "share of passes": share,
                "answers that pass all tests": every, "answers that pass none": none,
                "test cases that tell no answers apart": trivial(told).height,
                "sample outcomes that are no pass": _missed(told.filter(pl.col("outcome") != "pass"), tables, cases)}

    return show


def mutation(tables: Tables) -> Mapping[str, Any]:
    """How good test cases are: the mean over prompts, and the prompts whose cases tell few of the planted faults."""
    each = scored(tables["mutation"])
    if each.is_empty():
        return {}
    low = each.filter(pl.col("score") < LOW).join(tables["prompts"].select("prompt_id", prompt="messages"),
                                                  on="prompt_id", maintain_order="left")
    whole = audited(tables["mutation"], resamples(each["prompt_id"]))
    return {"mean share of faults that cases tell": frame(whole, *MUTATION),
            f"prompts below {LOW}": low.height,
            **({f"prompts below {LOW}, lowest first": frame(low, "prompt", "score", "faults")} if low.height else {})}


def _missed(told: pl.DataFrame, tables: Tables, cases: str) -> Rows:
    """A few outcomes, one a response and source, with what was expected and what came out."""
    some = told.unique(["response_id", "source"], keep="first", maintain_order=True).head(SAMPLE)
    met = some.join(tables[cases].select("test_id", "expected", "kind"), on="test_id", how="left",
                    maintain_order="left").join(
        tables["test_inputs"].select("input_id", "value"), on="input_id", how="left", maintain_order="left").join(
        tables["executions"].select("response_id", "input_id", "environment", "output"),
        on=["response_id", "input_id", "environment"], how="left", maintain_order="left")
    cells = [(row["response_id"][:8], readable(row["kind"], row["value"] or ""), readable(row["kind"], row["expected"]),
              readable(row["kind"], row["output"] or ""), row["source"], row["outcome"], row["reason"] or "")
             for row in met.iter_rows(named=True)]
    return rows(("response", "input", "expected", "came out", "source", "outcome", "reason"), cells)


def readable(kind: str, text: str) -> str:
    """An input or output as Python writes it; a text as it is."""
    if kind != "call":
        return text
    try:
        return repr(decode(text))
    except Unsupported:
        return text
