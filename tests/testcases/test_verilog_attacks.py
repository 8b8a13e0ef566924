"""Attacks on the simulator of Verilog: designs that open files, never end or take too much; a simulator taken over."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.testcases import compiled, verilog
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from feedback.testcases.verilog import Simulated, missing
from schemas.errors import SandboxError

pytestmark = [pytest.mark.skipif(reason is not None, reason=f"{reason}") for reason in (
    isolation.strict_misses(), missing())]
LIMITS = Limits(cpu_s=1, wall_s=300, memory_mb=512)
TESTBENCH = "module testbench; attack dut(); initial #9 $finish; endmodule\n"
HOSTILE = r"""#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
int main(void) {
  printf("%d %d %d ", fork(), socket(2, 1, 0), execl("/bin/sh", "sh", "-c", "true", (char *)0));
  printf("%d ", system("true") ? -1 : 0);
  printf("%d %d ", kill(getppid(), 0), ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 ? -1 : 0);
  printf("%d %d %d ", open("/etc/passwd", O_RDONLY), open("left", O_CREAT | O_RDWR, 0600), open(".", O_RDONLY));
  printf("%d %d ", open("/proc/self/environ", O_RDONLY), open(SECRET, O_WRONLY));
  printf("%d %d ", chmod(SECRET, 0777), unlink(SECRET));
  printf("%d", mmap(0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  return 0; }"""


def ran(body: str, declared: str = "", testbench: str = TESTBENCH) -> Ran:
    design = f"module attack; {declared}\n  {body}\nendmodule\n"
    ((_, (found,)),) = Simulated(LIMITS).run([Job(Program("verilog", design), "stdin", (testbench,))])
    return found


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may read and write, so that permissions alone protect nothing in it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    (folder / "secret").write_text("51\n")
    (folder / "secret").chmod(0o666)
    yield folder
    shutil.rmtree(folder)


def kept(folder: Path) -> bool:
    """Whether the folder is as it was."""
    return [path.name for path in folder.iterdir()] == ["secret"] and (folder / "secret").read_text() == "51\n"


@pytest.mark.parametrize("how", ["r", "r+", "w", "a"])
def test_fopen_opens_no_file_of_the_machine_in_any_way(shared: Path, how: str) -> None:
    names = (shared / "secret", "/etc/passwd", "/usr/bin/env", "/proc/self/environ", "/dev/stdout", ".", "program.v",
             "testbench.v", shared / "left", "left")
    tried = " ".join(f'$display("%0d", $fopen("{name}", "{how}"));' for name in names)
    assert ran(f"initial begin {tried} end").output == "0\n" * len(names)
    assert kept(shared)


def test_what_is_written_to_a_file_that_did_not_open_goes_nowhere(shared: Path) -> None:
    found = ran(f'initial begin f = $fopen("{shared / "left"}", "w"); $fwrite(f, "told"); $fclose(f); $display("end"); '
                "end", "integer f;")
    assert (found.output or "").endswith("end\n")
    assert kept(shared)


def test_readmem_takes_nothing_into_a_memory(shared: Path) -> None:
    tried = " ".join(f'${task}("{name}", m); $display("took %h", m[0]);' for task in ("readmemh", "readmemb")
                     for name in (shared / "secret", "/etc/passwd", "program.v"))
    found = ran(f"initial begin {tried} end", "reg [7:0] m [0:3];")
    assert [line for line in (found.output or "").splitlines() if line.startswith("took")] == ["took xx"] * 6
    assert "root" not in str(found)


def test_the_tasks_that_write_files_write_none(shared: Path) -> None:
    found = ran(f'initial begin m[0] = 1; $writememh("{shared / "left"}", m); $dumpfile("{shared / "left.vcd"}"); '
                f'$dumpvars(0); #1 $dumpall; $dumpports(m[0], "{shared / "ports"}"); end', "reg [7:0] m [0:3];")
    assert found.status in ("ran", "error")
    assert kept(shared)


def test_a_testbench_that_asks_for_waveforms_goes_on_without_them() -> None:
    asks = TESTBENCH.replace("initial", 'initial begin $dumpfile("waves.vcd"); $dumpvars(0, testbench); end\n  initial')
    assert (ran('initial #1 $display("after");', testbench=asks).output or "").endswith("suppressed.\nafter\n")


@pytest.mark.parametrize("body", [
    "initial forever ;", "always #1 ;", "initial forever #0 ;",
])
def test_an_endless_design_ends_on_its_time(body: str) -> None:
    found = ran(body, testbench="module testbench; attack dut(); endmodule\n")
    assert (found.status, found.detail) == ("timeout", "cpu")


@pytest.mark.parametrize(("body", "declared"), [
    ('initial begin m = 0; $display("%b", m); end', "reg [1048575:0] m;"),
    ("initial forever #0 $display(\"told\");", ""),
])
def test_gigabytes_of_output_are_an_error_after_the_first_kilobytes(body: str, declared: str) -> None:
    found = ran(body, declared)
    assert (found.status, (found.detail or "")[:12]) in {("error", "output_limit"), ("timeout", "cpu")}


@pytest.mark.parametrize(("body", "declared"), [
    ("initial m[0] = 1;", "reg [63:0] m [0:268435455];"),
    ('initial begin s = "x"; forever s = {s, s}; end', "string s;"),
    ("initial t;", "task automatic t; fork t; t; join_none endtask"),
    ('initial $display("%0d", f(0));', "function automatic integer f(input integer n); f = f(n + 1) + 1; endfunction"),
])
def test_a_design_that_takes_all_memory_harms_itself_alone(body: str, declared: str) -> None:
    assert ran(body, declared).status in ("error", "timeout")
    assert ran('initial $display("next");').output == "next\n"


def test_no_task_starts_a_command(shared: Path) -> None:
    found = ran(f'initial $system("touch {shared / "left"}");')
    assert found.status == "error"
    assert kept(shared)


@pytest.mark.skipif(compiled.missing("c") is not None, reason=f"{compiled.missing('c')}")
def test_a_simulator_that_a_design_has_taken_over_starts_and_reaches_nothing(
        shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Path(tempfile.mkdtemp())
    tools.chmod(0o755)
    secret = f'-DSECRET="{shared / "secret"}"'
    made = ["gcc", "-w", secret, "-x", "c", "-o", str(tools / "vvp"), "-"]
    subprocess.run(made, input=HOSTILE, text=True, check=True)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(verilog, "KNOWN", (*verilog.KNOWN[:2], "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1"))
    assert ran("initial $display;").output == "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1"
    assert kept(shared)
    shutil.rmtree(tools)


def test_a_simulator_that_does_not_run_confined_makes_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Path(tempfile.mkdtemp())
    tools.chmod(0o755)
    (tools / "vvp").symlink_to("/bin/false")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(SandboxError, match="does not run confined here"):
        ran("initial $display;")
    shutil.rmtree(tools)
