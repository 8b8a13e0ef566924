"""The limit finds a server's capacity: in virtual time on many kinds of servers, and on real ones."""

import asyncio
import heapq
import math
import random
from typing import Any

import pytest
from aiohttp import web

from generators.limit import Limit
from generators.store import ReplyStore
from tests.generators.loopback import Loopback, Sent, asks, said
from tests.generators.virtual import collect_virtually

RTT = 0.001


class Virtual:
    """A server of so many slots, in virtual time, always with something to send."""

    def __init__(self, slots: int, full: str, spread: float, errors: tuple[float, float], seed: int = 0) -> None:
        self.slots, self.full, self.spread, self.errors = slots, full, spread, errors
        self.limit, self.rng = Limit(), random.Random(seed)
        self.now = 0.0
        self.busy = self.refused = self.order = 0
        self.queue: list[float] = []
        self.events: list[tuple[float, int, float, str]] = []
        self.work: list[tuple[float, float]] = []

    def run(self, seconds: float) -> None:
        self._send()
        while self.events[0][0] < seconds:
            self.now, _, sent_at, end = heapq.heappop(self.events)
            if end == "good":
                self.busy -= 1
                if self.queue:
                    self._work(self.queue.pop(0))
            self.refused += end == "full"
            self.limit.done(sent_at, self.now, end)  # type: ignore[arg-type]
            self._send()

    def used(self, start: float, end: float) -> float:
        """The share of its slots' time that it worked."""
        busy = sum(max(0.0, min(end, ended) - max(start, began)) for began, ended in self.work)
        return busy / (end - start) / self.slots

    def _send(self) -> None:
        while self.limit.in_flight < self.limit.allowed:
            self.limit.sent()
            fate = self.rng.random()
            if fate < self.errors[0]:
                self._later(RTT, self.now, "bad")
            elif fate < sum(self.errors) or (self.busy >= self.slots and self.full == "refuses"):
                self._later(RTT, self.now, "full")
            elif self.busy < self.slots:
                self._work(self.now)
            else:
                self.queue.append(self.now)

    def _work(self, sent_at: float) -> None:
        self.busy += 1
        seconds = 0.2 * math.exp(self.rng.gauss(0, self.spread) - self.spread**2 / 2)
        self.work.append((self.now, self.now + seconds))
        self._later(seconds, sent_at, "good")

    def _later(self, seconds: float, sent_at: float, end: str) -> None:
        self.order += 1
        heapq.heappush(self.events, (self.now + seconds, self.order, sent_at, end))


@pytest.mark.parametrize("errors", [(0.0, 0.0), (0.10, 0.05)], ids=["faultless", "a tenth of 500s and some 429s"])
@pytest.mark.parametrize("spread", [0.0, 0.5], ids=["even", "uneven"])
@pytest.mark.parametrize("full", ["queues", "refuses"])
@pytest.mark.parametrize("slots", [4, 64, 200])
def test_the_capacity_is_found_within_seconds_and_kept(
    slots: int, full: str, spread: float, errors: tuple[float, float]
) -> None:
    found, kept = [], []
    for seed in range(2):
        server = Virtual(slots, full, spread, errors, seed)
        server.run(12.0)
        found.append(server.used(2.0, 4.0))
        kept.append(server.used(4.0, 12.0))
    assert sum(found) / 2 >= 0.9
    assert sum(kept) / 2 >= 0.95


def test_a_server_that_queues_is_not_sent_many_times_what_it_can_do() -> None:
    server = Virtual(64, "queues", 0.5, (0.0, 0.0))
    server.run(20.0)
    assert server.limit.allowed <= 2.5 * 64


def test_a_server_that_refuses_is_seldom_overrun() -> None:
    server = Virtual(64, "refuses", 0.5, (0.0, 0.0))
    server.run(20.0)
    assert server.refused <= 0.1 * len(server.work)


def test_the_limit_follows_a_server_that_grows_and_one_that_shrinks() -> None:
    server = Virtual(16, "refuses", 0.2, (0.0, 0.0))
    server.run(10.0)
    server.slots = 64
    server.run(40.0)
    assert server.used(30.0, 40.0) >= 0.9
    server.slots = 16
    server.run(60.0)
    assert server.used(50.0, 60.0) >= 0.9
    assert server.limit.allowed <= 20


def test_the_engine_s_own_maximum_is_never_exceeded() -> None:
    limit = Limit(most=3)
    for step in range(500):
        while limit.in_flight < limit.allowed:
            limit.sent()
        assert limit.in_flight <= 3
        limit.done(float(step), step + 0.5, "good")


def test_a_plan_that_is_slower_than_the_server_teaches_nothing() -> None:
    limit = Limit()
    for step in range(1000):
        limit.sent()
        limit.idle()
        limit.done(float(step), step + 0.2, "good")
    assert limit.allowed == 16


def test_refusals_alone_bring_the_limit_down_to_one() -> None:
    limit = Limit()
    for step in range(3000):
        limit.sent()
        limit.done(step * 0.01, step * 0.01 + RTT, "full")
    assert limit.allowed == 1


@pytest.mark.parametrize(("slots", "full"), [(4, "refuses"), (24, "queues"), (24, "refuses")])
def test_a_real_server_s_slots_are_kept_busy(slots: int, full: str, replies: ReplyStore) -> None:
    """Whatever a tenth of 500s says; after a second and a half."""
    pace = 0.25
    work: list[tuple[float, float]] = []
    places = asyncio.Semaphore(slots)

    async def answer(sent: Sent) -> Any:
        if sent.number % 10 == 9:
            return web.json_response({"error": "a fault that has nothing to do with load"}, status=500)
        if full == "refuses" and places.locked():
            return web.json_response({"error": "full"}, status=429)
        async with places:
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(pace)
            work.append((began, asyncio.get_running_loop().time()))
        return said("x")

    table = collect_virtually(asks(int(slots / pace * 3.5)), Loopback(answer), replies)
    assert set(table["status"]) == {"ok"}
    start = work[0][0] + 1.5
    end = sorted(ended for _, ended in work)[-2 * slots]
    busy = sum(max(0.0, min(end, ended) - max(start, began)) for began, ended in work)
    assert busy / (end - start) / slots >= 0.85
