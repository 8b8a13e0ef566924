"""One fork server as the runner sees it: a process, the frames to and from it, and the jobs it was given."""

import contextlib
import fcntl
import os
import struct
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

from feedback.testcases.sandbox import bootstrap, codec
from feedback.testcases.sandbox.job import Limits
from schemas.errors import SandboxError

_LENGTH = struct.Struct("<I")
PATIENCE_S = 60.0
PIPE_BYTES = 1 << 19
"""Enough for all a fork server is sent first, so that the next need not wait for it to start."""
REMEDY = "See docs/sandbox.md for what each isolation needs"
REMEDIES = {"namespaced": "It needs user namespaces that anyone may make (on Ubuntu: sysctl "
                          "kernel.apparmor_restrict_unprivileged_userns=0); isolation 'strict' does without"}


class Worker:
    """A fork server; `jobs` are the numbers of what it has been sent and not answered, in order."""

    def __init__(self, isolation: str, limits: Limits, prefix: Sequence[str], python: str,
                 processor: int | None = None) -> None:
        self.processor = processor
        self.process = subprocess.Popen(
            bootstrap.command(python, prefix), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, cwd="/",
            env=dict(os.environ) if prefix else bootstrap.ENVIRONMENT)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.into, self.out = self.process.stdin.fileno(), self.process.stdout.fileno()
        if processor is not None:                 # what waits for each other is quickest side by side
            with contextlib.suppress(OSError):
                os.sched_setaffinity(self.process.pid, {processor})
        with contextlib.suppress(OSError):        # a user has so much for all pipes
            fcntl.fcntl(self.into, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.jobs: deque[int] = deque()
        self.served = 0
        self._incoming, self._outgoing = bytearray(), bytearray()
        self.hello: Mapping[str, Any] = {}
        self._isolation = isolation
        self._configure({"isolation": isolation, "limits": asdict(limits), "bytecode": bootstrap.BYTECODE,
                         "packages": bootstrap.PACKAGES, "modules": bootstrap.modules()})

    def _configure(self, config: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            rest = memoryview(frame(config))
            while rest:
                rest = rest[os.write(self.into, rest):]
        os.set_blocking(self.into, False)

    def greet(self) -> Self:
        """Wait until it is ready; raises SandboxError where it cannot confine programs."""
        while not self.hello:
            part = os.read(self.out, 1 << 16)
            if not part:
                raise SandboxError(f"the sandbox's fork server did not start: {self.last_words()}")
            self._incoming += part
            for hello in self._frames():
                if "refused" in hello:
                    self.stop()
                    raise SandboxError(
                        f"this machine does not let the sandbox confine programs as '{self._isolation}': "
                        f"{hello['refused']}. {REMEDIES.get(self._isolation, REMEDY)}")
                self.hello = hello
        return self

    def send(self, number: int, request: Sequence[Any]) -> None:
        """Queue a job; flush sends it."""
        self.jobs.append(number)
        self._outgoing += (b"t" if request[0] == "tests" else b"p") + frame([number, *request])
        self.flush()

    @property
    def unsent(self) -> bool:
        """Whether a part of a job waits for the pipe."""
        return bool(self._outgoing)

    def flush(self) -> None:
        """Send what the pipe takes."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):   # a dead server shows when it is read
            while self._outgoing:
                del self._outgoing[:os.write(self.into, self._outgoing)]

    def replies(self) -> list[tuple[int, list[Any]]] | None:
        """What has come, once something can be read; None where the server is dead."""
        part = os.read(self.out, 1 << 18)
        if not part:
            return None
        self._incoming += part
        found = [(int(number), results) for number, results in self._frames()]
        for number, _ in found:
            self.jobs.remove(number)
        self.served += len(found)
        return found

    def _frames(self) -> list[Any]:
        found = []
        while len(self._incoming) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._incoming)[0]
            if len(self._incoming) < end:
                break
            found.append(codec.scanned(self._incoming[_LENGTH.size:end].decode())[0])
            del self._incoming[:end]
        return found

    def last_words(self) -> str:
        """The last line of a dead server's complaint."""
        assert self.process.stderr is not None
        lines = self.process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        self.stop()
        return lines[-1] if lines else f"exit status {self.process.returncode}"

    def stop(self) -> None:
        """Kill it; its children die with it."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self.process.wait(PATIENCE_S)


def frame(value: Any) -> bytes:
    """A value as the servers read it."""
    body = codec.dumped(value).encode()
    return _LENGTH.pack(len(body)) + body
