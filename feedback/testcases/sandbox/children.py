"""Forking confined processes and reading how they ended: a program's calls, a script's output.

The standard library only: this file is run inside the sandbox.
"""

import gc
import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from feedback.testcases.sandbox import codec, inside, kernel, records
from feedback.testcases.sandbox.confine import Confinement
from feedback.testcases.sandbox.frames import COMMANDS, Hung, write_all
from feedback.testcases.sandbox.records import Page

LIBRARY, CHANNEL = 5, 6
"""Descriptors that a child keeps: the library's folder, and the channel where it has a partner."""
INPUTS, MOST_INPUTS = 16, 256
"""As many as most jobs have; as many as one process gets, whose memory the page for its results counts in."""
RESULTS = (records.RAN, records.ERROR, records.OURS)

ENDS, TICK_S = (signal.SIGCHLD,), 0.25
"""What the kernel sends when a child ends; how often we look whether the runner is gone while none does."""

Result = tuple[str, str | None, str | None, float]
"""Status, output, detail, CPU ms."""
EARLY: Result = ("error", None, "early_exit", 0.0)


class Death(NamedTuple):
    """How a process ended."""

    status: int
    cpu_s: float
    killed: bool
    """We killed it."""
    wall: bool = False
    """We did because its time on the wall was over."""


class Children:
    """Starts one confined process after another."""

    def __init__(self, confinement: Confinement, limits: dict[str, float]) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)     # so that they wait until wait asks for them
        self.confinement = confinement
        self.cpu_s = limits["cpu_s"]
        self.wall_s = limits["wall_s"]
        self.output_bytes = int(limits["output_bytes"])
        self.used: Page | None = None
        self.steps = [[
            kernel.DIE, kernel.closing(COMMANDS, LIBRARY - 1), kernel.closing(kept + 1, kernel.LAST),
            kernel.timing(self.cpu_s), *confinement.last] for kept in (LIBRARY, CHANNEL)]

    def page(self, inputs: int) -> Page:
        """An empty page. Most processes write on the same one, which is wiped once the last of them is reaped.

        It is made on first use, when each of the two servers is by itself: they share no page.
        """
        if inputs > INPUTS:
            return Page(inputs, self.output_bytes)
        if self.used is None:
            self.used = Page(INPUTS, self.output_bytes)
        else:
            self.used.wipe()
        return self.used

    def run(self, kind: str, source: str, entry: str, inputs: list[str]) -> list[Result]:
        """One result for each input."""
        if kind == "stdin":
            return [self.feed(source, text) for text in inputs]
        results: list[Result] = []
        while len(results) < len(inputs):
            results += self.call(source, entry, inputs[len(results):len(results) + MOST_INPUTS])
        return results

    def call(self, source: str, entry: str, inputs: list[str]) -> list[Result]:
        """The results of the first inputs, at least one, from one process.

        Whoever dies while not on its first input is asked again alone, so that time, memory and damage of earlier
        inputs are not held against a later one.
        """
        page = self.page(len(inputs))
        death = self.wait(self.fork(lambda: inside.call(page, source, entry, inputs, self.cpu_s)))
        loaded, found = page.read(len(inputs))
        if found and found[0][0] == records.NEVER:
            return [("error", None, found[0][1], found[0][3])] * len(inputs)
        answers = [record for record in found if record[0] in RESULTS]
        results = [EARLY if record[0] == records.OURS and not unreadable(text) else result(record)
                   for record, text in zip(answers, inputs, strict=False)]
        ended = death.status == 0 and bool(found) and found[-1][0] in (records.END, records.AGAIN)
        if not ended and len(results) == len(inputs):
            results.pop()
        if results:
            return results
        return [died(death, self.cpu_s)] * (1 if loaded else len(inputs))

    def feed(self, source: str, text: str) -> Result:
        """The result of a script on one text."""
        page = self.page(1)
        given, printed = os.memfd_create("stdin"), os.memfd_create("stdout")
        try:
            write_all(given, text.encode("utf-8", "surrogateescape"))
            os.lseek(given, 0, os.SEEK_SET)
            death = self.wait(self.fork(lambda: inside.feed(page, source, self.cpu_s), given, printed))
            output = os.pread(printed, self.output_bytes + 1, 0)
        finally:
            os.close(given)
            os.close(printed)
        _, found = page.read(1)
        if len(output) > self.output_bytes:
            return "error", None, f"output_limit: more than {self.output_bytes} bytes", death.cpu_s * 1000
        if found and found[0][0] == records.ERROR:
            return result(found[0])
        if [record[0] for record in found] != [records.RAN, records.END] or death.status != 0:
            return died(death, self.cpu_s)
        try:
            return "ran", output.decode(), None, death.cpu_s * 1000
        except UnicodeDecodeError:
            return "error", None, "unsupported_value: the output is not UTF-8", death.cpu_s * 1000

    def fork(self, run: Callable[[], None], given: int = -1, printed: int = -1, channel: int = -1) -> int:
        """A confined process that does one thing; its id.

        What the child looks at is copied for it, so it finds its calls made ready, and little to do besides.
        """
        moves = [kernel.copying(source, target) for source, target in ((given, 0), (printed, 1), (channel, CHANNEL))
                 if source >= 0 and source != target] if max(given, channel) >= 0 else ()
        steps = self.steps[channel >= 0]
        call, leave, folder, zygote = kernel.syscall, os._exit, self.confinement.own_folder, os.getpid()
        pid = kernel.fork()
        if pid:
            return pid
        try:
            if folder:
                self.confinement.give_folder()
            for step in (*moves, *steps):
                if call(*step) < 0:
                    leave(1)
            if call(*kernel.PARENT) not in (zygote, 0):      # 0: the parent stands outside of this namespace
                leave(1)
            gc.enable()
            run()
            leave(0)
        except BaseException:
            leave(1)
        raise AssertionError

    def wait(self, pid: int) -> Death:
        """Wait for a process, and kill it when the wall's time is over or the runner is gone."""
        left, deadline = self.wall_s, time.monotonic() + self.wall_s
        while left > 0:
            death = self.ended(pid, min(TICK_S, left))
            if death:
                return death
            if kernel.hung(COMMANDS):
                self.reap(pid)
                raise Hung
            left = deadline - time.monotonic()
        return self.reap(pid)._replace(wall=True)

    def ended(self, pid: int, within_s: float) -> Death | None:
        """How a process ended, where it did by itself by then."""
        signal.sigtimedwait(ENDS, within_s)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        return Death(status, usage.ru_utime + usage.ru_stime, False) if ended else None

    def reap(self, pid: int) -> Death:
        """The end of a process, here and now."""
        os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        signal.sigtimedwait(ENDS, 0)              # taken note of
        return Death(status, usage.ru_utime + usage.ru_stime, True)


def result(record: records.Record) -> Result:
    """What a record says."""
    state, detail, output, cpu_ms = record
    if state == records.RAN:
        return "ran", output.decode("utf-8", "replace"), detail or None, cpu_ms
    return "sandbox_error" if state == records.OURS else "error", None, detail, cpu_ms


def unreadable(text: str) -> bool:
    """Whether an input is at fault. A program could say so of any input, and would have no label then."""
    try:
        inside.arguments_of(text)
    except codec.Unsupported:
        return True
    return False


def died(death: Death, cpu_s: float) -> Result:
    """What a process's end says about the input it was at."""
    cpu_ms = death.cpu_s * 1000
    if death.wall:
        busy = death.cpu_s > cpu_s / 4        # it was computing, but did not get the processor: no fault of its own
        status = "sandbox_error" if busy else "timeout"
        return status, None, "wall: the machine is busy" if busy else "wall", cpu_ms
    if not os.WIFSIGNALED(death.status):
        return "error", None, "early_exit", cpu_ms
    number = os.WTERMSIG(death.status)
    if number in (signal.SIGPROF, signal.SIGXCPU) or (number == signal.SIGKILL and death.cpu_s >= cpu_s):
        return "timeout", None, "cpu", cpu_ms
    if number == signal.SIGKILL:
        return "sandbox_error", None, "killed from outside: is the machine out of memory?", cpu_ms
    return "error", None, f"crashed: {signal.Signals(number).name}", cpu_ms
