"""The stage of hints: a tutor writes them, and those stay with which a weak student repairs more than without."""

from collections import Counter
from dataclasses import replace
from functools import partial

import polars as pl

from assets import later_views as views
from assets.dataset import PreferenceDataset
from assets.generation import asked, reply_counts
from assets.later import tried
from assets.stage import Means, Output, Stage, Tables
from feedback.testcases.hints import uplift
from feedback.testcases.loops import Hints
from feedback.testcases.repair import Repair
from feedback.testcases.reports import BAD
from generators.made import Made
from generators.turns import Errand
from schemas import COMPLETIONS, CRITIQUES, EXECUTIONS, OUTCOMES, PROGRAMS, RESPONSES
from schemas.funnel import count, summed, told_as


def hints(dataset: PreferenceDataset, operator: Hints) -> Stage:
    """The stage that reports what failed to a tutor, and tries its hints on a student, who also repairs without."""

    def make(means: Means, tables: Tables) -> Output:
        failed = _failed(operator, tables)
        replies, written = _written(dataset, operator, means, tables, failed.table)
        tries = [_repaired(dataset, student, means, tables, written.table)
                 for student in (operator.student, replace(operator.student, told=False))]
        repairs = pl.concat([one.table for _, one in tries]).sort("response_id")
        ran = tried(dataset, means, tables, repairs, "hint_repairs")
        worth = uplift(written.table, repairs, ran.outcomes)
        kept = operator.keep(written.table, worth)
        every = pl.concat([replies, *(one for one, _ in tries)]).unique(list(COMPLETIONS.key), keep="first",
                                                                        maintain_order=True)
        counts = [*told_as("hints, reports", failed.counts), *told_as("hints, written", written.counts),
                  *(row for _, one in tries for row in told_as("hint_repairs", one.counts)), *ran.counts,
                  *told_as("hints", kept.counts), *reply_counts("hint_completions", every)]
        return Output(tables={
            "hints": kept.table, "tutored": written.table.drop("score").join(worth.select(
                "critique_id", score="uplift"), on="critique_id").select(written.table.columns).sort("critique_id"),
            "hint_completions": every.sort(list(COMPLETIONS.key)), "hint_repairs": repairs,
            "hint_executions": ran.executions, "hint_outcomes": ran.outcomes,
            **({"hint_programs": ran.programs} if dataset.programs else {})},
            counts=summed(counts), spent={"cpu_ms": ran.cpu_ms})

    programs = {"hint_programs": PROGRAMS} if dataset.programs else {}
    return Stage(name="hints", meaning="hints with which a weak student repairs more answers than without", writes={
                     "hints": CRITIQUES, "tutored": CRITIQUES, "hint_completions": COMPLETIONS,
                     "hint_repairs": RESPONSES, **programs, "hint_executions": EXECUTIONS, "hint_outcomes": OUTCOMES},
                 needs=("prompts", "responses", *(("programs",) if dataset.programs else ()), "test_inputs",
                        "executions", "test_cases", "outcomes"), make=make,
                 show={"hints": views.hints, "tutored": views.tutored},
                 engines=frozenset(operator.tutor.engines | operator.student.engines))


def _failed(operator: Hints, tables: Tables) -> Made:
    """Reports of the candidates that fail a test; equal answers to a prompt are one."""
    answers = tables["responses"].filter(pl.col("role") == "candidate").sort("response_id")
    single = answers.unique(["prompt_id", "text_digest"], keep="first", maintain_order=True)
    programs = tables.get("programs", pl.DataFrame(pl.from_arrow(PROGRAMS.rows([]))))
    told = operator.report(single, tables["outcomes"], tables["test_cases"], tables["test_inputs"],
                           tables["executions"], programs)
    bad = told.table.filter(pl.col("text").str.starts_with(BAD))
    dropped = Counter({"identical": answers.height - single.height})
    return Made(bad, [*count("hints", "candidates", answers.height, out=single.height, dropped=+dropped), *told.counts,
                      *count("hints", "reports", told.table.height, out=bad.height,
                             dropped=+Counter({"passes": told.table.height - bad.height}))])


def _written(dataset: PreferenceDataset, operator: Hints, means: Means, tables: Tables,
             reports: pl.DataFrame) -> tuple[pl.DataFrame, Made]:
    """The tutor's replies, and the hints in them."""
    given, tutor = (tables["prompts"], tables["responses"], reports), operator.tutor
    errand = Errand(plan=partial(tutor.plan, *given), parse=tutor.parse)
    replies = asked(dataset, means, [errand], tutor.engines if reports.height else set())
    return replies, tutor.hints(*given, replies, means.engines)


def _repaired(dataset: PreferenceDataset, student: Repair, means: Means, tables: Tables,
              written: pl.DataFrame) -> tuple[pl.DataFrame, Made]:
    """The student's replies, and its repairs."""
    given = (tables["prompts"], tables["responses"], written)
    errand = Errand(plan=partial(student.plan, *given), parse=student.parse)
    replies = asked(dataset, means, [errand], student.engines if written.height else set())
    return replies, student.responses(*given, replies, means.engines)
