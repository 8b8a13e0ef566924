"""The stage that knows better: responses on tests that made no label, so that labels and votes can be measured."""

from contextlib import ExitStack
from dataclasses import replace

import polars as pl

from assets import tested_views as views
from assets.dataset import PreferenceDataset
from assets.repaired import repaired, with_repairs
from assets.stage import Means, Output, Stage, Tables
from assets.testcases import cases_of, cpu_ms, needed, telling, timeless, written_replies
from feedback.testcases.execute import Execute, Runner
from feedback.testcases.given import Given
from feedback.testcases.references import References
from feedback.testcases.runners import opened
from generators.made import Made
from schemas import EXECUTIONS, OUTCOMES, STEPS, TEST_CASES, TEST_INPUTS
from schemas.funnel import summed, told_as
from schemas.table import Table


def truth(dataset: PreferenceDataset, source: References | Given) -> Stage:
    """The stage that runs responses on inputs that labels never saw, and compares all outputs with what is true."""
    hidden = source if isinstance(source, Given) else source.hidden
    judge = needed(dataset.outcomes)

    def make(means: Means, tables: Tables) -> Output:
        with ExitStack() as held:
            runner = _sandbox(dataset, held)
            unseen = _unseen(hidden, tables)
            ran = _run(dataset, means, tables, unseen.table, runner)
            inputs = pl.concat([tables["test_inputs"], unseen.table])
            cases = cases_of(source, dataset, means, {**tables, "test_inputs": inputs}, runner)
            found = judge(pl.concat([with_repairs(tables, "executions"), timeless(ran.table)]), cases.table)
            worth = _true_steps(dataset, means, tables, cases.table)
        told: dict[str, Made] = {"test_inputs": unseen, "executions": ran, "test_cases": cases, "outcomes": found,
                                 **({"steps": worth} if worth else {})}
        counts = summed(row for name, made in told.items() for row in told_as(f"true_outcomes, {name}", made.counts))
        return Output(tables={"true_outcomes": found.table, "true_cases": cases.table,
                              **({"true_steps": worth.table} if worth else {})},
                      counts=counts, spent={"cpu_ms": cpu_ms(ran.table)})

    read = ("programs", *repaired(dataset, "programs")) if dataset.programs else ()
    begun = ("responses", "steps", "step_completions", "rollout_executions") if dataset.steps else ()
    worth = {"true_steps": STEPS} if dataset.steps else {}
    return Stage(name="true_outcomes", meaning="responses on tests that make no label, to measure the labels by",
                 writes={"true_outcomes": OUTCOMES, "true_cases": TEST_CASES, **worth},
                 needs=("prompts", *read, *written_replies(dataset), "test_inputs", "executions",
                        *repaired(dataset, "executions"), *begun), make=make,
                 show={"true_outcomes": views.outcomes("true_outcomes", "true_cases"),
                       "true_cases": views.test_cases("true_cases")})


def _unseen(hidden: Given | None, tables: Tables) -> Made:
    """The inputs of the truth alone."""
    if hidden is None:
        return Made(_empty(TEST_INPUTS), [])
    made = hidden.test_inputs(tables["prompts"])
    return Made(made.table.join(tables["test_inputs"], on="input_id", how="anti"), made.counts)


def _run(dataset: PreferenceDataset, means: Means, tables: Tables, inputs: pl.DataFrame,
         runner: Runner | None) -> Made:
    """The responses' programs on these inputs."""
    if not isinstance(dataset.executions, Execute) or inputs.is_empty():
        return Made(_empty(EXECUTIONS), [])
    return dataset.executions(with_repairs(tables, "programs"), inputs, means.runs, runner, telling(means))


def _true_steps(dataset: PreferenceDataset, means: Means, tables: Tables, cases: pl.DataFrame) -> Made | None:
    """The beginnings of answers valued by what is true of the outputs there are; None where no beginning is valued."""
    operator = dataset.steps
    if operator is None:
        return None
    begun = tables["steps"]
    links = operator.complete.links(tables["prompts"], tables["responses"], begun, tables["step_completions"],
                                    means.engines)
    told = needed(dataset.outcomes)(tables["rollout_executions"], cases)
    return replace(operator.value, sources=None)(begun, links, told.table)


def _sandbox(dataset: PreferenceDataset, held: ExitStack) -> Runner | None:
    """One runner for all that the stage runs; None where nothing runs."""
    operator = dataset.executions
    if not isinstance(operator, Execute):
        return None
    return held.enter_context(opened(needed(dataset.programs).language, operator))


def _empty(table: Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows([])))
