"""Programs in C and C++: compiled by the system's compiler, run on texts, both confined; and what the compiler finds.

Warnings of the compiler and the findings of one static analyser (cppcheck where it is installed, else gcc's own
-fanalyzer, for C) are a signal beside the tests ("Enhancing LLM-based code generation with static analysis": models
repair with the report in the prompt). The compiler sees the system's headers and the program, so that an #include of
anything else finds nothing. Needs gcc or g++ and what isolation "strict" needs.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from feedback.testcases.sandbox.isolation import chosen
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from schemas.errors import ConfigError, SandboxError

COMPILERS = {"c": "gcc", "cpp": "g++"}
FLAGS = {"c": ("-std=gnu17", "-O1", "-Wall", "-Wextra"), "cpp": ("-std=gnu++17", "-O1", "-Wall", "-Wextra")}
COMPILING = Limits(cpu_s=20, wall_s=120, memory_mb=2048, disk_mb=64)
CHECKOUT = Path(__file__).resolve().parents[2]
START = "import sys, json; sys.path.insert(0, sys.argv[2]); from feedback.testcases.sandbox.launch import main; " \
        "main(json.loads(sys.argv[1]))"
_FINDING = re.compile(r"^program\.\w+:(\d+):\d+: (?:warning|error|portability): (.*?) \[([\w=+-]+)\]$")


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint about a program."""

    tool: str
    rule: str
    """Such as -Wunused-variable, or cppcheck's id."""
    line: int
    text: str


def missing(language: str) -> str | None:
    """Why programs of a language cannot be compiled here; None where they can."""
    compiler = COMPILERS.get(language)
    if compiler is None:
        return f"Winnow compiles {', '.join(COMPILERS)}, not {language}"
    return None if shutil.which(compiler) else f"{compiler} is not installed: apt-get install {compiler}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """Runs C and C++ programs as `Sandbox` runs Python; kind "stdin" only."""

    limits: Limits = field(default_factory=Limits)

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Each job with one result per input; a program is compiled once."""
        chosen("strict", command=False)
        for job in jobs:
            if job.kind != "stdin":
                raise ConfigError(f"a compiled program reads standard input; inputs of kind {job.kind} are Python's")
            with _folder() as folder:
                failed = _compile(job.program, folder)
                yield job, tuple(failed or self._ran(folder, text) for text in job.inputs)

    def _ran(self, folder: Path, text: str) -> Ran:
        ended = _launch([str(folder / "program")], folder, self.limits, text, program=str(folder / "program"))
        if len(ended.output) > self.limits.output_bytes or ended.signal == signal.SIGXFSZ:
            return Ran("error", detail=f"output_limit: more than {self.limits.output_bytes} bytes", cpu_ms=ended.cpu_ms)
        if ended.wall:
            busy = ended.cpu_ms > self.limits.cpu_s * 250      # it was computing, but did not get the processor
            return Ran("sandbox_error" if busy else "timeout", detail="wall", cpu_ms=ended.cpu_ms)
        if ended.signal in (signal.SIGXCPU, signal.SIGKILL):
            return Ran("timeout", detail="cpu", cpu_ms=ended.cpu_ms)
        if ended.signal:
            return Ran("error", detail=f"crashed: {signal.Signals(ended.signal).name}", cpu_ms=ended.cpu_ms)
        if ended.code:
            return Ran("error", detail=f"exit_status: {ended.code}", cpu_ms=ended.cpu_ms)
        try:
            return Ran("ran", ended.output.decode(), None, ended.cpu_ms)
        except UnicodeDecodeError:
            return Ran("error", detail="unsupported_value: the output is not UTF-8", cpu_ms=ended.cpu_ms)


def findings(program: Program) -> list[Finding]:
    """What the compiler warns of and the static analyser finds, by line; raises SandboxError without a compiler."""
    with _folder() as folder:
        _write(program, folder)
        warned = _launch(_command(program, "-c", "-o", "program.o"), folder, COMPILING).errors
        tool, command = _analyser(program)
        analysed = _launch(command, folder, COMPILING).errors if command else ""
    found = {*_parsed("compiler", warned), *_parsed(tool, analysed)}
    return sorted(found, key=lambda each: (each.line, each.tool, each.rule, each.text))


def _analyser(program: Program) -> tuple[str, list[str]]:
    cppcheck = shutil.which("cppcheck")
    if cppcheck:
        template = "--template={file}:{line}:{column}: {severity}: {message} [{id}]"
        return "cppcheck", [cppcheck, "--quiet", "--enable=warning,portability", template, _name(program)]
    if program.language == "c":
        return "analyzer", _command(program, "-O0", "-fanalyzer", "-c", "-o", "program.o")
    return "none", []


def _parsed(tool: str, text: str) -> Iterator[Finding]:
    for line in text.splitlines():
        found = _FINDING.match(line)
        if found and (tool != "analyzer" or found[3].startswith("-Wanalyzer")):
            yield Finding(tool, found[3], int(found[1]), found[2])


def _name(program: Program) -> str:
    return {"c": "program.c", "cpp": "program.cpp"}[program.language]


def _command(program: Program, *options: str) -> list[str]:
    reason = missing(program.language)
    if reason:
        raise SandboxError(reason)
    compiler = shutil.which(COMPILERS[program.language]) or ""
    return [compiler, *FLAGS[program.language], *options, _name(program)]


def _write(program: Program, folder: Path) -> None:
    (folder / _name(program)).write_text(program.source, encoding="utf-8", errors="surrogatepass")


def _compile(program: Program, folder: Path) -> Ran | None:
    """Compile into the folder; the result of every input where that fails."""
    command = [*_command(program, "-static", "-o", "program"), "-lm"]
    _write(program, folder)
    ended = _launch(command, folder, COMPILING)
    if ended.code == 0 and not ended.signal:
        return None
    first = next((line for line in ended.errors.splitlines() if "error:" in line), "the compiler failed")
    return Ran("error", detail=f"compile_error: {first[:300]}", cpu_ms=ended.cpu_ms)


@dataclass(frozen=True, slots=True)
class _Ended:
    code: int
    signal: int
    wall: bool
    output: bytes
    errors: str
    cpu_ms: float


def _launch(command: list[str], folder: Path, limits: Limits, text: str = "", program: str | None = None) -> _Ended:
    written = limits.output_bytes + 1 if program else limits.disk_mb << 20
    options = {"parent": os.getpid(), "folder": str(folder), "program": program, "command": command,
               "cpu_s": int(limits.cpu_s) + (limits.cpu_s % 1 > 0), "memory_bytes": limits.memory_mb << 20,
               "file_bytes": written}
    start = [sys.executable, "-S", "-s", "-P", "-B", "-c", START, json.dumps(options), str(CHECKOUT)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as put, tempfile.TemporaryFile() as said:
        given.write(text.encode("utf-8", "surrogatepass"))
        given.seek(0)
        process = subprocess.Popen(start, stdin=given, stdout=put, stderr=said, cwd="/", env={}, start_new_session=True)
        wall = _awaited(process, limits.wall_s)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        put.seek(0)
        said.seek(0)
        output, errors = put.read(written + 1), said.read(1 << 20).decode("utf-8", "replace")
    code = process.returncode
    return _Ended(max(code, 0), max(-code, 0), wall, output, errors, (usage.ru_utime + usage.ru_stime) * 1000)


def _awaited(process: subprocess.Popen[bytes], wall_s: float) -> bool:
    """Wait until the process has ended, but do not reap it; whether it had to be killed, with all that it started."""
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    handle = os.pidfd_open(process.pid)
    try:
        ended_in_time = bool(ended) or bool(select.select([handle], [], [], wall_s)[0])
    finally:
        os.close(handle)
    if not ended_in_time:
        os.killpg(process.pid, signal.SIGKILL)
    return not ended_in_time


class _folder:
    """A folder that a throwaway user may write, for one program."""

    def __enter__(self) -> Path:
        self.made = Path(tempfile.mkdtemp(prefix="winnow-compiled-"))
        self.made.chmod(0o777)
        return self.made

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.made, ignore_errors=True)
