"""What is run and what comes back: programs, jobs, limits, one result per input; never an expected value."""

from dataclasses import asdict, dataclass
from typing import Literal

from schemas.ids import digest

Language = Literal["python", "c", "cpp", "verilog"]
Kind = Literal["call", "stdin", "tests"]
Status = Literal["ran", "error", "timeout", "sandbox_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use; its digest is part of the environment's name, so a limit changed is another environment."""

    cpu_s: float = 2.0
    """CPU seconds of one input, user and system."""
    wall_s: float = 20.0
    """Loose on purpose: walls stretch when a machine is busy, CPU does not, and labels must not depend on load."""
    memory_mb: int = 1024
    """Address space of one process."""
    output_bytes: int = 65_536
    """Of one encoded value, or of what is printed for one input."""
    files: int = 32
    """Open files at a time."""
    processes: int = 16
    """Processes and threads where the isolation lets a program start any."""
    disk_mb: int = 16
    """Private folder, where the isolation gives one."""

    @property
    def digest(self) -> str:
        """The id of these limits."""
        return digest("limits", asdict(self))


@dataclass(frozen=True, slots=True)
class Program:
    """A program as text."""

    language: Language
    source: str
    entry: str | None = None
    """The function that kinds "call" and "tests" call."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program and the inputs to run it on.

    kind "call": an input is codec.encode(arguments, ordered=True), arguments being the list of positional ones.
    kind "stdin": an input is the raw text of standard input.
    kind "tests": an input is the source of a test program. It runs in a process of its own, where the entry (also
    called candidate) is a stand-in that sends arguments to the program and gets results back, as encoded values.
    """

    program: Program
    kind: Kind
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of one input, without a verdict."""

    status: Status
    """ran; error (of the program: detail says which); timeout; sandbox_error (of ours, tried twice: never a label)."""
    output: str | None = None
    """kind "call": the returned value, encoded; "stdin": what was printed; "tests": passed or failed."""
    detail: str | None = None
    """An exception's name, or one of compile_error, crashed: SIGSEGV, early_exit, memory, output_limit,
    unsupported_value, cpu, wall, no_entry; for "tests" that failed, how and where."""
    cpu_ms: float = 0.0
    """User and system time of the input; for information, as the program's own process counts it."""
