"""Fork servers of the sandbox: what they are sent, where they run, and that no program leaves a mark on the next."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedback.testcases.sandbox import bootstrap, children, isolation
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from feedback.testcases.sandbox.runner import Sandbox

pytestmark = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
WHERE = "import os\ndef f(x): return sorted(os.sched_getaffinity(0))"


def one(sandbox: Sandbox, source: str, *arguments: object) -> Ran:
    ((_, (ran,)),) = sandbox.run([Job(Program("python", source, "f"), "call", (encode(list(arguments)),))])
    return ran


def value(sandbox: Sandbox, source: str, *arguments: object) -> object:
    return decode(one(sandbox, source, *arguments).output or "")


@pytest.fixture
def modules() -> list[tuple[str, str, str]]:
    return list(bootstrap.modules())


def test_a_server_that_reads_other_bytecode_compiles_the_source(
        monkeypatch: pytest.MonkeyPatch, modules: list[tuple[str, str, str]]) -> None:
    monkeypatch.setattr(bootstrap, "BYTECODE", "00000000")
    monkeypatch.setattr(bootstrap, "modules", lambda: [(name, source, "no bytecode") for name, source, _ in modules])
    with Sandbox(workers=1) as sandbox:
        assert value(sandbox, "def f(x): return x + 1", 4) == 5


def test_a_server_that_reads_the_same_bytecode_need_not_compile(
        monkeypatch: pytest.MonkeyPatch, modules: list[tuple[str, str, str]]) -> None:
    monkeypatch.setattr(bootstrap, "modules", lambda: [(name, "no source(", code) for name, _, code in modules])
    with Sandbox(workers=1) as sandbox:
        assert value(sandbox, "def f(x): return x + 1", 4) == 5


def interpreter(version: str) -> str | None:
    """A whole Python of this version that needs none of our environment, on the path or beside the one that runs this.

    It says itself where it lies: what is on the path may be a script that looks for it.
    """
    beside = [str(path) for path in sorted(Path(sys.base_prefix).parent.glob(f"*/bin/python{version}"))]
    says = "import ctypes, decimal, json, os, sys; print(os.path.realpath(sys.executable))"
    for python in (shutil.which(f"python{version}"), *beside):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            if python:
                place = subprocess.check_output([python, "-c", says], stderr=subprocess.DEVNULL, text=True).strip()
                return subprocess.check_output([place, "-c", says], stderr=subprocess.DEVNULL, text=True,
                                               env=bootstrap.ENVIRONMENT).strip()
    return None


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_another_python_serves_all_kinds_of_jobs(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    program = Program("python", "import decimal, sys\ndef f(x): return x + 1, sys.version_info[:2]", "f")
    jobs = [Job(program, "call", (encode([1]),)), Job(Program("python", "print(input() * 2)"), "stdin", ("ab\n",)),
            Job(program, "tests", ("assert f(1)[0] == 2",))]
    with Sandbox(workers=1, python=python) as sandbox:
        found = {jobs.index(job): ran.output for job, (ran,) in sandbox.run(jobs)}
    assert found == {0: encode((2, tuple(map(int, version.split("."))))), 1: "abab\n", 2: "passed"}


def test_where_each_server_has_a_processor_it_keeps_to_it_with_its_programs_and_when_renewed() -> None:
    ours = sorted(os.sched_getaffinity(0))
    with Sandbox(recycled=2) as sandbox:
        first = [worker.process.pid for worker in sandbox._pool]
        assert [sorted(os.sched_getaffinity(pid)) for pid in first] == [[each] for each in ours]
        jobs = (Job(Program("python", WHERE, "f"), "call", (encode([at]),)) for at in range(6 * len(ours)))
        assert {len(decode(ran.output or "")) for _, (ran,) in sandbox.run(jobs)} == {1}
        later = [worker.process.pid for worker in sandbox._pool]
        assert set(later) != set(first)
        assert [sorted(os.sched_getaffinity(pid)) for pid in later] == [[each] for each in ours]


def test_more_or_fewer_servers_than_processors_run_where_the_kernel_likes() -> None:
    ours = sorted(os.sched_getaffinity(0))
    with Sandbox(workers=len(ours) + 1) as sandbox:
        servers = [worker.process.pid for worker in sandbox._pool]
        assert [sorted(os.sched_getaffinity(pid)) for pid in servers] == [ours] * (len(ours) + 1)
        assert value(sandbox, WHERE, 0) == ours


def test_a_runner_that_has_one_processor_starts_one_server_there() -> None:
    with on_one_processor() as processor, Sandbox() as sandbox:
        assert [sorted(os.sched_getaffinity(worker.process.pid)) for worker in sandbox._pool] == [[processor]]
        assert value(sandbox, WHERE, 0) == [processor]


@contextmanager
def on_one_processor() -> Iterator[int]:
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(ours)})
    try:
        yield max(ours)
    finally:
        os.sched_setaffinity(0, ours)


def test_a_server_that_a_command_starts_has_the_same_environment_and_none_of_the_runners() -> None:
    source = """
import ctypes, os
def f(x):
    libc = ctypes.CDLL(None)
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    out, into = os.pipe()
    place, found = ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value & ~4095, b""
    while libc.write(into, place, 4096) == 4096:
        found += os.read(out, 4096)
        place += 4096
    return b"LC_ALL=C.UTF-8" in found, b"SECRET=" in found, hash("abc")"""
    python = os.path.realpath(sys.executable)
    with Sandbox(workers=1) as strict, Sandbox(
            command=("env", "SECRET=abc"), python=python, workers=1) as started:
        known = value(strict, "def f(x): return hash('abc')", 0)
        assert value(started, source, 0) == (True, False, known)


def test_a_python_that_a_command_finds_on_a_path_of_its_own_is_the_one_that_serves(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(os.path.realpath(sys.executable))
    with Sandbox(command=("env", "-i", f"PATH={tmp_path}:/usr/bin:/bin"), workers=1) as sandbox:
        assert sandbox.environment.split("/")[1] == "cpython-" + ".".join(map(str, sys.version_info[:3]))
        assert value(sandbox, "import decimal\ndef f(x): return str(decimal.Decimal(x))", 5) == "5"


def test_a_program_that_fills_the_standard_error_stops_no_other() -> None:
    complain = "import os, sys\ndef f(x):\n    os.write(2, bytes(50000))\n    print('!', file=sys.stderr)\n    return x"
    with Sandbox(workers=1, limits=Limits(wall_s=10)) as sandbox:
        assert [value(sandbox, complain, at) for at in range(3)] == [0, 1, 2]


def test_no_program_lowers_its_limit_of_cpu_time_so_that_its_end_looks_like_ours() -> None:
    source = """
import resource
def f(x):
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    except (ValueError, OSError):
        return hard
    while True: pass"""
    with Sandbox(workers=1) as sandbox:
        assert value(sandbox, source, 0) == int(Limits().cpu_s) + 1


def test_inputs_beyond_what_one_process_takes_go_to_the_next_and_their_page_costs_no_program_its_memory() -> None:
    count = 9 * children.MOST_INPUTS + 1
    job = Job(Program("python", "def f(x): return x, len(bytes(1 << 20))", "f"), "call",
              tuple(encode([at]) for at in range(count)))
    with Sandbox(workers=1, limits=Limits(memory_mb=128)) as sandbox:
        ((_, found),) = sandbox.run([job])
    assert [decode(ran.output or "null") for ran in found] == [(at, 1 << 20) for at in range(count)]


def test_an_input_that_cannot_be_read_is_our_fault_and_spares_the_others() -> None:
    job = Job(Program("python", "def f(x): return x", "f"), "call", (encode([1]), "[1", '{"t":[1]}', encode([4])))
    with Sandbox(workers=1) as sandbox:
        ((_, found),) = sandbox.run([job])
    assert [ran.status for ran in found] == ["ran", "sandbox_error", "sandbox_error", "ran"]
    assert (found[0].output, found[3].output) == ("1", "4")
