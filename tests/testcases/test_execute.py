"""EXECUTE: the whole matrix, each program once, nothing twice, and after kill -9 only what was in flight."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.execute import execute, flaky
from feedback.testcases.runs import Runs
from feedback.testcases.sandbox.codec import decode
from feedback.testcases.sandbox.job import Ran
from schemas import EXECUTIONS
from schemas.errors import ConfigError
from tests.testcases.tables import Sandbox, call_inputs, fates, programs

SUMS = {"p/1": "x + 1", "p/2": "x + 2", "p/3": "x + 1"}


def evaluate(source: str, arguments: list[Any]) -> Any:
    return eval(source, {"x": arguments[0]})


def outputs(table: Any) -> dict[tuple[str, str], Any]:
    return {(response, input_): decode(output) for response, input_, output in table.select(
        "response_id", "input_id", "output").iter_rows()}


def test_every_program_is_run_on_every_input_of_its_prompt(tmp_path: Path) -> None:
    inputs = call_inputs("p", [1], [10]).vstack(call_inputs("q", [5]))
    made = execute()(programs({**SUMS, "q/1": "x * 2", "r/1": "x"}), inputs, tmp_path, Sandbox(evaluate))
    found = sorted((name, value) for (name, _), value in outputs(made.table).items())
    assert found == [("p/1", 2), ("p/1", 11), ("p/2", 3), ("p/2", 12), ("p/3", 2), ("p/3", 11), ("q/1", 10)]
    assert fates(made.counts, "programs") == {"in": 5, "out": 4, "no input": 1}
    EXECUTIONS.write(made.table.to_arrow(), tmp_path / "executions.parquet")


def test_equal_programs_run_once_and_their_inputs_go_in_one_job(tmp_path: Path) -> None:
    sandbox = Sandbox(evaluate)
    execute()(programs(SUMS), call_inputs("p", [1], [2], [3]), tmp_path, sandbox)
    assert sandbox.ran.total() == 6
    assert sandbox.jobs == 2


def test_what_was_run_before_is_not_run_again(tmp_path: Path) -> None:
    first = execute()(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, Sandbox(evaluate))
    again = Sandbox(evaluate)
    second = execute()(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, again)
    assert again.ran.total() == 0
    assert second.table.equals(first.table)


def test_a_new_input_runs_every_program_on_it_alone(tmp_path: Path) -> None:
    execute()(programs(SUMS), call_inputs("p", [1]), tmp_path, Sandbox(evaluate))
    sandbox = Sandbox(evaluate)
    execute()(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, sandbox)
    assert {decode(text)[0] for _, text in sandbox.ran} == {2}
    assert sandbox.ran.total() == 2


def test_another_environment_is_another_run(tmp_path: Path) -> None:
    execute()(programs(SUMS), call_inputs("p", [1]), tmp_path, Sandbox(evaluate))
    sandbox = Sandbox(evaluate)
    sandbox.environment = "stronger"
    made = execute()(programs(SUMS), call_inputs("p", [1]), tmp_path, sandbox)
    assert sandbox.ran.total() == 2
    assert set(made.table["environment"]) == {"stronger"}


def test_failures_are_rows_and_counted_by_their_status(tmp_path: Path) -> None:
    def failing(source: str, arguments: list[Any]) -> Any:
        if source != "x + 1":
            raise RuntimeError(source)
        return arguments[0]

    sources = {"p/1": "x + 1", "p/2": "error", "p/3": "timeout", "p/4": "sandbox_error"}
    made = execute()(programs(sources), call_inputs("p", [1]), tmp_path, Sandbox(failing))
    assert fates(made.counts, "outputs") == {"in": 4, "out": 1, "error": 1, "sandbox_error": 1, "timeout": 1}
    assert dict(made.table.select("response_id", "status").iter_rows())["p/3"] == "timeout"
    EXECUTIONS.write(made.table.to_arrow(), tmp_path / "executions.parquet")


def test_a_sandbox_error_is_tried_again_next_time_and_a_program_s_own_error_is_not(tmp_path: Path) -> None:
    def broken(source: str, arguments: list[Any]) -> Any:
        raise RuntimeError(source)

    sources = {"p/1": "error", "p/2": "sandbox_error"}
    execute()(programs(sources), call_inputs("p", [1]), tmp_path, Sandbox(broken))
    sandbox = Sandbox(broken)
    execute()(programs(sources), call_inputs("p", [1]), tmp_path, sandbox)
    assert [source for source, _ in sandbox.ran] == ["sandbox_error"]


def test_runs_that_differ_make_a_row_that_is_not_steady(tmp_path: Path) -> None:
    seen: list[str] = []

    def moody(source: str, arguments: list[Any]) -> Any:
        seen.append(source)
        return len(seen) if source == "moody" else 0

    made = execute(repeats=3)(programs({"p/1": "calm", "p/2": "moody"}), call_inputs("p", [1]), tmp_path,
                              Sandbox(moody))
    assert dict(made.table.select("response_id", "steady").iter_rows()) == {"p/1": True, "p/2": False}
    assert set(made.table["runs"]) == {3}
    assert flaky(made.table)["response_id"].to_list() == ["p/2"]
    assert fates(made.counts, "outputs") == {"in": 2, "out": 1, "flaky": 1}


@given(st.permutations(list(SUMS)))
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, order: list[str]) -> None:
    plain = execute()(programs(SUMS), call_inputs("p", [1], [2]), tmp_path_factory.mktemp("a"), Sandbox(evaluate))
    turned = execute()(programs({name: SUMS[name] for name in order}), call_inputs("p", [2], [1]),
                       tmp_path_factory.mktemp("b"), Sandbox(evaluate))
    assert turned.table.equals(plain.table)
    assert turned.counts == plain.counts


def test_missing_counts_what_is_still_to_run(tmp_path: Path) -> None:
    sandbox = Sandbox(evaluate)
    assert execute().missing(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, sandbox) == 4
    execute()(programs(SUMS), call_inputs("p", [1]), tmp_path, sandbox)
    assert execute().missing(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, sandbox) == 2


def test_progress_ends_with_everything_done(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    execute()(programs(SUMS), call_inputs("p", [1], [2]), tmp_path, Sandbox(evaluate),
              progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)


def test_a_torn_last_line_is_not_a_run(tmp_path: Path) -> None:
    with Runs(tmp_path, "here") as runs:
        keys = [runs.key("program", "call", str(number), 0) for number in range(3)]
        runs.keep(keys, [Ran("ran", str(number), None, 0.5) for number in range(3)])
    [file] = tmp_path.glob("*/*.jsonl")
    file.write_bytes(file.read_bytes()[:-5])
    with Runs(tmp_path, "here") as runs:
        assert set(runs.known(keys)) == set(keys[:2])
        assert runs.known(keys)[keys[1]].output == "1"


def test_damage_in_the_middle_costs_that_run_alone(tmp_path: Path) -> None:
    with Runs(tmp_path, "here") as runs:
        keys = [runs.key("program", "call", str(number), 0) for number in range(3)]
        runs.keep(keys, [Ran("ran", "output", None, 0.5)] * 3)
        [file] = tmp_path.glob("*/*.jsonl")
        lines = file.read_bytes().split(b"\n")
        file.write_bytes(b"\n".join([lines[0], lines[1].replace(b"output", b"OUTPUT", 1), *lines[2:]]))
        assert set(runs.known(keys)) == {keys[0], keys[2]}


KILLED = """
import os, sys
from pathlib import Path
from feedback.testcases.execute import execute
from tests.testcases.tables import Sandbox, call_inputs, programs

def does(source, arguments):
    if source == "x + 7":
        print("in flight", flush=True)
        sys.stdin.read()
    return eval(source, {"x": arguments[0]})

sources = {f"p/{n}": f"x + {n}" for n in range(20)}
execute()(programs(sources), call_inputs("p", [1], [2]), Path(sys.argv[1]), Sandbox(does))
"""


def test_kill_9_in_the_middle_re_executes_only_what_was_in_flight(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "in flight\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    whole = execute()(programs({f"p/{n}": f"x + {n}" for n in range(20)}), call_inputs("p", [1], [2]),
                      tmp_path / "other", Sandbox(evaluate))
    with Runs(tmp_path, Sandbox.environment) as runs:
        sources = programs({f"p/{n}": f"x + {n}" for n in range(20)})
        keys = {runs.key(program, "call", f"[{value}]", 0): source for program, source in sources.select(
            "program_id", "source").iter_rows() for value in (1, 2)}
        kept = [keys[key] for key in runs.known(keys)]
    sandbox = Sandbox(evaluate)
    made = execute()(sources, call_inputs("p", [1], [2]), tmp_path, sandbox)
    assert kept
    assert "x + 7" not in kept
    assert len(kept) + sandbox.ran.total() == 40
    assert not set(kept) & {source for source, _ in sandbox.ran}
    assert made.table.equals(whole.table)


def test_repeats_below_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="repeats"):
        execute(repeats=0)
