"""Stages that label: candidate pairs, the filters' survivors, single labels and ranked lists."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from assets import views
from assets.chatlogs import preferences as preferences_by_events
from assets.checks import KEPT_CHECKS, PAIR_CHECKS, check_kept, check_pairs
from assets.dataset import PreferenceDataset
from assets.repaired import repaired, with_repairs
from assets.stage import Means, Output, Stage, Tables
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
from preferences.by_steps import PairBySteps, beginnings
from preferences.by_tests import PairByTests
from preferences.lists import Lists
from preferences.unpaired import Unpaired
from preferences.unpaired_by_tests import UnpairedByTests
from schemas import DROPPED, LISTS, PREFERENCES, UNPAIRED
from schemas.funnel import told_as
from schemas.table import Table


def preferences(dataset: PreferenceDataset) -> Stage:
    """The stage that pairs the responses."""
    if isinstance(dataset.preferences, PairByTests):
        return _preferences_by_tests(dataset, dataset.preferences)
    if isinstance(dataset.preferences, PairBySteps):
        return _preferences_by_steps(dataset.preferences)
    if isinstance(dataset.preferences, PairByEvents):
        return preferences_by_events(dataset.preferences)
    operator = dataset.preferences
    voted = (*(("rankings",) if dataset.rankings else ()), *(("judgments",) if dataset.judged else ()))

    def make(_: Means, tables: Tables) -> Output:
        rankings, judgments = tables.get("rankings"), tables.get("judgments")
        return Output.of("preferences",
                         operator(tables["prompts"], tables["responses"], rankings, judgments))

    return Stage(name="preferences", meaning="candidate pairs, before the filters", writes={"preferences": PREFERENCES},
                 needs=("prompts", "responses", *voted), make=make,
                 show={"preferences": views.pairs("preferences")}, checks=PAIR_CHECKS, check=check_pairs)


def _preferences_by_tests(dataset: PreferenceDataset, operator: PairByTests) -> Stage:
    """The stage that pairs the responses by the tests they pass."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("preferences", operator(tables["prompts"], with_repairs(tables, "responses"),
                                                 with_repairs(tables, "outcomes")))

    return Stage(name="preferences", meaning="candidate pairs, before the filters", writes={"preferences": PREFERENCES},
                 needs=("prompts", "responses", "outcomes", *repaired(dataset, "responses", "outcomes")), make=make,
                 show={"preferences": views.pairs("preferences")}, checks=TESTED_PAIR_CHECKS,
                 check=pair_checker(operator))


def _preferences_by_steps(operator: PairBySteps) -> Stage:
    """The stage that pairs beginnings of responses by what their completions came to."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("preferences", operator(tables["prompts"], tables["responses"], tables["steps"]))

    return Stage(name="preferences", meaning="candidate pairs, before the filters", writes={"preferences": PREFERENCES},
                 needs=("prompts", "responses", "steps"), make=make,
                 show={"preferences": views.pairs("preferences")}, checks=STEP_PAIR_CHECKS, check=check_step_pairs)


def kept(dataset: PreferenceDataset) -> Stage:
    """The stage that filters the candidates; kept and dropped are made in one pass."""

    def make(_: Means, tables: Tables) -> Output:
        result = apply(dataset.kept, tables["preferences"], _sides(dataset, tables))
        return Output(tables={"kept": result.kept, "dropped": result.dropped}, counts=result.counts)

    tested = isinstance(dataset.preferences, PairByTests)
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
    if isinstance(dataset.preferences, PairBySteps):
        return beginnings(tables["responses"], tables["steps"])
    return with_repairs(tables, "responses")


def _of_one_answer(rules: Sequence[Rule]) -> list[ResponseRule]:
    return [rule for rule in rules if isinstance(rule, ResponseRule)]
