"""Comparing many pairs of maths answers: exact numbers here at once, expressions in processes that may be killed."""

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from feedback.testcases.maths.equal import Equal, Verdict, Written, quick
from feedback.testcases.maths.extract import Answer
from feedback.testcases.maths.form import Form
from schemas.errors import ConfigError, WinnowError

INSTALL = "pip install --constraint constraints.txt --editable '.[maths]'"
_CHECKOUT = Path(__file__).resolve().parents[3]
_BYTECODE = _CHECKOUT / ".maths_cache"
"""sympy's byte code, 20 MB: a worker starts in a fifth of the time with it, and the installation stays small."""
_WALL_FACTOR = 300
"""A worker that gives no sign for so many times its CPU seconds is stuck outside the CPU: it is killed."""
_AHEAD = 256
"""How many pairs are taken before the verdict that is due is known."""
_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True)
class _Job:
    number: int
    gold: str
    answer: str
    strict: bool
    retried: bool = False

    @property
    def line(self) -> bytes:
        return json.dumps([self.gold, self.answer, self.strict]).encode() + b"\n"


@dataclass(slots=True, eq=False)
class _Worker:
    """One process, and the pair it is at."""

    process: subprocess.Popen[bytes]
    job: _Job | None = None
    begun: str | None = None
    """The text it reads now; None while it compares a pair."""
    unread: bytes = b""

    @property
    def output(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def ask(self, job: _Job) -> None:
        assert self.process.stdin is not None
        self.job, self.begun, self.unread = job, None, b""
        with contextlib.suppress(BrokenPipeError):  # its death is seen when its output is read
            self.process.stdin.write(job.line)
            self.process.stdin.flush()

    def end(self) -> int:
        """Kill it; its exit status."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        return self.process.wait()


@dataclass(kw_only=True)
class MathsWorkers:
    """Compares pairs of answers; a context manager, whose worker processes start when an expression needs one.

    Without the extra `maths` (math-verify) numbers, text, lists and intervals of numbers are still compared, and
    pairs of other expressions are unknown, with one warning. One `compare` at a time.
    """

    workers: int = 2
    seconds: float = 2.0
    """CPU seconds for reading each expression, and again for comparing each pair; longer is unknown."""
    timeouts: int = 0
    """How many texts and pairs took longer."""
    _pool: list[_Worker] = field(default_factory=list, repr=False)
    _hung: set[str] = field(default_factory=set, repr=False)
    """Texts that took too long by themselves: no pair with them is asked again."""
    _known: dict[tuple[str, str, bool], Equal] = field(default_factory=dict, repr=False)
    _warned: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a pool that nothing would ever come out of."""
        if self.workers < 1:
            raise ConfigError(f"MathsWorkers: workers is {self.workers}; give 1 or more")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes."""
        while self._pool:
            self._pool.pop().end()

    def compare(self, pairs: Iterable[tuple[Written, Written]], strict: bool = False) -> Iterator[Equal]:
        """One verdict a pair (gold, answer), in their order; an answer that is None is unknown.

        `strict` accepts only what is proved: one answer's missing unit, or name as in x = 5, makes it unknown.
        """
        try:
            yield from self._compared(pairs, strict)
        finally:
            for worker in self._busy():  # nobody waits for what it would say
                self._pool.remove(worker)
                worker.end()

    def _compared(self, pairs: Iterable[tuple[Written, Written]], strict: bool) -> Iterator[Equal]:
        source = enumerate(pairs)
        done: dict[int, Equal] = {}
        waiting: deque[_Job] = deque()
        due, taken, more = 0, 0, True
        while more or due < taken:
            while more and taken - due < _AHEAD and len(waiting) < self.workers:
                number, (gold, answer) = next(source, (-1, (None, None)))
                if number < 0:
                    more = False
                    break
                taken = number + 1
                if (verdict := self._at_once(gold, answer, strict)) is None:
                    waiting.append(_Job(number, _text(gold), _text(answer), strict))
                else:
                    done[number] = verdict
            while due in done:
                yield done.pop(due)
                due += 1
            if due < taken:
                self._turn(waiting, done)

    def _at_once(self, gold: Written, answer: Written, strict: bool) -> Verdict:
        """What needs no worker: the quick verdict, a pair seen before, and all pairs where there is no math-verify."""
        verdict = quick(gold, answer, strict, self._hanging)
        if verdict is None:
            verdict = self._known.get(_pair(_text(gold), _text(answer), strict))
        if verdict is None and not self._installed():
            return "unknown"
        return verdict

    def _hanging(self, one: Form, other: Form) -> Verdict:
        return "unknown" if one.text in self._hung or other.text in self._hung else None

    def _installed(self) -> bool:
        if importlib.util.find_spec("math_verify"):
            return True
        if not self._warned:
            warnings.warn(f"math-verify is not installed: maths answers that are no plain numbers are compared as "
                          f"unknown. Install it with: {INSTALL}", RuntimeWarning, stacklevel=4)
            self._warned = True
        return False

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._pool if worker.job]

    def _turn(self, waiting: deque[_Job], done: dict[int, Equal]) -> None:
        """Give idle workers a pair each, and read what the others say."""
        for worker in self._pool:
            if waiting and worker.job is None:
                worker.ask(waiting.popleft())
        while waiting and len(self._pool) < self.workers:
            self._pool.append(_started(self.seconds))
            self._pool[-1].ask(waiting.popleft())
        with selectors.DefaultSelector() as selector:
            for worker in self._busy():
                selector.register(worker.output, selectors.EVENT_READ, worker)
            ready = selector.select(self.seconds * _WALL_FACTOR)
        if not ready:
            for worker in self._busy():
                self._died(worker, waiting, done)
        for key, _ in ready:
            self._heard(key.data, waiting, done)

    def _heard(self, worker: _Worker, waiting: deque[_Job], done: dict[int, Equal]) -> None:
        said = os.read(worker.output, 1 << 16)
        if not said:
            self._died(worker, waiting, done)
            return
        *lines, worker.unread = (worker.unread + said).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "begins" in message:
                worker.begun = message["begins"]
            elif worker.job:
                done[worker.job.number] = self._remember(worker.job, message["verdict"])
                worker.job = None

    def _died(self, worker: _Worker, waiting: deque[_Job], done: dict[int, Equal]) -> None:
        """Out of time is unknown; killed by another is tried once more, in a new process."""
        job, status = worker.job, worker.end()
        self._pool.remove(worker)
        if job is None:
            return
        if status == -signal.SIGPROF:
            self.timeouts += 1
            if worker.begun is not None:
                self._hung.add(worker.begun)
            done[job.number] = self._remember(job, "unknown")
        elif job.retried:
            done[job.number] = "unknown"
        else:
            waiting.appendleft(_Job(job.number, job.gold, job.answer, job.strict, retried=True))

    def _remember(self, job: _Job, verdict: Equal) -> Equal:
        if len(self._known) < _REMEMBERED:
            self._known[_pair(job.gold, job.answer, job.strict)] = verdict
        return verdict


def _started(seconds: float) -> _Worker:
    command = [sys.executable, "-X", f"pycache_prefix={_BYTECODE}", "-m", "feedback.testcases.maths.worker",
               str(os.getpid()), str(seconds)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        process = subprocess.Popen(command, cwd=_CHECKOUT, env=environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise WinnowError(f"cannot start a maths worker ({error.strerror}): {' '.join(command)}") from error
    return _Worker(process)


def _pair(gold: str, answer: str, strict: bool) -> tuple[str, str, bool]:
    """What a verdict is remembered under, whichever of the two comes first."""
    return (gold, answer, strict) if gold < answer else (answer, gold, strict)


def _text(written: Written) -> str:
    return written.text if isinstance(written, Answer) else written or ""
