"""A loop whose clock stands still while there is work, so that what takes a minute is tested in a moment, anywhere."""

import asyncio
import selectors
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import polars as pl

from generators.ask import Ask
from generators.client import ask_all
from generators.store import ReplyStore
from tests.generators.loopback import Loopback, any_text, engine

T = TypeVar("T")
_GRACE_S = 0.002
"""Real seconds in which what was written to a socket must have reached its other end."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for a timer's time, lets it be that time, once no socket has anything to say."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(timeout if timeout is None else min(timeout, _GRACE_S))
        if not events and timeout is not None:
            self.now += max(timeout, 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Real sockets, virtual seconds: server and client must both run in it."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run it in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def collect_virtually(plan: Sequence[Ask], server: Loopback, replies: ReplyStore, **settings: object) -> pl.DataFrame:
    """What `collect` gives, with the server in the same virtual time."""

    async def run() -> pl.DataFrame:
        async with server.here():
            return await ask_all(plan, engine(server, **settings), replies, any_text)

    return virtually(run())
