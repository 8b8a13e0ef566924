"""MUTATION_SCORE: how good the test cases of a prompt are: the share of planted faults that at least one of them tells.

Mutation analysis: what tells no small fault planted in a right program (faults.py) will tell few of the faults that
models make. Some faults leave a program what it was, so that the best set of cases need not reach 1. Measured with
CodeGen-16B's answers to half of HumanEval: docs/testcases.md.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from feedback.testcases.execute import Execute, Runner
from feedback.testcases.faults import faulty
from feedback.testcases.given import reference_cases
from feedback.testcases.outcomes import check, passes
from generators.made import Made
from schemas import MEASUREMENTS, PROGRAMS
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.ids import draw
from schemas.outcomes import FAILURES
from schemas.programs import program_id

SCORE, FAULTS, SOURCE = "mutation_score", "faults", "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationScore:
    """Plants faults in programs and runs them; see `mutation_score`."""

    most: int
    tolerance: float
    seed: int

    def __call__(self, programs: pl.DataFrame, test_inputs: pl.DataFrame, execute: Execute, store: Path,
                 runner: Runner | None = None) -> Made:
        """MEASUREMENTS rows of source sandbox: of each prompt its mutation_score, and of how many `faults` it is.

        `programs` has one PROGRAMS row a prompt, which is taken for right: a reference, or the response that passes
        most. An input on which it gives nothing tells nothing. A fault is told where some input's output differs,
        or the run fails or does not end; its runs are kept in `store` like all others. Counts prompts (dropped: "not
        Python", "no fault", "no input tells"); SchemaError where a prompt has two programs.
        """
        if programs["prompt_id"].is_duplicated().any():
            raise SchemaError("programs: a prompt has two; give the one that is taken for right")
        planted = self._planted(programs)
        cases = reference_cases(execute(programs, test_inputs, store, runner).table).table
        telling = test_inputs.join(cases, on="input_id", how="semi").sort("prompt_id", "input_id")
        first = telling.unique("prompt_id", keep="first", maintain_order=True)
        told = self._told(planted, first, cases, execute, store, runner)
        hidden = planted.join(told.filter("told"), on="response_id", how="anti")     # most are told by the first input
        later = self._told(hidden, telling.join(first, on="input_id", how="anti"), cases, execute, store, runner)
        return _measured(programs, planted, pl.concat([told, later]))

    def _planted(self, programs: pl.DataFrame) -> pl.DataFrame:
        """PROGRAMS rows of the faulty programs, at most so many a prompt."""
        rows = []
        for row in programs.filter(pl.col("language") == "python").sort("prompt_id").iter_rows(named=True):
            drawn = sorted(faulty(row["source"]), key=lambda text: draw(self.seed, "fault", row["prompt_id"], text))
            for source in drawn[:self.most]:
                id_ = program_id("python", source, row["entry"])
                rows.append({**row, "response_id": f"{row['response_id']}/{id_}", "program_id": id_, "source": source})
        return pl.DataFrame(pl.from_arrow(PROGRAMS.rows(rows)))

    def _told(self, planted: pl.DataFrame, inputs: pl.DataFrame, cases: pl.DataFrame, execute: Execute, store: Path,
              runner: Runner | None) -> pl.DataFrame:
        """prompt_id, response_id and told: whether an input tells the fault; those with no outcome are left out."""
        ran = execute(planted, inputs, store, runner).table
        outcomes = check(tolerance=self.tolerance)(ran, cases).table.filter(
            pl.col("outcome").is_in(["pass", *FAILURES]))
        return outcomes.group_by("prompt_id", "response_id").agg(told=pl.col("outcome").is_in(FAILURES).any())


def mutation_score(most: int = 30, tolerance: float = 1e-6, seed: int = 0) -> MutationScore:
    """Measure test inputs by the share of planted faults that they tell, of at most `most` a prompt, drawn by hash.

    `tolerance` is that of `check`. Raises ConfigError on what cannot be.
    """
    if most < 1:
        raise ConfigError(f"mutation_score: most is {most}; give 1 or more")
    check(tolerance=tolerance)
    return MutationScore(most=most, tolerance=tolerance, seed=seed)


def most_passing(programs: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Of each prompt the program that passes most cases, the first by response_id: what a vote takes for right.

    Prompts of which no program passes a case are left out.
    """
    best = passes(outcomes).filter(pl.col("passed") > 0).sort("prompt_id", "passed", "response_id",
                                                             descending=[False, True, False])
    chosen = best.unique("prompt_id", keep="first", maintain_order=True)
    return programs.join(chosen, on="response_id", how="semi").sort("prompt_id")


def _measured(programs: pl.DataFrame, planted: pl.DataFrame, told: pl.DataFrame) -> Made:
    each = told.group_by("prompt_id", "response_id").agg(pl.col("told").any())
    found = each.group_by("prompt_id").agg(score=pl.col("told").mean(), faults=pl.len())
    rows = [{"subject_id": prompt, "name": name, "value": float(value), "source": SOURCE}
            for prompt, score, faults in found.iter_rows() for name, value in ((FAULTS, faults), (SCORE, score))]
    some = planted["prompt_id"].n_unique()
    python = programs.filter(pl.col("language") == "python").height
    dropped = Counter({"not Python": programs.height - python, "no fault": python - some,
                       "no input tells": some - found.height})
    table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows))).sort("subject_id", "name")
    return Made(table, count("measurements", "prompts", programs.height, out=found.height, dropped=+dropped))
