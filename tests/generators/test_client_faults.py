"""What the engine client makes of servers that fail, refuse, hang, cut, lie or are not there."""

import asyncio
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Any
from zlib import crc32

import pytest
from aiohttp import web

from generators.client import ask_all, collect
from generators.engines import Engine
from generators.store import ReplyStore
from generators.wire import retry_after
from schemas.errors import EngineError
from tests.generators.loopback import Loopback, Sent, any_text, asks, engine, said
from tests.generators.virtual import collect_virtually, virtually

Start = Callable[..., Loopback]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait a tenth as long."""
    monkeypatch.setattr("generators.line._FIRST_WAIT_S", 0.025)


def refusal(status: int, message: str = "no", code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=headers)


async def cut(sent: Sent) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(sent.request)
    await response.write(b'{"choices"')
    assert sent.request.transport is not None
    sent.request.transport.close()
    return response


async def hang(sent: Sent) -> Any:
    await asyncio.sleep(600.0)
    return said("late")


def always(make: Callable[[], web.Response]) -> Callable[[Sent], Any]:
    async def answer(sent: Sent) -> web.Response:
        return make()

    return answer


FAULTS: dict[str, Callable[[Sent], Any]] = {
    **{str(status): always(partial(refusal, status)) for status in (408, 409, 425, 500, 502, 503, 504)},
    "429": always(lambda: refusal(429, headers={"Retry-After": "0.1"})),
    "cut": cut,
    "hang": hang,
    "no json": always(lambda: web.Response(text="<html>busy</html>")),
    "no choices": always(lambda: web.json_response({"choices": []})),
    "error in the body": always(lambda: web.json_response({"error": {"message": "upstream"}})),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_tried_again_within_the_same_attempt(
    fault: str, replies: ReplyStore
) -> None:
    async def answer(sent: Sent) -> Any:
        return await FAULTS[fault](sent) if sent.times == 0 and sent.text == "q1" else said("fine")

    server = Loopback(answer)
    table = collect_virtually(asks(3), server, replies, timeout_s=60.0)
    assert table.select("attempt", "status", "text").rows() == [(0, "ok", "fine")] * 3
    assert len(server.sent) == 4


@pytest.mark.parametrize(("headers", "least"), [
    ({"Retry-After": "20"}, 20.0), ({"retry-after-ms": "19900"}, 19.9), ({"Retry-After": "DATE"}, 100.0),
])
def test_the_wait_that_the_server_asks_for_is_honoured(
    headers: dict[str, str], least: float, replies: ReplyStore
) -> None:
    async def answer(sent: Sent) -> Any:
        date = formatdate(time.time() + 200, usegmt=True)
        given = {name: value.replace("DATE", date) for name, value in headers.items()}
        return said("x") if sent.times else refusal(429, headers=given)

    server = Loopback(answer)
    collect_virtually(asks(1), server, replies)
    first, second = server.sent
    assert least <= second.at - first.at <= 300.0


def test_a_wait_that_makes_no_sense_is_ignored() -> None:
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "-5"}) == 0.0
    assert retry_after({"retry-after": "1e9"}) == 86_400.0
    assert retry_after({"retry-after": "nan"}) is None
    assert retry_after({}) is None


def test_a_request_that_waits_for_its_retry_holds_no_place(replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(500, headers={"Retry-After": "1"}) if sent.text == "q0" and sent.times == 0 else said("x")

    server = Loopback(answer)
    collect_virtually(asks(20), server, replies, max_concurrency=1)
    assert [sent.text for sent in server.sent][-1] == "q0", "the others went on meanwhile"


def test_what_fails_on_every_try_is_stored_as_an_error_and_the_rest_goes_on(
    loopback: Start, replies: ReplyStore, hasty: None
) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(500, "I always break here", headers={"Retry-After": "0"}) if sent.text == "q3" else said("x")

    server = loopback(answer)
    table = collect(asks(30), engine(server), replies, any_text)
    failed = table.filter(status="error")
    assert failed.select("prompt_id", "error").rows() == [("p3", "HTTP 500: I always break here")]
    assert sum(sent.text == "q3" for sent in server.sent) == 6
    assert collect(asks(30), engine(server), replies, any_text).equals(table)


def test_a_few_hopeless_requests_alone_do_not_stop_a_server_that_lives(
    loopback: Start, replies: ReplyStore, hasty: None
) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(500, headers={"Retry-After": "0"})

    table = collect(asks(5), engine(loopback(answer)), replies, any_text)
    assert table["status"].to_list() == ["error"] * 5


def test_a_steady_tenth_of_errors_neither_stops_nor_loses_anything(replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        await asyncio.sleep(0.02)
        fate = crc32(f"{sent.text} {sent.times}".encode()) % 20
        return refusal(500) if fate < 2 else refusal(429, headers={"Retry-After": "0"}) if fate == 2 else said("x")

    table = collect_virtually(asks(300), Loopback(answer), replies)
    assert table.height == 300
    assert set(table["status"]) == {"ok"}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("count", [1, 100])
def test_a_server_that_is_not_there_stops_the_run_within_seconds(count: int, replies: ReplyStore) -> None:
    url = f"http://127.0.0.1:{closed_port()}/v1"
    engines = {"e": Engine(name="e", model="tiny", url=url)}

    async def run() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(EngineError) as error:
            await ask_all(asks(count), engines, replies, any_text)
        told.append(str(error.value))
        return asyncio.get_running_loop().time() - began

    told: list[str] = []
    assert virtually(run()) < 6.5
    for part in ("engine 'e'", url, "no connection", "Check that the server runs", "not asked again"):
        assert part in told[0]
    assert not replies.has(asks(1)[0].request_id(engines["e"]), 0, 0)


def test_a_server_that_fails_at_everything_stops_the_run(replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(500, "CUDA error")

    with pytest.raises(EngineError, match="HTTP 500: CUDA error"):
        collect_virtually(asks(200), Loopback(answer), replies)


def test_a_server_that_refuses_everything_stops_the_run(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(400, "unknown parameter: seed")

    server = loopback(answer)
    with pytest.raises(EngineError, match="unknown parameter: seed"):
        collect(asks(2000), engine(server), replies, any_text)
    assert len(server.sent) < 150


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_stops_the_run_at_once_and_is_not_shown(
    status: int, loopback: Start, replies: ReplyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_TEST_KEY", "sk-wrong-one")

    async def answer(sent: Sent) -> Any:
        return refusal(status, f"Incorrect API key provided: {sent.headers['Authorization']}")

    server = loopback(answer)
    with pytest.raises(EngineError) as error:
        collect(asks(500), engine(server, key_env="WINNOW_TEST_KEY"), replies, any_text)
    assert "WINNOW_TEST_KEY" in str(error.value)
    assert "sk-wrong-one" not in str(error.value) + repr(error.value)
    assert len(server.sent) <= 32
    assert len(replies) <= 2 * 32, "requests only, no reply"


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_model_stops_the_run_and_lists_what_there_is(
    status: int, loopback: Start, replies: ReplyStore
) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(status, "The model `tiny` does not exist", "model_not_found")

    with pytest.raises(EngineError, match=r"does not know model 'tiny'.*it offers llama, qwen"):
        collect(asks(5), engine(loopback(answer, models=("qwen", "llama"))), replies, any_text)


def test_a_url_without_its_v1_says_so(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(hang)
    url = server.url.removesuffix("/v1")
    with pytest.raises(EngineError, match="ends in /v1"):
        collect(asks(1), {"e": Engine(name="e", model="tiny", url=url)}, replies, any_text)


def test_a_request_that_is_too_large_for_the_account_is_no_busy_server(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(429, "Request too large: Limit 10, Requested 12") if sent.text == "q1" else said("x")

    server = loopback(answer)
    table = collect(asks(3), engine(server), replies, any_text)
    assert table.filter(status="error")["error"].to_list() == ["HTTP 429: Request too large: Limit 10, Requested 12"]
    assert len(server.sent) == 3


def test_one_odd_refusal_among_replies_does_not_stop_the_run(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(400, "the model's tool 'x' was not found") if sent.text == "q9" else said("x")

    table = collect(asks(20), engine(loopback(answer), max_concurrency=1), replies, any_text)
    assert table.filter(status="error")["prompt_id"].to_list() == ["p9"]


def test_an_empty_account_stops_the_run(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> Any:
        return refusal(429, "You exceeded your current quota", "insufficient_quota")

    with pytest.raises(EngineError, match="exceeded your current quota"):
        collect(asks(1), engine(loopback(answer)), replies, any_text)


def test_a_stop_of_one_engine_still_stores_what_is_in_flight_at_another(loopback: Start, replies: ReplyStore) -> None:
    async def slow(sent: Sent) -> Any:
        while not closed.sent:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        return said("paid")

    async def wrong_key(sent: Sent) -> Any:
        while not paid.sent:
            await asyncio.sleep(0.01)
        return refusal(401)

    paid, closed = loopback(slow), loopback(wrong_key)
    engines = engine(paid, "paid") | engine(closed, "closed")
    plan = [ask for pair in zip(asks(100, "paid"), asks(100, "closed"), strict=True) for ask in pair]
    with pytest.raises(EngineError, match="'closed'"):
        collect(plan, engines, replies, any_text)
    stored = [ask for ask in asks(100, "paid") if replies.has(ask.request_id(engines["paid"]), 0, 0)]
    assert len(stored) == len(paid.sent) > 0


def test_a_server_that_dies_in_the_middle_stops_the_run_and_keeps_what_came(replies: ReplyStore) -> None:
    """It dies with the 61st request, when all but the few before it had their replies."""
    dead = asyncio.Event()

    async def answer(sent: Sent) -> Any:
        if len(server.sent) > 60:
            dead.set()
            await asyncio.sleep(60.0)
        return said("x")

    async def run() -> float:
        async with server.here():
            asking = asyncio.create_task(ask_all(asks(500), engine(server, max_concurrency=8), replies, any_text))
            await dead.wait()
        died = asyncio.get_running_loop().time()
        with pytest.raises(EngineError, match="start again with the same command"):
            await asking
        return asyncio.get_running_loop().time() - died

    server = Loopback(answer)
    assert 9.0 < virtually(run()) < 20.0
    assert sum(replies.has(ask.request_id(engine(server)["e"]), 0, 0) for ask in asks(500)) >= 50
