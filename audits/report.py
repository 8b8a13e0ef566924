"""Everything one build says about itself: facts for the card and the manifest, tables and figures for people."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from audits import accuracy, agreement, bias, cost, figures, funnel, pairs, testcase_figures, tested, votes, wins
from audits.bootstrap import DRAWS, resamples
from audits.testcases import cases_per_prompt, pass_rates
from feedback.jury.outcomes import pairwise
from feedback.testcases.outcomes import passes
from schemas import MEASUREMENTS, OUTCOMES, PREFERENCES, TABLES, TEST_CASES

DIGITS = 4
MONEY_DIGITS = 6
INPUTS = ("prompts", "responses", "completions", "judgments", "rankings", *tested.INPUTS, "preferences", "kept",
          "dropped", "funnel")
MONEY = ("cost", "cost_known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a build says about itself; a function of its tables, truth, draws and seed, and of nothing else."""

    facts: dict[str, Any]
    """JSON-able. `headline` (flat), `rows` by table, `cost_total`, and for each of `tables` its rows, floats rounded to
    four digits and money to six, null where there is no number; the keys are the same for every build."""
    tables: dict[str, pl.DataFrame]
    """The audits' tables by name, unrounded."""
    inputs: Mapping[str, pl.DataFrame]
    """The build's tables, which the figures draw from."""

    def figures(self) -> dict[str, bytes]:
        """PNG figures by name; those that would be empty are left out."""
        tables, kept = self.tables, self.inputs["kept"]
        found = {}
        for (aspect,), part in tables["judge_pairs"].sort("aspect").group_by("aspect", maintain_order=True):
            found[f"agreement_{aspect}"] = figures.agreement(part, str(aspect))
        if self.inputs["preferences"]["margin"].count():
            found["margins"] = figures.margins(self.inputs["preferences"], kept)
        if kept.height:
            found["lengths"] = figures.lengths(kept)
        if tables["position"].height:
            found["position"] = figures.position(tables["position"])
        if tables["funnel"].height:
            found["funnel"] = figures.funnel(tables["funnel"])
        if tables["win_matrix"].height:
            found["wins"] = figures.wins(tables["win_matrix"])
        return {**found, **self._tested_figures()}

    def _tested_figures(self) -> dict[str, bytes]:
        """Those of test cases."""
        outcomes, votes = self.inputs["outcomes"], self.tables["calibration"]
        if outcomes.is_empty():
            return {}
        sizes = cases_per_prompt(self.inputs["prompts"], self.inputs["test_cases"])
        found = {"tests_per_prompt": testcase_figures.cases_per_prompt(sizes),
                 "pass_rates": testcase_figures.pass_rates(pass_rates(passes(outcomes)))}
        return {**({"calibration": testcase_figures.calibration(votes)} if votes.height else {}), **found}


def report(tables: Mapping[str, pl.DataFrame], truth: pl.DataFrame | None = None, draws: int = DRAWS,
           seed: int = 0) -> Report:
    """The report of a build's tables (INPUTS; a missing one counts as empty).

    `truth` has prompt_id, response_id, quality (`audits.accuracy.truth_of` makes it). Intervals are 95 % percentile
    intervals of `draws` bootstrap draws over the prompts that appear in judgments, rankings or pairs.
    """
    given = {name: tables.get(name, _empty(name)) for name in INPUTS}
    audits = _audits(given, truth, draws, seed)
    rows = {name: table.height for name, table in given.items()}
    facts: dict[str, Any] = {
        "draws": draws, "seed": seed, "rows": rows, "headline": _headline(given, audits),
        "cost_total": cost.total(audits["cost"]),
        **{name: table.to_dicts() for name, table in audits.items()},
    }
    return Report(facts=_rounded(facts), tables=audits, inputs=given)


def _audits(given: Mapping[str, pl.DataFrame], truth: pl.DataFrame | None, draws: int,
            seed: int) -> dict[str, pl.DataFrame]:
    judgments, responses = given["judgments"], given["responses"]
    voted = ("judgments", "rankings", "preferences", "kept")
    picked = resamples(pl.concat([given[name]["prompt_id"] for name in voted]), draws, seed)
    outcomes = pairwise(judgments)
    met = wins.duels(given["rankings"], responses)
    of_pairs = {name: given[name] for name in ("preferences", "kept")}
    known = pl.DataFrame(schema=accuracy.TRUTH) if truth is None else truth
    scores = agreement.jury_scores(judgments, picked)
    dropped = given["dropped"].group_by("table", "reason").agg(pl.len().cast(pl.Int64).alias("rows"))
    return {
        "jury": pl.concat([agreement.jury(outcomes, picked), scores]),
        "judge_pairs": agreement.judge_pairs(outcomes, picked),
        "humans_and_jury": agreement.humans_and_jury(outcomes, picked),
        "votes": votes.rates(judgments, outcomes),
        "swaps": votes.swaps(judgments, picked),
        "position": bias.position(judgments, picked),
        "position_scores": bias.position_scores(judgments, picked),
        "length": bias.length(outcomes, responses, picked),
        "verbosity": bias.verbosity(*_with_truth(outcomes, truth), responses, picked),
        "self_preference": bias.self_preference(outcomes, judgments, responses, picked),
        "win_rates": wins.win_rates(met, picked),
        "win_matrix": wins.matrix(met, picked),
        "arms": wins.arms(wins.arm_duels(given["rankings"], responses), picked),
        "pairs": pairs.pairs(of_pairs, picked),
        "label_accuracy": accuracy.labels(of_pairs, known, picked),
        "judge_accuracy": accuracy.judges(accuracy.with_jury(outcomes), known, picked),
        "funnel": funnel.funnel(given["funnel"]),
        "lost": funnel.lost(given["funnel"]),
        "dropped": dropped.sort("table", "reason"),
        "cost": cost.cost(given["completions"]),
        **tested.tested(given, draws, seed),
    }


def _with_truth(outcomes: pl.DataFrame, truth: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The outcomes to test and the true ones: planted truth if there is any, else the people's majority."""
    if truth is not None:
        return outcomes, accuracy.true_outcomes(truth)
    human = pl.col("judge").str.starts_with(agreement.HUMAN)
    people = outcomes.filter(human).with_columns(judge=pl.lit("humans"))
    return outcomes.filter(~human), agreement.majority(people).drop("judge")


def _headline(given: Mapping[str, pl.DataFrame], audits: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """The numbers that a card begins with."""
    aspects = audits["jury"]["aspect"].unique().sort().to_list()
    aspect = "overall" if "overall" in aspects else next(iter(aspects), "")
    measures = audits["jury"].filter((pl.col("aspect") == aspect) & (pl.col("of") == "outcomes"))
    invalid = given["judgments"]["outcome"] == "invalid"
    balanced = audits["funnel"]["balanced"]
    return {
        "prompts": given["responses"]["prompt_id"].n_unique(), "responses": given["responses"].height,
        "votes": given["judgments"].height, "judges": given["judgments"]["judge"].n_unique(),
        "invalid_rate": invalid.mean(), "aspects": aspects, "aspect": aspect or None,
        "tie_rate": _tie_rate(audits["votes"]),
        **{name: _estimate(measures.filter(pl.col("measure") == name)) for name in agreement.MEASURES},
        "pairs": given["preferences"].height, "kept": given["kept"].height,
        "label_accuracy": _estimate(audits["label_accuracy"].filter(pl.col("table") == "kept")),
        "test_cases": given["test_cases"].height, "outcomes": given["outcomes"].height,
        **{name: _estimate(_standing(audits["standings"], name), "the truth is not known")
           for name in ("both_fail", "inverted")},
        "chosen_longer": _estimate(audits["pairs"].filter(pl.col("table") == "kept")),
        "cost": cost.total(audits["cost"])["cost"], "balanced": balanced.all() if len(balanced) else None,
    }


def _tie_rate(votes: pl.DataFrame) -> float | None:
    """The share of ties among the pairwise outcomes of all judges and aspects; None where there is none."""
    pairs = int(votes["pairs"].sum())
    return float((votes["pairs"] * votes["pair_tie_rate"]).sum()) / pairs if pairs else None


def _standing(standings: pl.DataFrame, name: str) -> pl.DataFrame:
    return standings.filter((pl.col("table") == "kept") & (pl.col("standing") == name))


def _estimate(rows: pl.DataFrame, why_not: str = "nobody voted") -> dict[str, Any]:
    names = ("value", "low", "high", "reason")
    found = rows.select(names).to_dicts()
    return found[0] if found else {**dict.fromkeys(names), "reason": why_not}


def _empty(name: str) -> pl.DataFrame:
    table = {"kept": PREFERENCES, "true_cases": TEST_CASES, "true_outcomes": OUTCOMES,
             "test_smells": MEASUREMENTS, "mutation": MEASUREMENTS}.get(name) or TABLES[name]
    return pl.DataFrame(pl.from_arrow(table.rows([])))


def _rounded(value: Any, digits: int = DIGITS) -> Any:
    """The value with floats of so many digits, so that its bytes are stable; NaN and infinity are null."""
    if isinstance(value, dict):
        return {key: _rounded(inner, MONEY_DIGITS if key in MONEY else DIGITS) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner, digits) for inner in value]
    if isinstance(value, float):
        return round(value, digits) + 0.0 if math.isfinite(value) else None
    return value
