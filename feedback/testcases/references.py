"""What reference solutions and reference answers expect: the oracle of a recipe, or the truth its labels face."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from feedback.testcases.answers import Answers
from feedback.testcases.execute import Execute, Progress, Runner
from feedback.testcases.given import Given, reference_cases, reference_responses
from feedback.testcases.programs import Programs
from generators.made import Made
from schemas import TEST_INPUTS
from schemas.errors import ConfigError
from schemas.funnel import told_as

SOURCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Asks the prompts' references; see `by_reference`."""

    hidden: Given | None

    def hidden_inputs(self, prompts: pl.DataFrame) -> Made:
        """TEST_INPUTS rows that the labels never saw; none where there is no such field."""
        if self.hidden is None:
            return Made(pl.DataFrame(pl.from_arrow(TEST_INPUTS.rows([]))), [])
        return self.hidden.test_inputs(prompts)

    def stated(self, prompts: pl.DataFrame, answers: Answers) -> Made:
        """TEST_CASES rows of stated answers: what each reference ends in."""
        return answers.test_cases(prompts, SOURCE)

    def outputs(self, prompts: pl.DataFrame, test_inputs: pl.DataFrame, programs: Programs, execute: Execute,
                store: Path, runner: Runner | None = None, progress: Progress | None = None) -> Made:
        """TEST_CASES rows of programs: what the reference solutions give on the inputs, run like any answer.

        A reference is read as the responses are: code in a fence, bare, or as a completion of the prompt's own code.
        """
        solutions = reference_responses(prompts)
        found = programs(prompts, solutions.table)
        ran = execute(found.table, test_inputs, store, runner, progress)
        cases = reference_cases(ran.table, SOURCE)
        return Made(cases.table, [*solutions.counts, *told_as("references, programs", found.counts),
                                 *told_as("references, executions", ran.counts), *cases.counts])


def by_reference(hidden: Given | None = None) -> References:
    """Take what the prompts' references expect: a solution's outputs, or the answer that a reference ends in.

    As `test_cases` it labels (differential testing, EvalPlus, Liu et al. 2023); as `truth` it measures labels that
    were made without it. `hidden` adds inputs from a field of the prompts that only the truth is run on.
    """
    if hidden is not None and not isinstance(hidden, Given):
        raise ConfigError(f"by_reference: hidden={hidden!r} is no field of the prompts; write given('tests')")
    return References(hidden=hidden)
