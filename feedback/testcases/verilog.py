"""Designs in Verilog: compiled with a testbench by Icarus Verilog and simulated, both confined.

VeriPrefer ("Insights from Verification", Wang et al. 2025, arXiv 2504.15804) prefers the design that passes more of a
testbench's checks, and lets no testbench count that its reference design does not pass. Here an input is a testbench,
which drives the design and prints what it sees; what it should print is said outside (by a reference design, a vote, a
person), so that no design can print its own verdict. The simulator reads its own libraries and the one simulation,
writes no file, and is held by the system-call filter of compiled programs: a design's $fopen and $readmemh find
nothing, and one that takes the simulator over starts nothing. Needs iverilog and vvp, and what "strict" needs.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from platform import machine

from feedback.testcases.confined import COMPILING, Folder, launch, ours, printed
from feedback.testcases.sandbox.isolation import chosen
from feedback.testcases.sandbox.job import Job, Limits, Ran
from schemas.errors import ConfigError, SandboxError

TOOLS = ("iverilog", "vvp")
DESIGN, TESTBENCH, SIMULATION = "program.v", "testbench.v", "program.vvp"
UNSEEN = "-none"
"""No waveforms: a testbench that asks for them would end at the file that it cannot write, whatever the design."""
LOADER = "/etc/ld.so.cache"
"""Where the loader looks up libraries."""
KNOWN = 'module testbench; initial #1 $display("%0d", 6 * 7); endmodule\n', "module other; endmodule\n", "42\n"
"""A testbench, a design and what they print, wherever designs can be simulated at all."""


def missing() -> str | None:
    """Why designs cannot be simulated here; None where they can."""
    lost = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{' and '.join(lost)} not installed: apt-get install iverilog" if lost else None


@dataclass(frozen=True, slots=True)
class Simulated:
    """Runs Verilog designs as `Sandbox` runs Python; kind "stdin" only, an input being a testbench."""

    limits: Limits = field(default_factory=Limits)

    @property
    def isolation(self) -> str:
        """How designs are confined."""
        return "strict"

    @property
    def environment(self) -> str:
        """Isolation, simulator, processor and limits in one name, for every row that comes from here."""
        return "/".join((self.isolation, f"iverilog-{_version()}", machine(), self.limits.digest))

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Each job with one result per testbench: what was printed."""
        chosen("strict", command=False)
        if reason := missing() or _fails(_tool("vvp")):
            raise SandboxError(reason)
        for job in jobs:
            if job.kind != "stdin" or job.program.language != "verilog":
                raise ConfigError(f"a testbench is an input of kind stdin for a program in verilog, not of kind "
                                  f"{job.kind} for one in {job.program.language}")
            yield job, tuple(self._ran(job.program.source, testbench) for testbench in job.inputs)

    def _ran(self, design: str, testbench: str) -> Ran:
        return _simulated(design, testbench, self.limits)


def _simulated(design: str, testbench: str, limits: Limits) -> Ran:
    vvp = _tool("vvp")
    with Folder() as folder:
        for name, source in ((DESIGN, design), (TESTBENCH, testbench)):
            (folder / name).write_text(source, encoding="utf-8", errors="surrogatepass")
        if failed := _compile(folder):
            return failed
        return printed(launch([vvp, "-n", SIMULATION, UNSEEN], folder, limits, program=vvp,
                              file_bytes=limits.output_bytes + 1,
                              reads=[*_libraries(vvp), str(folder / SIMULATION)]), limits)


@cache
def _fails(vvp: str) -> str | None:
    """Why this simulator cannot be held and still simulate; None where a known design prints what it should."""
    testbench, design, prints = KNOWN
    found = _simulated(design, testbench, COMPILING)
    if found.output == prints:
        return None
    return f"{vvp} does not run confined here ({found.status}: {found.detail or found.output}): reinstall iverilog " \
           "by the system's package manager, or leave out programs in verilog"


@cache
def _libraries(vvp: str) -> tuple[str, ...]:
    """The files that the simulator loads: its modules, and the libraries that it and they name."""
    folder = _told([_tool("iverilog-vpi"), "--install-dir"]).strip()
    modules = sorted(map(str, Path(folder).glob("*.vpi")))
    named = re.findall(r"(/\S+) \(0x", _told([_tool("ldd"), vvp, *modules]))
    return (*modules, *sorted(set(named)), *[LOADER] * Path(LOADER).exists())


def _told(command: list[str]) -> str:
    """What one of the system's own commands says; raises SandboxError."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(f"what Icarus Verilog loads cannot be found: {error}") from error


def _compile(folder: Path) -> Ran | None:
    """Compile both into the folder, the testbench first, so that no macro of the design changes it; why that failed."""
    ended = launch([_tool("iverilog"), "-g2012", "-o", SIMULATION, TESTBENCH, DESIGN], folder, COMPILING)
    if ended.code == 0 and not ended.signal and (folder / SIMULATION).exists():
        return None
    if not_ran := ours(ended):
        return not_ran
    said = [line for line in ended.errors.splitlines() if line.startswith((f"{DESIGN}:", f"{TESTBENCH}:"))]
    first = next((line for line in said if "warning:" not in line), "the compiler failed")
    return Ran("error", detail=f"compile_error: {first[:300]}", cpu_ms=ended.cpu_ms)


def _tool(name: str) -> str:
    return shutil.which(name) or name


@cache
def _version() -> str:
    """As in "Icarus Verilog runtime version 11.0 (stable) ()"."""
    told = subprocess.run([_tool("vvp"), "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False).stdout
    found = re.search(r"version (\S+)", told)
    return found[1] if found else "unknown"
