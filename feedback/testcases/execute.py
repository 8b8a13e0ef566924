"""EXECUTE: every program of a prompt on every input of that prompt, in a sandbox; outputs only, no verdicts.

The matrix of programs and inputs follows PFPO (Jiao et al. 2025). A program is compiled once for all of its inputs,
equal programs run once, and what was run before, in this build or another, is not run again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import polars as pl

from feedback.testcases.runs import Run, Runs
from feedback.testcases.sandbox.job import Job, Kind, Language, Limits, Program, Ran
from generators.made import Made
from schemas import EXECUTIONS
from schemas.errors import ConfigError
from schemas.funnel import Count, count

Progress = Callable[[int, int], None]
"""Told how many runs are done, and of how many."""


class Runner(Protocol):
    """What runs programs: an open Sandbox, or a stand-in."""

    @property
    def isolation(self) -> str | None:
        """How programs are confined."""

    @property
    def environment(self) -> str:
        """Isolation, interpreter and limits, as a name."""

    def run(self, jobs: Iterable[Job]) -> Iterable[tuple[Job, Iterable[Ran]]]:
        """Each job with one result per input, jobs in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Runs programs; see `execute`."""

    limits: Limits
    isolation: str | None
    repeats: int
    workers: int | None

    def __call__(self, programs: pl.DataFrame, test_inputs: pl.DataFrame, store: Path, runner: Runner | None = None,
                 progress: Progress | None = None) -> Made:
        """The EXECUTIONS rows, sorted by response_id and input_id; runs that are missing from `store` are made now.

        `runner` is an open sandbox to use; by default one is opened under the operator's own limits. Counts: programs
        (dropped: `no input`), executions, and outputs (failed: error, timeout, sandbox_error, flaky).
        """
        cells = _cells(programs, test_inputs)
        with _opened(self, runner) as sandbox, Runs(store, sandbox.environment) as runs:
            done = self._runs(cells, sandbox, runs, progress)
            table = self._rows(cells, runs, done, sandbox)
        return Made(table, _counts(programs, test_inputs, table))

    def missing(self, programs: pl.DataFrame, test_inputs: pl.DataFrame, store: Path, runner: Runner) -> int:
        """How many runs `store` lacks."""
        cells = _cells(programs, test_inputs)
        with Runs(store, runner.environment) as runs:
            keys = set(self._keys(cells, runs))
            return len(keys) - len(runs.known(keys))

    def _runs(self, cells: pl.DataFrame, sandbox: Runner, runs: Runs, progress: Progress | None) -> dict[str, Run]:
        """Every run by its key: those that are known, and the others, made now."""
        keys = set(self._keys(cells, runs))
        done = runs.known(keys)
        if progress:
            progress(len(done), len(keys))
        for number in range(self.repeats):
            asked: dict[Job, list[str]] = {}
            for job, names in _jobs(cells, runs, number, done):
                asked[job] = names
            for job, rans in sandbox.run(list(asked)):
                done.update((run.key, run) for run in runs.keep(asked[job], rans))
                if progress:
                    progress(len(done), len(keys))
        return done

    def _keys(self, cells: pl.DataFrame, runs: Runs) -> Iterator[str]:
        for program, kind, value in _distinct(cells).select("program_id", "kind", "value").iter_rows():
            for number in range(self.repeats):
                yield runs.key(program, kind, value, number)

    def _rows(self, cells: pl.DataFrame, runs: Runs, done: dict[str, Run], sandbox: Runner) -> pl.DataFrame:
        rows = []
        for response, prompt, program, input_, kind, value in cells.select(
                "response_id", "prompt_id", "program_id", "input_id", "kind", "value").iter_rows():
            mine = [done[runs.key(program, kind, value, number)] for number in range(self.repeats)]
            told = [run for run in mine if run.status != "sandbox_error"] or mine[:1]
            first = told[0]
            rows.append({
                "response_id": response, "input_id": input_, "environment": sandbox.environment, "prompt_id": prompt,
                "program_id": program, "kind": kind, "status": first.status, "output": first.output,
                "detail": first.detail, "runs": len(told), "cpu_ms": first.cpu_ms, "isolation": sandbox.isolation,
                "steady": len({(run.status, run.output) for run in told}) == 1,
            })
        return pl.DataFrame(pl.from_arrow(EXECUTIONS.rows(rows))).sort("response_id", "input_id")


def execute(limits: Limits | None = None, isolation: str | None = None, repeats: int = 1,
            workers: int | None = None) -> Execute:
    """Run every program on every input of its prompt.

    `limits` and `isolation` are the sandbox's (None: its defaults). With `repeats` above 1 each run is made that
    often, and rows whose runs differ are not `steady`. Raises ConfigError on what cannot be.
    """
    if repeats < 1:
        raise ConfigError(f"execute: repeats is {repeats}; give 1 or more")
    return Execute(limits=limits or Limits(), isolation=isolation, repeats=repeats, workers=workers)


def flaky(executions: pl.DataFrame) -> pl.DataFrame:
    """The executions whose repeats differ: prompt_id, response_id, input_id, kind, runs."""
    return executions.filter(~pl.col("steady")).select("prompt_id", "response_id", "input_id", "kind", "runs").sort(
        "prompt_id", "response_id", "input_id")


def _cells(programs: pl.DataFrame, test_inputs: pl.DataFrame) -> pl.DataFrame:
    """Programs met with the inputs of their prompt, sorted."""
    inputs = test_inputs.filter(pl.col("kind") != "answer").select("prompt_id", "input_id", "kind", "value")
    return programs.join(inputs, on="prompt_id").sort("prompt_id", "program_id", "kind", "input_id", "response_id")


def _distinct(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.unique(["program_id", "kind", "value"], maintain_order=True)


def _jobs(cells: pl.DataFrame, runs: Runs, number: int, done: dict[str, Run]) -> Iterator[tuple[Job, list[str]]]:
    """One job a program and kind, of the inputs whose run of that number is not known; with their keys."""
    for program, kind, value in _grouped(cells):
        names = {runs.key(program["program_id"], kind, text, number): text for text in value}
        missing = {name: text for name, text in names.items() if name not in done}
        if missing:
            made = Program(cast(Language, program["language"]), program["source"], program["entry"])
            yield Job(made, cast(Kind, kind), tuple(missing.values())), list(missing)


def _grouped(cells: pl.DataFrame) -> Iterator[tuple[dict[str, str], str, list[str]]]:
    grouped = _distinct(cells).group_by("program_id", "kind", maintain_order=True).agg(
        pl.col("language", "source", "entry").first(), "value")
    for row in grouped.iter_rows(named=True):
        yield row, row["kind"], row["value"]


def _opened(operator: Execute, runner: Runner | None) -> AbstractContextManager[Runner]:
    from contextlib import nullcontext

    if runner is not None:
        return nullcontext(runner)
    from feedback.testcases.sandbox.runner import Sandbox

    return Sandbox(limits=operator.limits, isolation=operator.isolation, workers=operator.workers)


def _counts(programs: pl.DataFrame, test_inputs: pl.DataFrame, table: pl.DataFrame) -> list[Count]:
    run = table["response_id"].n_unique()
    without = Counter({"no input": programs.height - run} if programs.height > run else {})
    good = (pl.col("status") == "ran") & pl.col("steady")
    failed = Counter(table.filter(~good).select(
        pl.when(pl.col("steady")).then("status").otherwise(pl.lit("flaky"))).to_series())
    return [*count("executions", "programs", programs.height, out=run, dropped=without),
            *count("executions", "executions", table.height, out=table.height),
            *count("executions", "outputs", table.height, out=table.height - failed.total(), failed=failed)]
