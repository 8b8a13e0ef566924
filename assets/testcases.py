"""Stages of test-case feedback: programs and inputs, what came out, what is expected, and what that says together."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import polars as pl

from assets import tested_checks as checks
from assets import tested_views as views
from assets.dataset import CaseSource, InputSource, PreferenceDataset
from assets.generation import asked, snapshot
from assets.misuse import source_of
from assets.stage import Means, Output, Stage, Tables
from assets.views import replies
from feedback.testcases.answers import Answers
from feedback.testcases.execute import Runner
from feedback.testcases.generate import Generate
from feedback.testcases.given import Given, merged_inputs
from feedback.testcases.mutate import Mutate
from feedback.testcases.programs import Programs
from feedback.testcases.references import References
from feedback.testcases.runners import opened
from feedback.testcases.vote import Vote, agreement
from feedback.testcases.written import smells_of_inputs
from generators.made import Made
from generators.progress import Pace, Progress
from generators.turns import Errand
from schemas import COMPLETIONS, EXECUTIONS, MEASUREMENTS, OUTCOMES, PROGRAMS, TEST_CASES, TEST_INPUTS
from schemas.errors import ConfigError
from schemas.funnel import Count, count, summed, told_as

Wanted = TypeVar("Wanted")


def programs(operator: Programs) -> Stage:
    """The stage that finds the code in the responses."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("programs", operator(tables["prompts"], tables["responses"]))

    return Stage(name="programs", meaning=PROGRAMS.meaning, writes={"programs": PROGRAMS},
                 needs=("prompts", "responses"), make=make, show={"programs": views.programs},
                 checks=checks.PROGRAM_CHECKS, check=checks.check_programs)


def test_completions(dataset: PreferenceDataset) -> Stage:
    """The stage that asks models for test inputs, or for whole cases, and snapshots their replies."""
    writers: set[str] = set().union(*(writer.engines for writer in dataset.writers))

    def make(means: Means, tables: Tables) -> Output:
        errands = [Errand(plan=partial(writer.plan, tables["prompts"]), parse=writer.parse)
                   for writer in dataset.writers]
        return snapshot("test_completions", asked(dataset, means, errands, writers))

    return Stage(name="test_completions", meaning="the raw replies of the models that write test inputs and cases",
                 writes={"test_completions": COMPLETIONS}, needs=("prompts",), make=make,
                 show={"test_completions": replies("test_completions")}, engines=frozenset(writers))


def test_inputs(dataset: PreferenceDataset) -> Stage:
    """The stage that reads the inputs out of the replies and the prompts, and mutates them; calls no model."""
    smells = {"test_smells": MEASUREMENTS} if dataset.writes_tests else {}

    def make(means: Means, tables: Tables) -> Output:
        made = [_inputs(part, means, tables) for part in dataset.written_inputs if not isinstance(part, Mutate)]
        written = merged_inputs([one.table for one in made]).table
        made += [part(written) for part in dataset.written_inputs if isinstance(part, Mutate)]
        counts = summed(row for one in made for row in one.counts)
        every = merged_inputs([one.table for one in made])
        if len(made) > 1:
            counts += told_as("test_inputs, together", every.counts)
        if not smells:
            return Output(tables={"test_inputs": every.table}, counts=counts)
        told = smells_of_inputs(tables["prompts"], every.table)
        return Output(tables={"test_inputs": every.table, "test_smells": told.table},
                      counts=[*counts, *told_as("test_inputs, smells", told.counts)])

    return Stage(name="test_inputs", meaning=TEST_INPUTS.meaning, writes={"test_inputs": TEST_INPUTS, **smells},
                 needs=("prompts", *written_replies(dataset)), make=make,
                 show={"test_inputs": views.test_inputs, "test_smells": views.test_smells},
                 checks=checks.INPUT_CHECKS, check=checks.check_inputs)


def executions(dataset: PreferenceDataset) -> Stage:
    """The stage that runs every program on every input of its prompt, or reads the answers that are stated.

    What was run before is not run again. CPU times go to run.json: they are measurements, and no two builds agree.
    """
    operator = dataset.executions

    def make(means: Means, tables: Tables) -> Output:
        if isinstance(operator, Answers):
            return Output.of("executions", operator(tables["responses"]))
        running = needed(operator)
        with opened(needed(dataset.programs).language, running) as runner:
            made = running(tables["programs"], tables["test_inputs"], means.runs, runner, telling(means))
        return Output(tables={"executions": timeless(made.table)}, counts=made.counts,
                      spent={"cpu_ms": cpu_ms(made.table)})

    read = ("responses",) if isinstance(operator, Answers) else ("programs",)
    return Stage(name="executions", meaning=EXECUTIONS.meaning, writes={"executions": EXECUTIONS},
                 needs=("prompts", *read, "test_inputs"), make=make, show={"executions": views.executions},
                 checks=checks.RUN_CHECKS, check=checks.check_runs)


def test_cases(dataset: PreferenceDataset) -> Stage:
    """The stage that says what is expected of each input: by vote, by models, people or references."""

    def make(means: Means, tables: Tables) -> Output:
        made = [(source_of(part), cases_of(part, dataset, means, tables)) for part in dataset.case_sources]
        several = len(made) > 1
        counts: list[Count] = []
        for source, one in made:
            counts += told_as(f"test_cases, {source}", one.counts) if several else one.counts
        cases = made[0][1].table
        if several:
            every = pl.concat([one.table for _, one in made])
            cases = agreement(every.unique("test_id", keep="first", maintain_order=True))
            counts += count("test_cases, together", "cases", every.height, out=cases.height,
                            dropped=+Counter({"duplicate": every.height - cases.height}))
        for number, rule in enumerate(dataset.case_rules, 1):
            kept = rule(cases)
            cases = kept.table
            counts += told_as(f"test_cases, rule {number}", kept.counts)
        return Output(tables={"test_cases": cases.sort("test_id")}, counts=summed(counts))

    referring = any(isinstance(part, References) for part in dataset.case_sources)
    read = ("programs",) if referring and dataset.programs else ()
    return Stage(name="test_cases", meaning=TEST_CASES.meaning, writes={"test_cases": TEST_CASES},
                 needs=("prompts", *read, *written_replies(dataset), "test_inputs", "executions"), make=make,
                 show={"test_cases": views.test_cases("test_cases")}, checks=checks.CASE_CHECKS,
                 check=checks.check_cases)


def outcomes(dataset: PreferenceDataset) -> Stage:
    """The stage that joins executions with cases; computes and runs nothing."""
    operator = needed(dataset.outcomes)

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("outcomes", operator(tables["executions"], tables["test_cases"]))

    return Stage(name="outcomes", meaning=OUTCOMES.meaning, writes={"outcomes": OUTCOMES},
                 needs=("test_inputs", "executions", "test_cases"), make=make,
                 show={"outcomes": views.outcomes("outcomes")},
                 checks=checks.OUTCOME_CHECKS, check=checks.check_outcomes)


def _inputs(part: InputSource, means: Means, tables: Tables) -> Made:
    if isinstance(part, Generate):
        return part.test_inputs(tables["prompts"], tables["test_completions"], means.engines)
    return part.test_inputs(tables["prompts"]) if isinstance(part, Given) else part(tables["prompts"])


def cases_of(part: CaseSource, dataset: PreferenceDataset, means: Means, tables: Tables,
             runner: Runner | None = None) -> Made:
    """The cases of one part of the recipe; `runner` is a sandbox to run references in."""
    if isinstance(part, Vote):
        return part(tables["executions"])
    if isinstance(part, Generate):
        return part.test_cases(tables["prompts"], tables["test_completions"], means.engines)
    if isinstance(part, Given):
        return part.test_cases(tables["prompts"])
    if isinstance(dataset.executions, Answers):
        return part.stated(tables["prompts"], dataset.executions)
    return part.outputs(tables["prompts"], tables["test_inputs"], needed(dataset.programs), needed(dataset.executions),
                        means.runs, runner, telling(means))


def written_replies(dataset: PreferenceDataset) -> tuple[str, ...]:
    """The table of raw replies, where models write inputs or cases."""
    return ("test_completions",) if dataset.writers else ()


def cpu_ms(table: pl.DataFrame) -> float:
    """CPU milliseconds of all runs, those that were made for another build included."""
    return round(float(table["cpu_ms"].sum()), 3)


def timeless(table: pl.DataFrame) -> pl.DataFrame:
    """Executions without what was measured, which would make two builds of one recipe differ."""
    return table.with_columns(cpu_ms=pl.lit(None, pl.Float64))


def telling(means: Means) -> Callable[[int, int], None]:
    """What to call with runs done and planned, the first time with those that were known before."""
    pace, known = Pace(time.monotonic()), list[int]()

    def tell(done: int, planned: int) -> None:
        if not known:
            known.append(done)
        if means.progress is not None:
            per_s = pace.per_s(time.monotonic(), done - known[0])
            means.progress(Progress(
                done=done, planned=planned, from_store=known[0], failed=0, invalid=0, tokens_out=0, cost=None,
                per_s=per_s, left_s=(planned - done) / per_s if per_s else None, engines={}, unit="runs"))

    return tell


def needed(value: Wanted | None) -> Wanted:
    """The value of a keyword that the recipe's checks have made sure of."""
    if value is None:
        raise ConfigError("a stage was made for a keyword that is not given")
    return value
