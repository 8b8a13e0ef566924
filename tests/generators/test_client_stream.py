"""Plans too long for memory, engines of different pace, processes that ask the same at once."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from generators.ask import Ask
from generators.client import collect
from generators.line import AHEAD
from generators.store import ReplyStore
from tests.generators.loopback import Loopback, Sent, any_text, asks, engine, said

Start = Callable[..., Loopback]
ROOT = Path(__file__).parents[2]


class Watched:
    """A plan that remembers how far ahead of the replies it was ever drawn."""

    def __init__(self, plan: Callable[[], Iterator[Ask]], answered: Callable[[], int]) -> None:
        self.plan, self.answered = plan, answered
        self.furthest = self.starts = 0

    def __iter__(self) -> Iterator[Ask]:
        self.starts += 1
        for number, ask in enumerate(self.plan()):
            self.furthest = max(self.furthest, number - self.answered())
            yield ask


async def quick(sent: Sent) -> dict[str, Any]:
    return said("x")


def test_a_long_plan_is_drawn_no_further_than_a_window_ahead(loopback: Start, replies: ReplyStore) -> None:
    """20,000 asks, of which a stop after some hundred replies shows that the others were never drawn."""
    server = loopback(quick)

    def tell(progress: Any) -> None:
        if progress.done > 300:
            raise InterruptedError("enough")

    plan = Watched(lambda: (ask for ask in asks(20_000)), lambda: len(server.sent))
    with pytest.raises(InterruptedError):
        collect(plan, engine(server), replies, any_text, progress=tell)
    assert 0 < plan.furthest <= AHEAD + 256 + 64, "what waits, what is in flight, what is drawn in one breath"
    assert plan.starts == 1


def test_a_slow_engine_does_not_starve_the_others(
    loopback: Start, replies: ReplyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generators.line.AHEAD", 32)

    async def when_the_fast_one_is_done(sent: Sent) -> dict[str, Any]:
        with suppress(TimeoutError):
            async with asyncio.timeout(60.0):
                while len(fast.sent) < 150:
                    await asyncio.sleep(0.01)
        waited_for.append(len(fast.sent))
        return said("x")

    waited_for: list[int] = []
    slow, fast = loopback(when_the_fast_one_is_done), loopback(quick)
    engines = engine(slow, "slow", max_concurrency=20) | engine(fast, "fast")
    pairs = [ask for pair in zip(asks(150, "slow"), asks(150, "fast"), strict=True) for ask in pair]
    plan = Watched(lambda: iter(pairs), lambda: 0)
    table = collect(plan, engines, replies, any_text)
    assert table.height == 300
    assert len(slow.sent) == len(fast.sent) == 150
    assert plan.starts == 2, "each engine draws its own"
    assert set(waited_for) == {150}


def test_an_engine_whose_asks_come_last_starts_before_the_first_is_done(
    loopback: Start, replies: ReplyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generators.line.AHEAD", 32)

    async def when_the_last_began(sent: Sent) -> dict[str, Any]:
        with suppress(TimeoutError):
            async with asyncio.timeout(60.0):
                while not last.sent:
                    await asyncio.sleep(0.01)
        return said("x")

    first, last = loopback(when_the_last_began), loopback(quick)
    engines = engine(first, "first", max_concurrency=10) | engine(last, "last")
    table = collect([*asks(150, "first"), *asks(20, "last")], engines, replies, any_text)
    assert table.height == 170
    assert sum(sent.at < last.sent[0].at for sent in first.sent) <= 10


TWIN = """
import sys
from pathlib import Path
from generators.client import collect
from generators.engines import Engine
from generators.store import ReplyStore
from tests.generators.loopback import any_text, asks
with ReplyStore.open(Path(sys.argv[2])) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    table = collect(asks(300), {"e": Engine(name="e", model="tiny", url=sys.argv[1])}, store, any_text)
    print(table.height, table.hash_rows(0).sum(), flush=True)
"""


def test_two_processes_with_the_same_plan_send_each_request_once(loopback: Start, tmp_path: Path) -> None:
    async def answer(sent: Sent) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return said(f"{sent.number}")

    server = loopback(answer)
    twins = [subprocess.Popen([sys.executable, "-c", TWIN, server.url, str(tmp_path / "store")], cwd=ROOT, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)})
             for _ in range(2)]
    for twin in twins:
        assert twin.stdout is not None
        assert twin.stdout.readline() == "ready\n"
    ended = []
    for twin in twins:
        assert twin.stdin is not None
        twin.stdin.write("go\n")
        twin.stdin.flush()
    for twin in twins:
        ended.append(twin.communicate(timeout=300)[0])
        assert twin.returncode == 0
    assert len(server.sent) == 300
    assert ended[0] == ended[1]
    assert ended[0].startswith("300 ")
