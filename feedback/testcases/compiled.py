"""Programs in C and C++: compiled by the system's compiler, run on texts, both confined; and what the compiler finds.

Warnings of the compiler and the findings of one static analyser (cppcheck where it is installed, else gcc's own
-fanalyzer, for C) are a signal beside the tests ("Helping LLMs Improve Code Generation Using Feedback from Testing and
Static Analysis", arXiv 2412.14841: models repair C much better with the report in the prompt). The compiler sees the
system's headers and the program, so that an #include of anything else finds nothing. Needs gcc or g++ and what
isolation "strict" needs.
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
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from schemas.errors import ConfigError, SandboxError

COMPILERS = {"c": "gcc", "cpp": "g++"}
FLAGS = {"c": ("-std=gnu17", "-O1", "-Wall", "-Wextra"), "cpp": ("-std=gnu++17", "-O1", "-Wall", "-Wextra")}
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

    @property
    def isolation(self) -> str:
        """How programs are confined."""
        return "strict"

    @property
    def environment(self) -> str:
        """Isolation, compilers, processor and limits in one name, for every row that comes from here."""
        here = [f"{name}-{_version(name)}" for name in sorted(COMPILERS.values()) if shutil.which(name)]
        return "/".join((self.isolation, *here, machine(), self.limits.digest))

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Each job with one result per input; a program is compiled once."""
        chosen("strict", command=False)
        for job in jobs:
            if job.kind != "stdin":
                raise ConfigError(f"a compiled program reads standard input; inputs of kind {job.kind} are Python's")
            with Folder() as folder:
                failed = _compile(job.program, folder)
                yield job, tuple(failed or self._ran(folder, text) for text in job.inputs)

    def _ran(self, folder: Path, text: str) -> Ran:
        program = str(folder / "program")
        return printed(launch([program], folder, self.limits, text, program=program,
                              file_bytes=self.limits.output_bytes + 1), self.limits)


def findings(program: Program) -> list[Finding]:
    """What the compiler warns of and the static analyser finds, by line; raises SandboxError without a compiler."""
    with Folder() as folder:
        _write(program, folder)
        warned = _said(_command(program, "-c", "-o", "program.o"), folder)
        tool, command = _analyser(program)
        analysed = _said(command, folder) if command else ""
    found = {*_parsed("compiler", warned), *_parsed(tool, analysed)}
    return sorted(found, key=lambda each: (each.line, each.tool, each.rule, each.text))


def _said(command: list[str], folder: Path) -> str:
    ended = launch(command, folder, COMPILING)
    if ended.unstarted:
        raise SandboxError(f"{command[0]} did not start: {ended.unstarted}")
    return ended.errors


@cache
def _version(compiler: str) -> str:
    return subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()


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
    ended = launch(command, folder, COMPILING)
    if ended.code == 0 and not ended.signal:
        return None
    if not_ran := ours(ended):
        return not_ran
    first = next((line for line in ended.errors.splitlines() if "error:" in line), "the compiler failed")
    return Ran("error", detail=f"compile_error: {first[:300]}", cpu_ms=ended.cpu_ms)
