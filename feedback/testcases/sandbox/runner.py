"""The sandbox as the rest of Winnow uses it: jobs in, results out, one per input; verdicts are made elsewhere.

    with Sandbox() as sandbox:
        for job, rans in sandbox.run(jobs):
            ...

What a confined process says is read as untrusted text: a value that is not canonically encoded, or that holds a memory
address, is `unsupported_value`. Whatever fails through no fault of the program is run once more, and if it fails again
is a sandbox_error, which is no label.
"""

import os
import selectors
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from feedback.testcases.sandbox import codec
from feedback.testcases.sandbox.isolation import chosen, prefix_of
from feedback.testcases.sandbox.job import Job, Limits, Ran
from feedback.testcases.sandbox.worker import Worker
from schemas.errors import ConfigError, SandboxError

DEPTH = 3
"""Jobs that a fork server has been sent and not answered: one runs, the others wait in the pipe."""
RECYCLED = 2000
"""Jobs after which a fork server is replaced by a fresh one."""
TRIES = 2


@dataclass(slots=True)
class _Open:
    """A job under way: its results so far, and which inputs are out, by place."""

    job: Job
    rans: list[Ran | None]
    out: list[int]
    tries: int = 1


@dataclass(slots=True)
class Sandbox:
    """Runs programs nobody trusts; a context manager."""

    limits: Limits = field(default_factory=Limits)
    isolation: str | None = None
    """strict, namespaced, bubblewrap, unprotected; None: the first of strict and namespaced that the kernel allows."""
    workers: int | None = None
    """Fork servers; None: one per processor."""
    command: Sequence[str] = ()
    """What the fork servers are started by, such as docker run --rm -i --network=none image."""
    python: str | None = None
    """The interpreter that programs get; None: the one that runs this, or python3 where a command is given."""
    recycled: int = RECYCLED
    environment: str = field(default="", init=False)
    """Isolation, interpreter, processor and limits in one name, for every row that comes from here."""
    _pool: list[Worker] = field(default_factory=list, init=False)
    _prefix: Sequence[str] = field(default=(), init=False)

    def __enter__(self) -> Self:
        """Start the fork servers; raises SandboxError where the kernel cannot confine programs."""
        self.isolation = chosen(self.isolation, bool(self.command))
        self._prefix = prefix_of(self.isolation, self.command)
        if self.python is None:
            self.python = "python3" if self.command else os.path.realpath(sys.executable)
        try:
            for processor in self._processors():
                self._pool.append(self._start(processor))
            for worker in self._pool:             # they get ready beside each other
                worker.greet()
        except BaseException:
            self.close()
            raise
        self.environment = "/".join((
            self.isolation, f"cpython-{self._pool[0].hello['python']}", os.uname().machine, self.limits.digest))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Kill whatever still runs."""
        self.close()

    def close(self) -> None:
        """Kill the fork servers and whatever they run."""
        while self._pool:
            self._pool.pop().stop()

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Each job with one result per input, in the order they are done; jobs are taken as servers get free."""
        if not self._pool:
            raise ConfigError("the sandbox is closed: use it as `with Sandbox() as sandbox:`")
        yield from _Run(self, iter(jobs))

    def _processors(self) -> Sequence[int | None]:
        """One a fork server: where each has a processor of its own it keeps to it, else the kernel spreads them."""
        ours = sorted(os.sched_getaffinity(0))
        count = self.workers or len(ours)
        return ours if count == len(ours) else [None] * count

    def _start(self, processor: int | None) -> Worker:
        inner = self.isolation or ""
        if self._prefix:
            inner = "wrapped"
        return Worker(inner, self.limits, self._prefix, self.python or sys.executable, processor)

    def _replace(self, worker: Worker) -> Worker:
        worker.stop()
        self._pool[self._pool.index(worker)] = fresh = self._start(worker.processor).greet()
        return fresh


class _Run:
    """One pass over some jobs."""

    def __init__(self, sandbox: Sandbox, jobs: Iterator[Job]) -> None:
        self.sandbox = sandbox
        self.jobs = jobs
        self.open: dict[int, _Open] = {}
        self.again: list[int] = []
        self.number = 0
        self.more = True
        self.selector = selectors.DefaultSelector()

    def __iter__(self) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        for worker in self.sandbox._pool:
            self.selector.register(worker.out, selectors.EVENT_READ, worker)
        try:
            while self.fill() or self.open:
                yield from self.step()
        finally:
            for worker in list(self.sandbox._pool):
                if worker.jobs:                       # the caller went away in the middle
                    self.sandbox._replace(worker)
            self.selector.close()

    def fill(self) -> bool:
        """Give each server enough to do; whether any has something."""
        for depth in range(1, DEPTH + 1):
            for worker in list(self.sandbox._pool):
                if worker.served >= self.sandbox.recycled and not worker.jobs:
                    worker = self.renewed(worker)
                if len(worker.jobs) < depth and worker.served + len(worker.jobs) < self.sandbox.recycled + 1:
                    number = self.next()
                    if number is None:
                        break
                    self.send(worker, number)
        return any(worker.jobs for worker in self.sandbox._pool)

    def next(self) -> int | None:
        """The number of a job that waits; a new one is taken where none does."""
        if self.again:
            return self.again.pop()
        while self.more:
            job = next(self.jobs, None)
            if job is None:
                self.more = False
                break
            _checked(job)
            self.number += 1
            self.open[self.number] = _Open(job, [None] * len(job.inputs), list(range(len(job.inputs))))
            return self.number
        return None

    def send(self, worker: Worker, number: int) -> None:
        """Send the inputs of a job that are out."""
        held = self.open[number]
        program = held.job.program
        worker.send(number, (held.job.kind, program.source, program.entry or "",
                             [held.job.inputs[place] for place in held.out]))

    def step(self) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Wait for any server, and give the jobs that are done."""
        for worker in self.sandbox._pool:
            self.watch(worker)
        for key, mask in self.selector.select():
            worker = key.data
            if worker not in self.sandbox._pool:      # buried just now; its pipes' numbers may be another's already
                continue
            if mask & selectors.EVENT_WRITE:
                worker.flush()
            if mask & selectors.EVENT_READ:
                replies = worker.replies()
                if replies is None:
                    yield from self.buried(worker)
                    continue
                for number, results in replies:
                    yield from self.answered(number, [_ran(self.open[number].job, result) for result in results])

    def watch(self, worker: Worker) -> None:
        """Watch whether a server takes more, as long as a part of a job waits; what it says is watched all the time."""
        watched = worker.into in self.selector.get_map()
        if worker.unsent and not watched:
            self.selector.register(worker.into, selectors.EVENT_WRITE, worker)
        elif watched and not worker.unsent:
            self.selector.unregister(worker.into)

    def answered(self, number: int, rans: list[Ran]) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Take results in; what failed by our fault goes out once more."""
        held = self.open[number]
        for place, ran in zip(held.out, rans, strict=True):
            held.rans[place] = ran
        held.out = [place for place, ran in zip(held.out, rans, strict=True) if ran.status == "sandbox_error"]
        if held.out and held.tries < TRIES:
            held.tries += 1
            self.again.append(number)
            return
        del self.open[number]
        yield held.job, tuple(ran for ran in held.rans if ran is not None)

    def buried(self, dead: Worker) -> Iterator[tuple[Job, tuple[Ran, ...]]]:
        """Replace a dead server; the job it was at counts as tried, the others only wait again."""
        numbers = list(dead.jobs)
        self.renewed(dead)
        if not numbers:
            raise SandboxError("a fork server of the sandbox died while it had nothing to do")
        self.again += numbers[1:]
        lost = Ran("sandbox_error", detail="the fork server died")
        yield from self.answered(numbers[0], [lost] * len(self.open[numbers[0]].out))

    def renewed(self, worker: Worker) -> Worker:
        """A fresh server in the place of an old one."""
        for pipe in (worker.out, worker.into):
            if pipe in self.selector.get_map():
                self.selector.unregister(pipe)
        fresh = self.sandbox._replace(worker)
        self.selector.register(fresh.out, selectors.EVENT_READ, fresh)
        return fresh


def _checked(job: Job) -> None:
    """Raises ConfigError for a job that cannot be run here."""
    if job.program.language != "python":
        raise ConfigError(f"a program in {job.program.language} does not run in the Python sandbox: "
                          "use feedback.testcases.compiled")
    if job.kind != "stdin" and not job.program.entry:
        raise ConfigError(f"inputs of kind {job.kind} need the name of a function: give the program an entry")


def _ran(job: Job, result: Sequence[Any]) -> Ran:
    """A result as the rest of Winnow may trust it."""
    status, output, detail, cpu_ms = result
    if status == "ran" and job.kind != "tests":
        wrong = "a memory address" if " at 0x" in output else _not_canonical(output) if job.kind == "call" else None
        if wrong:
            return Ran("error", detail=f"unsupported_value: {wrong}", cpu_ms=cpu_ms)
    return Ran(status, output, detail, cpu_ms)


@lru_cache(maxsize=4096)
def _not_canonical(output: str) -> str | None:
    try:
        codec.decode(output)
    except codec.Unsupported as error:
        return str(error)
    return None
