"""The processes that compare by algebra: in order, killed where they hang, gone with their parent."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.testcases.maths import workers as module
from feedback.testcases.maths.extract import extract
from feedback.testcases.maths.workers import MathsWorkers
from schemas.errors import ConfigError

ROOT = Path(__file__).parents[2]
ROOTS = [(rf"\sqrt{{{number * number * 2}}}", rf"{number}\sqrt{{2}}") for number in range(2, 30)]
PARENT = """
import os, sys, time
from feedback.testcases.maths.workers import MathsWorkers
maths = MathsWorkers(seconds=600)
if sys.argv[1] == "idle":
    assert list(maths.compare([(r"\\sqrt{8}", r"2\\sqrt{2}")])) == ["equal"]
    print(maths._pool[0].process.pid, flush=True)
    time.sleep(600)
pairs = [(r"\\sum_{k=1}^{99999}\\sin(k^2)", "x"), ("1", "1")]
maths._at_once = lambda gold, answer, strict: None
turn = maths._turn
def watched(waiting, done):
    if maths._pool and maths._pool[0].begun:
        print(maths._pool[0].process.pid, flush=True)
    turn(waiting, done)
maths._turn = watched
list(maths.compare(pairs))
"""


@pytest.fixture(scope="module")
def hasty() -> Iterator[MathsWorkers]:
    with MathsWorkers(seconds=0.5) as workers:
        yield workers


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_verdicts_come_in_the_order_of_their_pairs_whoever_finds_them() -> None:
    pairs = [pair for root in ROOTS for pair in (root, ("1", "1.0"), (root[0], "2"), ("1", None))]
    with MathsWorkers() as maths:
        assert list(maths.compare(pairs)) == ["equal", "equal", "different", "unknown"] * len(ROOTS)


def test_no_workers_are_refused_rather_than_waited_for() -> None:
    with pytest.raises(ConfigError, match="workers is 0; give 1 or more"):
        MathsWorkers(workers=0)


def test_answers_that_extract_found_are_compared() -> None:
    with MathsWorkers() as maths:
        pairs = [(extract(r"\boxed{\frac{\sqrt{8}}{2}}"), extract(r"The answer is $\sqrt{2}$."))]
        assert list(maths.compare(pairs)) == ["equal"]


def test_what_hangs_is_unknown_and_the_pairs_beside_it_are_judged() -> None:
    hanging = [r"\sum_{k=1}^{99999}\sin(k^2)", r"\prod_{k=1}^{999999}\sqrt{k}"]
    pairs = [ROOTS[0], (hanging[0], "x"), ROOTS[1], ("3", hanging[0]), (hanging[1], r"\sqrt{2}"), ROOTS[2]]
    with MathsWorkers(seconds=0.5) as maths:
        assert list(maths.compare(pairs)) == ["equal", "unknown", "equal", "unknown", "unknown", "equal"]
        assert maths.timeouts >= 2
        before = maths.timeouts
        assert list(maths.compare([(hanging[0], r"\sqrt{5}"), (r"\sqrt{6}", hanging[1])])) == ["unknown"] * 2
        assert maths.timeouts == before


@pytest.mark.parametrize("text", [
    "{" * 3000 + "5" + "}" * 3000, "(" * 400 + "5" + ")" * 400, "9^{9^{9}}", "(10^7)!", "x^{9999999}", "n!!!",
    r"\sqrt{" * 28 + "2" + "}" * 28, r"\frac{" * 30 + "1" + "}{2}" * 30, "+" * 500, "-" * 500 + "1", "x" * 513,
    r"2^{x^{x^{x^{x}}}}", "9^" * 100 + "9", r"\binom{99999}{4999}", "5" * 500 + "x",
])
def test_hostile_answers_are_unknown_or_themselves_and_hang_nothing(hasty: MathsWorkers, text: str) -> None:
    there, back, itself = hasty.compare([(text, "7"), ("7", text), (text, text)])
    assert there == back != "equal"
    assert itself == "equal"


def test_a_worker_killed_from_outside_costs_no_verdict() -> None:
    with MathsWorkers(workers=1) as maths:
        verdicts = maths.compare([*ROOTS, *ROOTS[:1]])
        assert next(verdicts) == "equal"
        maths._pool[0].process.send_signal(signal.SIGKILL)
        assert set(verdicts) == {"equal"}


def test_closing_and_leaving_a_comparison_ends_its_workers() -> None:
    with MathsWorkers() as maths:
        verdicts = maths.compare(ROOTS)
        assert next(verdicts) == "equal"
        pids = [worker.process.pid for worker in maths._pool]
        verdicts.close()  # type: ignore[attr-defined]
        assert list(maths.compare(ROOTS[:2])) == ["equal", "equal"]
        pids += [worker.process.pid for worker in maths._pool]
    assert pids
    assert not any(map(alive, pids))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_workers_die_with_a_parent_that_is_killed(state: str) -> None:
    command = [sys.executable, "-c", PARENT, state]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    patience = time.monotonic() + 60
    while alive(worker) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not alive(worker)


def test_without_math_verify_plain_answers_are_compared_and_one_warning_names_the_command(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    pairs = [("1/2", "0.5"), ("(1,2)", "(2,1)"), *ROOTS[:3], (r"\sqrt2", r"\sqrt{2}")]
    with MathsWorkers() as maths, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(maths.compare(pairs)) == ["equal", "different", "unknown", "unknown", "unknown", "equal"]
    [warning] = caught
    assert module.INSTALL in str(warning.message)
    assert not maths._pool
