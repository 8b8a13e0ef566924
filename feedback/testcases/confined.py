"""One command, confined: a compiler, a simulator, or a program they made; and what its end says of a program."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback.testcases.sandbox.job import Limits, Ran
from feedback.testcases.sandbox.launch import READY

COMPILING = Limits(cpu_s=20, wall_s=120, memory_mb=2048, disk_mb=64)
CHECKOUT = Path(__file__).resolve().parents[2]
START = "import sys, json; sys.path.insert(0, sys.argv[2]); from feedback.testcases.sandbox.launch import main; " \
        "main(json.loads(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    signal: int
    wall: bool
    """It was killed, with all that it started, when the wall fell."""
    output: bytes
    errors: str
    cpu_ms: float
    unstarted: str | None = None
    """Why it did not start, which is no fault of what it was to run."""


def launch(command: list[str], folder: Path, limits: Limits, text: str = "", program: str | None = None,
           file_bytes: int | None = None, reads: Sequence[str] = ()) -> Ended:
    """Run a command in a folder, with `text` as its standard input.

    `program` is the one file that may be run, which then reads no other but the files `reads`, writes none, and makes
    only the system calls that programs may; without it the command may read and run the system's own files, and write
    the folder where its permissions let it. `file_bytes` is the most it may write to one file (None: what the limits
    say).
    """
    written = limits.disk_mb << 20 if file_bytes is None else file_bytes
    options = {"parent": os.getpid(), "folder": str(folder), "program": program, "command": command,
               "reads": list(reads),
               "cpu_s": int(limits.cpu_s) + (limits.cpu_s % 1 > 0), "memory_bytes": limits.memory_mb << 20,
               "file_bytes": written}
    told, tell = os.pipe()
    start = [sys.executable, "-S", "-s", "-P", "-B", "-c", START, json.dumps({**options, "ready": tell}), str(CHECKOUT)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as put, tempfile.TemporaryFile() as said:
        given.write(text.encode("utf-8", "surrogatepass"))
        given.seek(0)
        process = subprocess.Popen(start, stdin=given, stdout=put, stderr=said, cwd="/", env={}, start_new_session=True,
                                   pass_fds=[tell])
        os.close(tell)
        wall = _awaited(process, limits.wall_s)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        put.seek(0)
        said.seek(0)
        output, errors = put.read(written + 1), said.read(1 << 20).decode("utf-8", "replace")
    with os.fdopen(told, "rb") as ready:
        word = ready.read()
    code = process.returncode
    unstarted = None if word == READY else word.removeprefix(READY).decode("utf-8", "replace") or f"it ended by {code}"
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    return Ended(max(code, 0), max(-code, 0), wall, output, errors, cpu_ms, unstarted)


def ours(ended: Ended) -> Ran | None:
    """The result of a command that did not start; None where it did."""
    why = ended.unstarted
    return Ran("sandbox_error", detail=f"not started: {why[:300]}", cpu_ms=ended.cpu_ms) if why else None


def printed(ended: Ended, limits: Limits) -> Ran:
    """What a program's end says: what it printed, or how it failed."""
    if not_ran := ours(ended):
        return not_ran
    if len(ended.output) > limits.output_bytes or ended.signal == signal.SIGXFSZ:
        return Ran("error", detail=f"output_limit: more than {limits.output_bytes} bytes", cpu_ms=ended.cpu_ms)
    if ended.wall:
        busy = ended.cpu_ms > limits.cpu_s * 250      # it was computing, but did not get the processor
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


class Folder:
    """A folder that a throwaway user may write, for one program."""

    def __enter__(self) -> Path:
        self.made = Path(tempfile.mkdtemp(prefix="winnow-compiled-"))
        self.made.chmod(0o777)
        return self.made

    def __exit__(self, *_: object) -> None:
        self.made.chmod(0o700)      # it may have been closed to writing
        shutil.rmtree(self.made, ignore_errors=True)
