"""Stages that label: candidate pairs, the filters' survivors, single labels and ranked lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from assets import views
from assets.chatlogs import preferences as preferences_by_events
from assets.checks import KEPT_CHECKS, PAIR_CHECKS, check_kept, check_pairs
from assets.dataset import Pairing, PreferenceDataset
from assets.repaired import repaired, with_repairs
from assets.stage import Check, CheckSpec, Means, Output, Stage, Tables
from assets.testcases import needed
from assets.tested_checks import (
    STEP_PAIR_CHECKS,
    TESTED_LABEL_CHECKS,
    TESTED_PAIR_CHECKS,
    check_step_pairs,
    label_checker,
    pair_checker,
)
from filters.rule import Kept, ResponseRule, Rule, apply, apply_lists, apply_unpaired
from preferences.by_events import PairByEvents
from preferences.by_steps import POLICY as BY_STEPS
from preferences.by_steps import PairBySteps, beginnings
from preferences.by_tests import POLICY as BY_TESTS
from preferences.by_tests import PairByTests
from preferences.lists import Lists
from preferences.unpaired import Unpaired
from preferences.unpaired_by_tests import UnpairedByTests
from schemas import DROPPED, LISTS, PREFERENCES, UNPAIRED
from schemas.funnel import told_as
from schemas.table import Table


def preferences(dataset: PreferenceDataset) -> Stage:
    """The stage that pairs the responses, or their beginnings, or both."""
    if len(dataset.pairings) == 1:
        return _pairing(dataset, dataset.pairings[0])
    return _together({BY_STEPS if isinstance(part, PairBySteps) else BY_TESTS: _pairing(dataset, part)
                      for part in dataset.pairings})


def _pairing(dataset: PreferenceDataset, operator: Pairing) -> Stage:
    """The stage of one kind of pairs."""
    if isinstance(operator, PairByTests):
        return _preferences_by_tests(dataset, operator)
    if isinstance(operator, PairBySteps):
        return _preferences_by_steps(operator)
    if isinstance(operator, PairByEvents):
        return preferences_by_events(operator)
    voted = (*(("rankings",) if dataset.rankings else ()), *(("judgments",) if dataset.judged else ()))

    def make(_: Means, tables: Tables) -> Output:
        rankings, judgments = tables.get("rankings"), tables.get("judgments")
        return Output.of("preferences",
                         operator(tables["prompts"], tables["responses"], rankings, judgments))

    return _paired(("prompts", "responses", *voted), make, PAIR_CHECKS, check_pairs)


def _preferences_by_tests(dataset: PreferenceDataset, operator: PairByTests) -> Stage:
    """The stage that pairs the responses by the tests they pass."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("preferences", operator(tables["prompts"], with_repairs(tables, "responses"),
                                                 with_repairs(tables, "outcomes")))

    return _paired(("prompts", "responses", "outcomes", *repaired(dataset, "responses", "outcomes")), make,
                   TESTED_PAIR_CHECKS, pair_checker(operator))


def _preferences_by_steps(operator: PairBySteps) -> Stage:
    """The stage that pairs beginnings of responses by what their completions came to."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("preferences", operator(tables["prompts"], tables["responses"], tables["steps"]))

    return _paired(("prompts", "responses", "steps"), make, STEP_PAIR_CHECKS, check_step_pairs)


def _paired(needs: tuple[str, ...], make: Callable[[Means, Tables], Output], checks: tuple[CheckSpec, ...],
            check: Callable[[Tables], Sequence[Check]]) -> Stage:
    return Stage(name="preferences", meaning="candidate pairs, before the filters", writes={"preferences": PREFERENCES},
                 needs=needs, make=make, show={"preferences": views.pairs("preferences")}, checks=checks, check=check)


def _together(stages: Mapping[str, Stage]) -> Stage:
    """The stage that makes pairs by several policies, each of which checks its own."""

    def make(means: Means, tables: Tables) -> Output:
        made = {policy: needed(stage.make)(means, tables) for policy, stage in stages.items()}
        rows = pl.concat([one.tables["preferences"] for one in made.values()]).sort("pair_id")
        counts = [row for policy, one in made.items() for row in told_as(f"preferences, {policy}", one.counts)]
        return Output(tables={"preferences": rows}, counts=counts)

    def check(tables: Tables) -> list[Check]:
        pairs = tables["preferences"]
        return [one for policy, stage in stages.items() for one in needed(stage.check)(
            {**tables, "preferences": pairs.filter(pl.col("policy") == policy)})]

    return _paired(tuple(dict.fromkeys(name for stage in stages.values() for name in stage.needs)), make,
                   tuple(spec for stage in stages.values() for spec in stage.checks), check)


def kept(dataset: PreferenceDataset) -> Stage:
    """The stage that filters the candidates; kept and dropped are made in one pass."""

    def make(_: Means, tables: Tables) -> Output:
        result = apply(dataset.kept, tables["preferences"], _sides(dataset, tables))
        return Output(tables={"kept": result.kept, "dropped": result.dropped}, counts=result.counts)

    tested = any(isinstance(part, PairByTests) for part in dataset.pairings)
    votes = (*(("judgments",) if dataset.judged else ()), *(("outcomes",) if tested else ()),
             *(("steps",) if dataset.steps else ()), *repaired(dataset, "responses"))
    return Stage(name="kept", meaning="the pairs that pass every filter",
                 writes={"kept": PREFERENCES, "dropped": DROPPED},
                 needs=("prompts", "preferences", "responses", *votes), make=make,
                 show={"kept": views.pairs("kept"), "dropped": views.dropped("dropped")},
                 checks=KEPT_CHECKS, check=check_kept)


def unpaired(dataset: PreferenceDataset, operator: Unpaired | UnpairedByTests) -> Stage:
    """The stage that labels single answers good or bad, and filters them by the rules that concern one answer."""
    stage = _filtered(dataset, operator, UNPAIRED, apply_unpaired, views.unpaired)
    if isinstance(operator, Unpaired):
        return stage
    return replace(stage, checks=TESTED_LABEL_CHECKS, check=label_checker(operator))


def lists(dataset: PreferenceDataset, operator: Lists) -> Stage:
    """The stage that lists a prompt's answers best first, without those that a rule for one answer removes."""
    return _filtered(dataset, operator, LISTS, apply_lists, views.lists)


def _filtered(dataset: PreferenceDataset, operator: Unpaired | UnpairedByTests | Lists, table: Table,
              apply_rules: Callable[[Sequence[Rule], pl.DataFrame, pl.DataFrame], Kept], show: views.View) -> Stage:
    """The stage that makes a table of labels and filters it in one go; what it drops is a table beside it."""
    name, gone = table.name, f"{table.name}_dropped"
    tested = isinstance(operator, UnpairedByTests)
    scores = "outcomes" if tested else "rankings"
    more = repaired(dataset, "responses", "outcomes") if tested else ()

    def make(_: Means, tables: Tables) -> Output:
        responses = with_repairs(tables, "responses") if tested else tables["responses"]
        made = operator(tables["prompts"], responses, with_repairs(tables, scores) if tested else tables[scores])
        result = apply_rules(_of_one_answer(dataset.kept), made.table, responses)
        return Output(tables={name: result.kept, gone: result.dropped},
                      counts=[*made.counts, *told_as(f"{name}, filtered", result.counts)])

    return Stage(name=name, meaning=table.meaning, writes={name: table, gone: DROPPED},
                 needs=("prompts", "responses", scores, *more), make=make,
                 show={name: show, gone: views.dropped(gone)})


def _sides(dataset: PreferenceDataset, tables: Tables) -> pl.DataFrame:
    """What the sides of pairs are: responses, or beginnings of them."""
    whole, begun = with_repairs(tables, "responses"), any(isinstance(part, PairBySteps) for part in dataset.pairings)
    return pl.concat([whole, beginnings(tables["responses"], tables["steps"])]) if begun else whole


def _of_one_answer(rules: Sequence[Rule]) -> list[ResponseRule]:
    return [rule for rule in rules if isinstance(rule, ResponseRule)]
