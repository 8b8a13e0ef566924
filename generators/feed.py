"""Draws a plan little by little: each engine is fed a bounded number of asks ahead, and a slow one holds up no other.

Every engine has a cursor of its own through the plan, so memory is bounded for any order of any plan.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from generators.ask import AnyPlan, Ask, draw_asks

_BREATH = 64
"""Asks drawn before others get a turn."""


class Mouth(Protocol):
    """An engine's side of the feed."""

    @property
    def full(self) -> bool:
        """Whether it has enough asks ahead."""
        ...


class Feed:
    """Runs a plan's asks into the mouths of its engines."""

    def __init__(self, plan: AnyPlan, mouth: Callable[[str], Mouth], engines: Collection[str],
                 take: Callable[[Ask], None]) -> None:
        self._plan, self._mouth, self._engines, self._take = plan, mouth, engines, take
        self._waiting: list[asyncio.Future[None]] = []

    def wake(self) -> None:
        """A mouth takes more now."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def run(self) -> None:
        """Draw the whole plan."""
        cursors = [asyncio.create_task(self._run_one(name)) for name in self._engines]
        try:
            await asyncio.gather(*cursors)
        finally:
            for cursor in cursors:
                cursor.cancel()

    async def _run_one(self, name: str) -> None:
        for place, ask in enumerate(draw_asks(self._plan, name)):
            if place % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            mouth = self._mouth(ask.engine)  # refuses an engine that nobody knows
            if ask.engine == name:
                while mouth.full:
                    await self._room()
                self._take(ask)

    async def _room(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
