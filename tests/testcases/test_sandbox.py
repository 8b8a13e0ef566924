"""The sandbox: what programs give, how they end, and what holds when the machine or the runner fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from feedback.testcases.sandbox import isolation, kernel
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from feedback.testcases.sandbox.runner import Sandbox
from schemas.errors import ConfigError, SandboxError

ROOT = Path(__file__).parents[2]
NEEDS = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
pytestmark = NEEDS
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=Limits(cpu_s=0.5, wall_s=300, memory_mb=256, output_bytes=4096), workers=1) as opened:
        yield opened


def call(source: str, *arguments: list[object]) -> Job:
    return Job(Program("python", source, "f"), "call", tuple(encode(each) for each in arguments))


def rans(sandbox: Sandbox, job: Job) -> tuple[Ran, ...]:
    ((back, found),) = sandbox.run([job])
    assert back is job
    return found


def one(sandbox: Sandbox, source: str, *arguments: object) -> Ran:
    (ran,) = rans(sandbox, call(source, list(arguments)))
    return ran


def script(sandbox: Sandbox, source: str, text: str = "") -> Ran:
    (ran,) = rans(sandbox, Job(Program("python", source), "stdin", (text,)))
    return ran


def against(sandbox: Sandbox, source: str, tests: str, entry: str = "f") -> Ran:
    (ran,) = rans(sandbox, Job(Program("python", source, entry), "tests", (tests,)))
    return ran


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_function_gives_a_value_for_each_input_of_any_built_in_type(sandbox: Sandbox) -> None:
    found = rans(sandbox, call("def f(x, y): return {x: (y, y)}", [1, {2.5}], ["a", b"b"], [None, "\ud800"]))
    values = [decode(ran.output or "") for ran in found]
    assert values == [{1: ({2.5}, {2.5})}, {"a": (b"b", b"b")}, {None: ("\ud800",) * 2}]
    assert {ran.status for ran in found} == {"ran"}


def test_a_script_reads_its_input_and_prints(sandbox: Sandbox) -> None:
    source = "import sys\nprint('hi', input())\nsys.stdout.write(sys.stdin.read())\nsys.exit(0)\nprint('never')"
    ran = script(sandbox, source, "Ann\nrest\n é")
    assert (ran.status, ran.output, ran.detail) == ("ran", "hi Ann\nrest\n é", None)


def test_a_script_ends_as_under_the_interpreter(sandbox: Sandbox) -> None:
    source = """
import atexit, threading
if __name__ == "__main__":
    threading.Thread(target=lambda: print("thread")).start()
    atexit.register(print, "exit")"""
    assert script(sandbox, source).output == "thread\nexit\n"
    assert script(sandbox, "import sys\nprint(1)\nsys.exit(3)").status == "error"


@pytest.mark.parametrize(("source", "status", "detail"), [
    ("def f(x: return 1", "error", "compile_error: SyntaxError"),
    ("def g(x): return 1", "error", "no_entry"),
    ("import numbers_of_things", "error", "ModuleNotFoundError"),
    ("def f(x):\n    return 1 / (x - 7)", "error", "ZeroDivisionError: division by zero (line 2)"),
    ("def f(x): raise SystemExit(0)", "error", "SystemExit"),
    ("def f(x): return f(x)", "error", "RecursionError"),
    ("def f(x): return bytearray(1 << 30)", "error", "memory"),
    ("def f(x): return 'x' * 5000", "error", "unsupported_value: a value of 5002 characters"),
    ("def f(x): return object()", "error", "unsupported_value: a value of type object"),
    ("def f(x): return repr(object())", "error", "unsupported_value: a memory address"),
    ("import os\ndef f(x): os._exit(0)", "error", "early_exit"),
    ("import ctypes\ndef f(x): ctypes.string_at(0)", "error", "crashed: SIGSEGV"),
    ("def f(x):\n    while True: pass", "timeout", "cpu"),
    ("while True: pass", "timeout", "cpu"),
])
def test_each_way_to_fail_has_its_own_name(sandbox: Sandbox, source: str, status: str, detail: str) -> None:
    ran = one(sandbox, source, 7)
    assert (ran.status, ran.output) == (status, None)
    assert (ran.detail or "").startswith(detail)


def test_what_is_printed_beyond_the_limit_or_is_no_text_is_an_error(sandbox: Sandbox) -> None:
    assert script(sandbox, "print('x' * 4095)").status == "ran"
    assert (script(sandbox, "print('x' * 4096)").detail or "").startswith("output_limit")
    assert (script(sandbox, "import os\nos.write(1, b'\\xff')").detail or "").startswith("unsupported_value")


def test_an_input_that_fails_harms_none_of_the_others(sandbox: Sandbox) -> None:
    source = """
import os
def f(x):
    if x == 1: os._exit(0)
    if x == 3: os.abort()
    if x == 5:
        while True: pass
    if x == 7: raise ValueError(x)
    return x"""
    found = rans(sandbox, call(source, *([x] for x in range(9))))
    assert [ran.output for ran in found] == ["0", None, "2", None, "4", None, "6", None, "8"]
    assert [ran.status for ran in found][1::2] == ["error", "error", "timeout", "error"]


@pytest.mark.parametrize("source", [
    "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)",
    "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)",
    "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n",
    "def f(x):\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n",
    "class C:\n    seen = []\ndef f(x):\n    C.seen.append(x)\n    return len(C.seen)",
    "import math\ndef f(x):\n    math.n = getattr(math, 'n', 0) + 1\n    return math.n",
    "def g():\n    n = [0]\n    def f(x):\n        n[0] += 1\n        return n[0]\n    return f\nf = g()",
])
def test_no_input_sees_what_an_earlier_one_left(sandbox: Sandbox, source: str) -> None:
    assert [ran.output for ran in rans(sandbox, call(source, [1], [1], [1]))] == ["1", "1", "1"]


def test_inputs_of_a_program_that_keeps_nothing_share_one_process(sandbox: Sandbox) -> None:
    found = rans(sandbox, call("import os\ndef f(x): return os.getpid()", [1], [2], [3]))
    assert len({ran.output for ran in found}) == 1


def test_sets_have_one_order_and_random_numbers_have_none(sandbox: Sandbox) -> None:
    order = "def f(x): return [*{'a', 'b', 'c', 'd', 'e'}, hash('abc')]"
    draw = "import random\ndef f(x): return random.random()"
    assert one(sandbox, order, 1).output == one(sandbox, order, 1).output
    assert one(sandbox, draw, 1).output != one(sandbox, draw, 1).output


def test_tests_pass_fail_and_blame_the_program_for_its_own_errors(sandbox: Sandbox) -> None:
    source = "def f(x):\n    if x == 9: raise ValueError('nine')\n    return [x]"
    assert against(sandbox, source, "assert f(1) == [1] and candidate(x=2) == [2]").output == "passed"
    failed = against(sandbox, source, "\nassert f(1) == [2]")
    assert (failed.status, failed.output, failed.detail) == ("ran", "failed", "AssertionError (line 2 of the tests)")
    assert against(sandbox, source, "try:\n    f(9)\nexcept ValueError: pass\nelse: assert False").output == "passed"
    blamed = against(sandbox, source, "f(9)")
    assert (blamed.status, blamed.detail) == ("error", "ValueError: nine (line 2)")
    assert (against(sandbox, "def f(x", "f(1)").detail or "").startswith("compile_error: SyntaxError")
    assert against(sandbox, "def f(x):\n    while 1: pass", "f(1)").status == "timeout"


def test_a_definition_in_the_tests_does_not_hide_the_program(sandbox: Sandbox) -> None:
    tests = "def helper(x): return x * 2\ndef f(x): pass\ndef check(c): assert c(4) == helper(4)\ncheck(f)"
    assert against(sandbox, "def f(x): return x + x", tests).output == "passed"
    assert against(sandbox, "def f(x): return x\ndef helper(x): return x", tests).output == "failed"


def test_tests_that_do_not_compile_say_nothing_about_the_program(sandbox: Sandbox) -> None:
    assert against(sandbox, "def f(x): return x", "assert f(1) ==").status == "sandbox_error"


def test_the_environment_names_isolation_interpreter_and_limits(sandbox: Sandbox) -> None:
    assert sandbox.isolation == "strict"
    assert sandbox.environment.split("/")[:2] == ["strict", "cpython-" + ".".join(map(str, sys.version_info[:3]))]
    assert sandbox.environment.endswith(sandbox.limits.digest)
    assert Limits().digest != Limits(cpu_s=3).digest
    assert Limits().digest == Limits().digest


def test_jobs_are_taken_one_by_one_and_fork_servers_are_renewed() -> None:
    taken = []

    def jobs() -> Iterator[Job]:
        for number in range(40):
            taken.append(number)
            yield call(f"def f(x): return x + {number}", [0])

    with Sandbox(workers=2, recycled=5) as sandbox:
        outputs = set()
        for at, (_, found) in enumerate(sandbox.run(jobs())):
            assert len(taken) <= at + 10
            outputs.add(found[0].output)
        servers = {worker.process.pid for worker in sandbox._pool}
        assert all(worker.served <= 8 for worker in sandbox._pool)
    assert outputs == {str(number) for number in range(40)}
    assert len(servers) == 2


def test_a_fork_server_that_is_killed_costs_no_result() -> None:
    with Sandbox(workers=1) as sandbox:
        outputs = []
        for at, (_, found) in enumerate(sandbox.run(call(f"def f(x): return {n}", [0]) for n in range(30))):
            if at in (3, 11):
                os.kill(sandbox._pool[0].process.pid, signal.SIGKILL)
            outputs.append(found[0].output)
    assert sorted(map(str, outputs), key=int) == [str(n) for n in range(30)]


def test_what_a_dead_fork_server_was_not_sent_never_reaches_the_next_one_by_its_pipe() -> None:
    with Sandbox(workers=1) as sandbox:
        outputs = []
        for at, (_, found) in enumerate(sandbox.run(call(f"def f(x): return {n}", [0]) for n in range(30))):
            if at in (3, 11, 19):
                server = sandbox._pool[0].process
                time.sleep(0.2)                                              # what it had is answered, unread
                server.kill()
                wait_for(lambda server=server: server.poll() is not None)    # what is sent to it now stays unsent
            outputs.append(found[0].output)
    assert sorted(map(str, outputs), key=int) == [str(n) for n in range(30)]


def test_a_fork_server_that_dies_at_a_job_twice_makes_it_a_sandbox_error_and_spares_the_rest() -> None:
    with Sandbox(workers=1, limits=Limits(wall_s=600)) as sandbox:
        def kill_twice() -> None:
            for _ in range(2):
                server = sandbox._pool[0].process.pid
                wait_for(lambda server=server: bool(asleep(server)))
                os.kill(server, signal.SIGKILL)
                wait_for(lambda server=server: sandbox._pool[0].process.pid != server)

        jobs = [call("def f(x): return 0", [0]), call("import time\ndef f(x): time.sleep(500)", [0]),
                call("def f(x): return 2", [0])]
        killer = threading.Thread(target=kill_twice)
        killer.start()
        found = {jobs.index(job): ran for job, (ran,) in sandbox.run(jobs)}
        killer.join()
    assert (found[0].output, found[2].output) == ("0", "2")
    assert found[1] == Ran("sandbox_error", detail="the fork server died")


def asleep(server: int) -> list[int]:
    """Programs beneath a fork server that sleep."""
    return [pid for pid in descendants(children(server)) if state(pid) == "S"]


def test_a_caller_that_stops_in_the_middle_can_go_on_with_other_jobs(sandbox: Sandbox) -> None:
    for _ in sandbox.run(call(f"def f(x): return {n}", [0]) for n in range(20)):
        break
    assert one(sandbox, "def f(x): return 'next'", 0).output == '"next"'


def test_large_sources_and_inputs_cross() -> None:
    with Sandbox(workers=1) as sandbox:
        filler = "#" * 300_000
        outputs = [found[0].output for _, found in sandbox.run(
            call(f"def f(x): return len(x)\n{filler}", ["y" * 300_000]) for _ in range(6))]
    assert outputs == ["300000"] * 6


RUNNER = """
import sys
from feedback.testcases.sandbox.codec import encode
from feedback.testcases.sandbox.job import Job, Limits, Program
from feedback.testcases.sandbox.runner import Sandbox
with Sandbox(workers=2, limits=Limits(wall_s=600)) as sandbox:
    print(*(worker.process.pid for worker in sandbox._pool), flush=True)
    sleeper = Program("python", "import time\\ndef f(x): time.sleep(500)", "f")
    tests = Job(sleeper, "tests", ("f(1)",))
    list(sandbox.run([Job(sleeper, "call", (encode([1]),)), tests]))
"""


def test_nothing_is_left_running_when_the_runner_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", RUNNER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        servers = [int(pid) for pid in runner.stdout.readline().split()]
        wait_for(lambda: len(descendants(servers)) >= 5)      # two second servers, a sleeper, and tests with theirs
        beneath = [*servers, *descendants(servers)]
        runner.kill()
    wait_for(lambda: not any(alive(pid) for pid in beneath))


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pids: list[int]) -> list[int]:
    below = [child for pid in pids for child in children(pid)]
    return [*below, *descendants(below)] if below else []


def state(pid: int) -> str:
    """The letter of a process's state; X where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def alive(pid: int) -> bool:
    return state(pid) not in "XZ"


def test_where_the_kernel_cannot_confine_it_refuses_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "landlock_version", lambda: 0)
    with pytest.raises(SandboxError, match=r"no Landlock.*docker.*unprotected"), Sandbox():
        pass
    monkeypatch.setattr(kernel, "machine", lambda: "riscv64")
    with pytest.raises(SandboxError, match="riscv64"), Sandbox(isolation="strict"):
        pass


def test_unprotected_runs_only_when_it_is_asked_for_by_name() -> None:
    with Sandbox(isolation="unprotected", workers=1, limits=Limits(cpu_s=0.5, wall_s=300)) as sandbox:
        assert sandbox.environment.startswith("unprotected/")
        assert one(sandbox, "import os\ndef f(x): return os.path.exists('/etc') and x", 3).output == "3"
        assert one(sandbox, "def f(x):\n    while True: pass", 3).status == "timeout"


def test_in_namespaces_a_program_has_a_folder_of_its_own_and_nobody_sees_what_it_wrote() -> None:
    source = """
import os, tempfile
def f(x):
    left = os.listdir('.')
    with tempfile.TemporaryDirectory() as folder, open(folder + '/a', 'w') as file: file.write('x' * 100_000)
    open('left behind', 'w').write(str(x))
    return left, os.getpid() < 1000, os.listdir('.'), open('left behind').read()"""
    with namespaced() as sandbox:
        for x in (1, 2):
            assert decode(one(sandbox, source, x).output or "") == ([], True, ["left behind"], str(x))
        assert (one(sandbox, "def f(x): open('/tmp/big', 'wb').write(bytes(64 << 20))", 1).status) == "error"
    assert not Path("/tmp/left behind").exists()


@contextmanager
def namespaced() -> Iterator[Sandbox]:
    try:
        sandbox = Sandbox(isolation="namespaced", workers=1).__enter__()
    except SandboxError as error:
        pytest.skip(str(error))
    with closing(sandbox):
        yield sandbox


def test_a_command_starts_the_fork_servers_elsewhere() -> None:
    with Sandbox(command=("env", "-i", "MARK=1"), python=os.path.realpath(sys.executable), workers=1) as sandbox:
        assert sandbox.isolation == "command"
        assert one(sandbox, "def f(x): return x", 5).output == "5"
    with pytest.raises(SandboxError, match="did not start"), Sandbox(command=("false",)):
        pass


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_bubblewrap_wraps_the_fork_servers() -> None:
    with Sandbox(isolation="bubblewrap", workers=1, limits=Limits(cpu_s=0.5, wall_s=300)) as sandbox:
        assert sandbox.environment.startswith("bubblewrap/")
        ran = one(sandbox, "import os\ndef f(x): return x, os.getuid(), os.getpid() < 100", 3)
        assert decode(ran.output or "") == (3, 65534, True)
        assert one(sandbox, "def f(x):\n    while True: pass", 3).status == "timeout"
        assert one(sandbox, "def f(x): return open('/etc/passwd').read()", 3).status == "error"


@pytest.mark.parametrize("options", [
    {"isolation": "none"}, {"isolation": "command"}, {"isolation": "strict", "command": ("true",)},
])
def test_a_wrong_isolation_is_told_at_once(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="isolation"), Sandbox(**options):
        pass


def test_the_page_on_the_sandbox_shows_code_that_runs() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    assert all(f"`{name}`" in page or f"`{name}=" in page for name in isolation.ISOLATIONS)


def test_jobs_that_cannot_run_here_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigError, match="compiled"):
        list(sandbox.run([Job(Program("c", "int main(){}"), "stdin", ("",))]))
    with pytest.raises(ConfigError, match="entry"):
        list(sandbox.run([Job(Program("python", "1"), "call", ("[]",))]))
    with pytest.raises(ConfigError, match="closed"):
        list(Sandbox().run([]))
