"""What a build's test cases say of themselves and of its labels, as the tables of the report."""

from collections.abc import Iterable, Mapping

import polars as pl

from audits.bootstrap import resamples
from audits.mutation import MUTATION, mutation
from audits.testcases import (
    CALIBRATION,
    PAIRS,
    calibration,
    cases_per_prompt,
    inversions,
    pass_rates,
    standings,
    truth_of_tests,
)
from audits.vote_bounds import BOUNDS, halves, inverted_at_most
from feedback.testcases.maths.workers import MathsWorkers
from feedback.testcases.outcomes import passes, trivial
from feedback.testcases.smells import shares
from preferences.by_steps import POLICY as BY_STEPS
from schemas.outcomes import VERDICTS

INPUTS = ("test_inputs", "test_smells", "executions", "test_cases", "outcomes", "true_cases", "true_outcomes",
          "mutation")
BINS = 10
TABLES: dict[str, dict[str, type[pl.DataType]]] = {
    "case_sources": {"source": pl.String, "cases": pl.Int64, "prompts": pl.Int64, "voters": pl.Float64,
                     "share": pl.Float64, "agreed": pl.Float64, "trivial": pl.Int64},
    "test_outcomes": {"source": pl.String, "outcomes": pl.Int64, **dict.fromkeys(VERDICTS, pl.Int64)},
    "smells": {"what": pl.String, "tests": pl.Int64, "share": pl.Float64},
    "runs": {"kind": pl.String, "status": pl.String, "runs": pl.Int64, "flaky": pl.Int64},
    "test_sizes": {"tests": pl.Int64, "prompts": pl.Int64},
    "pass_rates": {"low_share": pl.Float64, "high_share": pl.Float64, "responses": pl.Int64},
    "calibration": CALIBRATION,
    "standings": {"table": pl.String, **PAIRS},
    "inversions": {"table": pl.String, "source": pl.String, **PAIRS},
    "vote_bounds": BOUNDS,
    "mutation": MUTATION,
}
"""The tables of `tested`, with their columns."""


def tested(given: Mapping[str, pl.DataFrame], draws: int, seed: int) -> dict[str, pl.DataFrame]:
    """The audits of test cases (TABLES); all empty where nothing was tested.

    case_sources: how many cases each source made, the mean share of votes, how many of them all sources agree on (of
    those with several), and how many tell no responses apart. pass_rates: responses that pass no test (0 to 0), all of
    them (1 to 1), or a share between. smells: what tests look like that models wrote. standings: pairs against the
    truth. inversions: the order of pairs by the tests of a source that did not make them. vote_bounds: what votes on
    stated answers tell without a truth. All three are of pairs of whole answers. mutation: the share of planted faults
    that the cases of a prompt tell.
    """
    if given["outcomes"].is_empty():
        return {name: pl.DataFrame(schema=columns) for name, columns in TABLES.items()}
    made = _shape(given)
    made["mutation"] = mutation(given["mutation"], resamples(given["mutation"]["subject_id"], draws, seed))
    pairs = {name: given[name].filter(pl.col("policy") != BY_STEPS) for name in ("preferences", "kept")}
    made["inversions"] = _stacked(
        _named(inversions(rows, passes(given["outcomes"], [source]), resamples(rows["prompt_id"], draws, seed)),
               table=name, source=source)
        for name, rows in pairs.items() for source in _others(given, rows))
    votes = given["test_cases"].filter(pl.col("source") == "vote")
    if (votes["kind"] == "answer").any():
        runs = given["executions"]
        with MathsWorkers() as maths:       # what they found of the candidates need not be found again of the kept
            made["vote_bounds"] = _stacked([
                *(inverted_at_most(rows, runs, name, resamples(rows["prompt_id"], draws, seed), maths)
                  for name, rows in pairs.items()),
                halves(runs, votes, resamples(votes["prompt_id"], draws, seed), seed, maths)])
    if given["true_outcomes"].height:
        known = truth_of_tests(given["true_outcomes"])
        made["standings"] = _stacked(
            _named(standings(rows, known, resamples(rows["prompt_id"], draws, seed)), table=name)
            for name, rows in pairs.items())
        made["calibration"] = calibration(votes, given["true_cases"],
                                          draws=resamples(votes["prompt_id"], draws, seed))
    return {name: _fitted(made.get(name), columns) for name, columns in TABLES.items()}


def _shape(given: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """What cases, outcomes and runs there are."""
    outcomes, cases = given["outcomes"], given["test_cases"]
    alike = trivial(outcomes).group_by("source").agg(trivial=pl.len())
    by_source = cases.group_by("source").agg(
        cases=pl.len(), prompts=pl.col("prompt_id").n_unique(), voters=pl.col("voters").mean(),
        share=pl.col("share").mean(), agreed=pl.col("agreement").mean())
    fates = [(pl.col("outcome") == verdict).sum().alias(verdict) for verdict in VERDICTS]
    place = pl.when(pl.col("rate") == 0).then(-1.0).otherwise((pl.col("rate") * BINS + 1e-9).floor())
    rates = pass_rates(passes(outcomes)).select(place=place)
    return {
        "case_sources": by_source.join(alike, on="source", how="left").with_columns(
            pl.col("trivial").fill_null(0)).sort("source"),
        "test_outcomes": outcomes.group_by("source").agg(pl.len().alias("outcomes"), *fates).sort("source"),
        "smells": shares(given["test_smells"]),
        "runs": given["executions"].group_by("kind", "status").agg(
            runs=pl.len(), flaky=(~pl.col("steady")).sum()).sort("kind", "status"),
        "test_sizes": cases_per_prompt(given["prompts"], cases).group_by("tests").agg(prompts=pl.len()).sort("tests"),
        "pass_rates": rates.group_by("place").agg(responses=pl.len()).sort("place").select(
            low_share=(pl.col("place") / BINS).clip(0, 1), high_share=((pl.col("place") + 1) / BINS).clip(0, 1),
            responses="responses"),
    }


def _others(given: Mapping[str, pl.DataFrame], pairs: pl.DataFrame) -> list[str]:
    """The sources of cases that are no evidence of these pairs."""
    used = pairs.select(pl.col("evidence").list.eval(pl.element().struct.field("id"))).explode("evidence").unique()
    named = given["outcomes"].select("source", evidence=pl.format("{}/{}", "response_id", "test_id"))
    makers = set(named.join(used, on="evidence", how="semi")["source"]) if pairs.height else set()
    return sorted(set(given["test_cases"]["source"]) - makers) if makers else []


def _fitted(table: pl.DataFrame | None, columns: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """The table with its columns in their order and types; an empty one where there is none."""
    if table is None or not table.width:
        return pl.DataFrame(schema=columns)
    return table.select(*columns).cast(pl.Schema(columns))


def _named(found: pl.DataFrame, **columns: str) -> pl.DataFrame:
    return found.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def _stacked(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    parts = list(tables)
    return pl.concat(parts) if parts else pl.DataFrame()
