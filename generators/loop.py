"""Runs asynchronous work from any function, to its end or until the process is told to stop."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of our own; in a thread of its own where this thread has a loop already.

    SIGINT and SIGTERM cancel the work; when it has ended, the handler that stood before gets the signal.
    """
    ours = _Work(work)
    with _ended_by_signals(ours):
        return _in_a_thread(ours) if _loop_is_running() else ours.run()


class _Work(Generic[T]):
    """A coroutine in its loop, which any thread and any signal handler may end."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self._cancel: Callable[[], object] | None = None

    def run(self) -> T:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(self._watched())

    def end(self) -> None:
        if self._cancel is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended
                self._cancel()

    async def _watched(self) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "run by a runner"
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        return await self._work


@contextmanager
def _ended_by_signals(work: _Work[Any]) -> Iterator[None]:
    """End the work on a signal: uvloop swallows what a handler raises while it runs, and so Dagster's interrupts."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        work.end()

    before: dict[int, Callable[[int, Any], Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for wanted in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(wanted)
            if callable(handler):
                before[wanted] = handler
                signal.signal(wanted, note)
    try:
        yield
    except asyncio.CancelledError:
        if not came:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        before[came[0]](came[0], None)
        raise KeyboardInterrupt


def _in_a_thread(work: _Work[T]) -> T:
    found: list[T | BaseException] = []

    def run() -> None:
        try:
            found.append(work.run())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, name="engine client")
    thread.start()
    try:
        thread.join()
    except BaseException:
        work.end()
        thread.join()
        raise
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    with suppress(ImportError):  # uvloop does not exist for Windows
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop
