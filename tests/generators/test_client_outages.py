"""Servers that are away, shut or full for a while: nothing is lost, nothing is hammered, nothing waits in silence."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from assets.watch import line
from generators.client import ask_all, collect
from generators.engines import Engine
from generators.limit import Limit
from generators.line import Line
from generators.progress import Progress
from generators.store import ReplyStore
from schemas.errors import EngineError
from tests.generators.loopback import Loopback, Sent, any_text, asks, engine, said
from tests.generators.test_client_faults import refusal
from tests.generators.virtual import collect_virtually, virtually

Start = Callable[..., Loopback]


def test_a_server_that_dies_and_comes_back_costs_no_reply(replies: ReplyStore) -> None:
    """It dies with requests in flight, is away for two seconds, and comes back at the same port."""
    dead, cut = asyncio.Event(), 0

    async def answer(sent: Sent) -> Any:
        nonlocal cut
        if len(first.sent) > 150:
            dead.set()
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            cut += 1
            raise
        return said("x")

    async def run() -> list[str]:
        async with first.here():
            second = Loopback(answer, port=first.port)
            asking = asyncio.create_task(ask_all(asks(500), engine(first, max_concurrency=32), replies, any_text))
            await dead.wait()
        await asyncio.sleep(2.0)
        async with second.here():
            return (await asking)["status"].to_list()

    first = Loopback(answer)
    assert virtually(run()) == ["ok"] * 500
    assert cut > 10


def test_a_server_that_refuses_everything_for_a_while_costs_no_reply_and_few_requests(replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(429) if sent.at - server.sent[0].at < 20.0 else said("x")

    server = Loopback(answer)
    table = collect_virtually(asks(300), server, replies)
    assert table["status"].to_list() == ["ok"] * 300
    refused = [sent.text for sent in server.sent if sent.at - server.sent[0].at < 20.0]
    assert len(set(refused)) < 150, "those in flight try again; new ones join them one by one"
    assert len(refused) < 1200


def test_a_rate_limit_is_reached_without_a_storm_of_refusals(replies: ReplyStore) -> None:
    """20 requests a second are let in; the others are refused at once."""
    room = 5.0
    last = 0.0

    async def answer(sent: Sent) -> Any:
        nonlocal room, last
        room, last = min(5.0, room + (sent.at - (last or sent.at)) * 20), sent.at
        if room < 1:
            return refusal(429)
        room -= 1
        await asyncio.sleep(0.05)
        return said("x")

    server = Loopback(answer)
    table = collect_virtually(asks(120), server, replies)
    assert table["status"].to_list() == ["ok"] * 120
    assert len(server.sent) < 6 * 120


def test_a_server_that_wants_to_be_left_alone_for_an_hour_stops_the_run_with_the_reason(
    loopback: Start, replies: ReplyStore
) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(429, "daily limit reached", headers={"Retry-After": "3600"})

    with pytest.raises(EngineError, match=r"daily limit reached.* in 3600 s, as the server says") as error:
        collect(asks(100), engine(loopback(answer)), replies, any_text)
    assert "not asked again" in str(error.value)


def test_a_server_that_is_away_is_not_tried_by_the_whole_plan(replies: ReplyStore) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    with pytest.raises(EngineError) as error:
        virtually(ask_all(asks(5000), {"e": Engine(name="e", model="tiny", url=url)}, replies, any_text))
    tries = re.search(r"the last ([\d,]+) tries failed", str(error.value))
    assert tries is not None
    assert int(tries[1].replace(",", "")) < 500


def test_what_keeps_a_run_waiting_is_told(
    loopback: Start, replies: ReplyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is shut until that is told."""
    monkeypatch.setattr("generators.line._TELL_S", 0.5)
    told: list[str] = []
    waiting = asyncio.Event()

    def tell(seen: Progress) -> None:
        told.append(line(seen))
        if "waiting for engine 'e'" in told[-1] and "come back later" in told[-1]:
            waiting.set()

    async def answer(sent: Sent) -> Any:
        return said("x") if waiting.is_set() else refusal(429, "come back later")

    collect(asks(40), engine(loopback(answer)), replies, any_text, progress=tell)
    assert waiting.is_set()
    assert "waiting" not in told[-1]


def test_a_request_that_waits_for_room_costs_no_cpu(replies: ReplyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pumps = 0
    pump = Line.pump

    def counted(line: Line) -> None:
        nonlocal pumps
        pumps += 1
        pump(line)

    async def answer(sent: Sent) -> Any:
        if sent.text == "q0" and not sent.times:
            return refusal(500)
        await asyncio.sleep(5.0)
        return said("x")

    monkeypatch.setattr(Line, "pump", counted)
    collect_virtually(asks(3), Loopback(answer), replies, max_concurrency=1)
    assert pumps < 50


def test_the_limit_begins_anew_after_a_server_was_shut() -> None:
    limit = Limit()
    now = 0.0
    while now < 20.0:
        limit.sent()
        now += 0.05
        limit.done(now - 0.001, now, "full")
    assert limit.allowed == 1
    limit.sent()
    limit.done(now, now + 0.2, "good")
    assert limit.allowed >= 16
