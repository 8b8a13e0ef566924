"""Stages that ask models again once tests are known: beginnings of answers completed and valued, answers repaired."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from assets import later_views as views
from assets.checks import share_of
from assets.dataset import PreferenceDataset
from assets.generation import asked, reply_counts
from assets.repaired import REPAIRED, repaired, with_repairs
from assets.stage import CheckSpec, Means, Output, Stage, Tables
from assets.testcases import cpu_ms, needed, telling, timeless
from feedback.testcases.answers import Answers
from feedback.testcases.keep_correct import KeepCorrect
from feedback.testcases.loops import Repairs, Steps
from feedback.testcases.repair import changed, utility
from feedback.testcases.reports import BAD
from feedback.testcases.runners import opened
from generators.made import Made
from generators.turns import Errand
from schemas import COMPLETIONS, CRITIQUES, EXECUTIONS, MEASUREMENTS, OUTCOMES, PROGRAMS, RESPONSES, STEPS
from schemas.funnel import Count, summed, told_as
from schemas.table import Table

STEP_CHECKS = (
    CheckSpec(name="most_steps_have_a_value", meaning="of at most 10 % of the beginnings has no completion a label",
              blocking=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Answers that were made later, run on the tests there are."""

    programs: pl.DataFrame
    executions: pl.DataFrame
    outcomes: pl.DataFrame
    counts: list[Count]
    cpu_ms: float


def steps(dataset: PreferenceDataset, operator: Steps) -> Stage:
    """The stage that cuts answers, lets models complete their beginnings, runs the completions and values them."""

    def make(means: Means, tables: Tables) -> Output:
        prompts, responses = tables["prompts"], tables["responses"]
        begun = operator.cut(responses.filter(pl.col("role") == "candidate"), tables["outcomes"])
        errand = Errand(plan=partial(operator.complete.plan, prompts, responses, begun.table),
                        parse=operator.complete.parse)
        replies = asked(dataset, means, [errand], operator.complete.engines)
        rollouts = operator.complete.responses(prompts, responses, begun.table, replies, means.engines)
        links = operator.complete.links(prompts, responses, begun.table, replies, means.engines)
        ran = tried(dataset, means, tables, rollouts.table, "steps")
        valued = operator.value(begun.table, links, ran.outcomes)
        counts = [*begun.counts, *reply_counts("step_completions", replies), *told_as("rollouts", rollouts.counts),
                  *ran.counts, *told_as("steps, values", valued.counts)]
        return Output(tables={"steps": valued.table, "step_completions": replies, "rollouts": rollouts.table,
                              "rollout_executions": ran.executions, "rollout_outcomes": ran.outcomes},
                      counts=summed(counts), spent={"cpu_ms": ran.cpu_ms})

    return Stage(name="steps", meaning="beginnings of answers, and what completions of them come to", writes={
                     "steps": STEPS, "step_completions": COMPLETIONS, "rollouts": RESPONSES,
                     "rollout_executions": EXECUTIONS, "rollout_outcomes": OUTCOMES},
                 needs=("prompts", "responses", "test_inputs", "test_cases", "outcomes"), make=make,
                 show={"steps": views.steps, "rollouts": views.rollouts}, engines=frozenset(operator.complete.engines),
                 checks=STEP_CHECKS, check=lambda tables: [share_of(
                     STEP_CHECKS[0].name, tables["steps"]["value"].null_count(), tables["steps"].height, 0.1,
                     "beginnings have no value")])


def correct(dataset: PreferenceDataset, operator: KeepCorrect) -> Stage:
    """The stage that keeps the answers, and repairs, that pass every test."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("correct", operator(with_repairs(tables, "responses"), with_repairs(tables, "outcomes")))

    return Stage(name="correct", meaning="answers that pass every test, to fine-tune on", writes={"correct": RESPONSES},
                 needs=("prompts", "responses", "outcomes", *repaired(dataset, "responses", "outcomes")), make=make,
                 show={"correct": views.correct})


def repairs(dataset: PreferenceDataset, operator: Repairs) -> Stage:
    """The stage that reports to models what the tests say, and lets them repair their answers, round after round."""

    def make(means: Means, tables: Tables) -> Output:
        loop = _Loop(dataset=dataset, operator=operator, means=means, tables=tables)
        fresh = {name: tables.get(name, _empty(PROGRAMS)) for name in REPAIRED}
        fresh["responses"] = fresh["responses"].filter(pl.col("role") == "candidate")
        for number in range(1, operator.repair.rounds + 1):
            fresh = loop.round(number, fresh)
        return loop.output()

    programs = {"repair_programs": PROGRAMS} if dataset.programs else {}
    read = ("programs",) if dataset.programs else ()
    return Stage(name="repairs", meaning="answers that models made of their failed ones, from what the tests said",
                 writes={"repairs": RESPONSES, "critiques": CRITIQUES, "repair_completions": COMPLETIONS, **programs,
                         "repair_executions": EXECUTIONS, "repair_outcomes": OUTCOMES, "measurements": MEASUREMENTS},
                 needs=("prompts", "responses", *read, "test_inputs", "executions", "test_cases", "outcomes"),
                 make=make, show={"repairs": views.repairs, "critiques": views.critiques},
                 engines=frozenset(operator.repair.engines))


@dataclass(slots=True, kw_only=True)
class _Loop:
    """Rounds of repair, and all that they made so far."""

    dataset: PreferenceDataset
    operator: Repairs
    means: Means
    tables: Tables
    made: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    counts: list[Count] = field(default_factory=list)
    cpu_ms: float = 0.0

    def round(self, number: int, fresh: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Report on answers, have those that failed repaired, and run the repairs, which are the next round's."""
        repair, prompts, step = self.operator.repair, self.tables["prompts"], f"repairs, round {number}"
        told = self.operator.report(fresh["responses"], fresh["outcomes"], self.tables["test_cases"],
                                    self.tables["test_inputs"], fresh["executions"], fresh["programs"])
        bad = told.table.filter(pl.col("text").str.starts_with(BAD))
        errand = Errand(plan=partial(repair.plan, prompts, fresh["responses"], bad), parse=repair.parse)
        replies = asked(self.dataset, self.means, [errand], repair.engines if bad.height else set())
        made = repair.responses(prompts, fresh["responses"], bad, replies, self.means.engines)
        ran = tried(self.dataset, self.means, self.tables, made.table, step)
        found = {"responses": made.table, "programs": ran.programs, "executions": ran.executions,
                 "outcomes": ran.outcomes}
        for name, table in {**found, "critiques": told.table, "completions": replies}.items():
            self.made.setdefault(name, []).append(table)
        self.counts += [*told_as(f"{step}, reports", told.counts), *told_as(step, made.counts), *ran.counts]
        self.cpu_ms += ran.cpu_ms
        return found

    def output(self) -> Output:
        """All rounds together; a critique's score is what it was worth."""
        every = {name: pl.concat(parts) for name, parts in self.made.items()}
        replies = every["completions"].unique(list(COMPLETIONS.key), keep="first", maintain_order=True)
        worth = utility(every["critiques"], every["responses"], every["outcomes"])
        answered = self._changed(every)
        tables = {"repairs": every["responses"].sort("response_id"), "critiques": worth.table,
                  "repair_completions": replies.sort(list(COMPLETIONS.key)),
                  "repair_executions": every["executions"].sort("response_id", "input_id"),
                  "repair_outcomes": every["outcomes"].sort("response_id", "test_id"),
                  "measurements": answered.table,
                  **({"repair_programs": every["programs"].sort("response_id")} if self.dataset.programs else {})}
        return Output(tables=tables, counts=summed([
            *self.counts, *reply_counts("repair_completions", replies), *told_as("critiques, worth", worth.counts),
            *told_as("measurements", answered.counts)]), spent={"cpu_ms": self.cpu_ms})

    def _changed(self, every: Mapping[str, pl.DataFrame]) -> Made:
        """Whether a repair's program, or its stated answer, is another one than its parent's."""
        if self.dataset.programs:
            keys = pl.concat([self.tables["programs"], every["programs"]]).select("response_id", key="program_id")
        else:
            keys = pl.concat([self.tables["executions"], every["executions"]]).select("response_id", key="output")
        return changed(every["responses"], keys)


def tried(dataset: PreferenceDataset, means: Means, tables: Tables, responses: pl.DataFrame, step: str) -> Tried:
    """Run answers like the first ones, on the same inputs, and hold them to the same cases."""
    operator, judge = dataset.executions, needed(dataset.outcomes)
    found = Made(_empty(PROGRAMS), [])
    if isinstance(operator, Answers):
        ran = operator(responses)
    else:
        found = needed(dataset.programs)(tables["prompts"], responses)
        running = needed(operator)
        with opened(needed(dataset.programs).language, running) as runner:
            ran = running(found.table, tables["test_inputs"], means.runs, runner, telling(means))
    told = judge(ran.table, tables["test_cases"])
    own = [row for row in told.counts if row.unit == "outcomes"]
    counts = [*told_as(f"{step}, programs", found.counts), *told_as(f"{step}, executions", ran.counts),
              *told_as(f"{step}, outcomes", own)]
    return Tried(programs=found.table, executions=timeless(ran.table), outcomes=told.table, counts=counts,
                 cpu_ms=cpu_ms(ran.table))


def _empty(table: Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows([])))
