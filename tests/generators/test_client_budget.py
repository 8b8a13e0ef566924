"""A budget is never exceeded, whatever is in flight."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from generators.budget import Purse, Spend, worst_case
from generators.client import collect
from generators.engines import Budget, Engine
from generators.store import ReplyStore
from schemas.errors import BudgetError, ConfigError
from tests.generators.loopback import Loopback, Sent, any_text, asks, engine, said

Start = Callable[..., Loopback]
PRICED: dict[str, Any] = {"price_in": 1000.0, "price_out": 10_000.0, "params": {"max_tokens": 50}}
COST = 10 * 1e-3 + 5 * 1e-2
"""What the loopback server's usual reply costs at those prices."""


async def slow(sent: Sent) -> dict[str, Any]:
    await asyncio.sleep(0.05)
    return said("x")


def test_the_money_spent_never_exceeds_the_budget_under_concurrency(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    with pytest.raises(BudgetError) as error:
        collect(asks(500), engine(server, **PRICED), replies, any_text, budget=Budget(usd=5.0))
    assert server.most_in_flight > 1
    assert len(server.sent) * COST <= 5.0
    assert len(server.sent) * COST > 5.0 - (10 + 400) * 1e-3 - 50e-2, "it goes on until the worst case does not fit"
    stored = sum(replies.has(ask.request_id(engine(server, **PRICED)["e"]), 0, 0) for ask in asks(500))
    assert stored == len(server.sent), "what was in flight is stored"
    for part in ("of 5 USD", f"{stored} of 500 asks", "Raise [budget]", "not asked again"):
        assert part in str(error.value)


def test_the_worst_case_is_reserved_before_anything_is_sent(loopback: Start, replies: ReplyStore) -> None:
    async def greedy(sent: Sent) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        reply = said("x")
        reply["usage"] = {"prompt_tokens": 300, "completion_tokens": 50}
        return reply

    server = loopback(greedy)
    with pytest.raises(BudgetError):
        collect(asks(100), engine(server, params={"max_tokens": 50}), replies, any_text, budget=Budget(tokens=5000))
    assert len(server.sent) * 350 <= 5000


def test_replies_without_usage_count_at_their_worst(loopback: Start, replies: ReplyStore) -> None:
    async def silent(sent: Sent) -> dict[str, Any]:
        reply = said("x")
        del reply["usage"]
        return reply

    server = loopback(silent)
    with pytest.raises(BudgetError):
        collect(asks(100), engine(server, params={"max_tokens": 1000}), replies, any_text, budget=Budget(tokens=10_000))
    assert len(server.sent) <= 8


def test_replies_from_the_store_are_free(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    engines = engine(server, **PRICED)
    table = collect(asks(30), engines, replies, any_text)
    assert collect(asks(30), engines, replies, any_text, budget=Budget(usd=0.0)).equals(table)
    with pytest.raises(BudgetError, match="30 of 31 asks are done"):
        collect(asks(31), engines, replies, any_text, budget=Budget(usd=0.0))
    assert len(server.sent) == 30


def test_a_run_within_its_budget_is_not_disturbed(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    ample = Budget(usd=30 * COST + 1.0, tokens=10**6)
    table = collect(asks(30), engine(server, **PRICED), replies, any_text, budget=ample)
    assert table.height == 30


def test_what_one_stage_spent_the_next_one_does_not_have(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    engines, purse = engine(server, **PRICED), Purse(Budget(usd=5.0))
    collect(asks(50), engines, replies, any_text, budget=purse)
    assert purse.cost == pytest.approx(50 * COST)
    with pytest.raises(BudgetError):
        collect(asks(500, samples=2), engines, replies, any_text, budget=purse)
    assert 50 * COST < len(server.sent) * COST <= 5.0
    assert purse.cost == pytest.approx(len(server.sent) * COST)
    assert not purse.holds


def test_two_runs_at_once_share_a_purse(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    engines, purse = engine(server, **PRICED), Purse(Budget(usd=4.0))

    def spend(sample: int) -> type[Exception] | None:
        plan = [replace(ask, sample=sample) for ask in asks(200)]
        try:
            collect(plan, engines, replies, any_text, budget=purse)
        except BudgetError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(spend, range(2))) == [BudgetError, BudgetError]
    assert 4.0 - (10 + 400) * 1e-3 - 50e-2 < len(server.sent) * COST <= 4.0
    assert not purse.holds


def test_a_run_that_is_broken_off_leaves_nothing_set_aside(loopback: Start, replies: ReplyStore) -> None:
    def tell(progress: Any) -> None:
        raise InterruptedError("enough")

    purse = Purse(Budget(tokens=10**6))
    with pytest.raises(InterruptedError):
        collect(asks(5000), engine(loopback(slow), **PRICED), replies, any_text, budget=purse, progress=tell)
    assert not purse.holds


def test_usage_of_nothing_is_not_believed(loopback: Start, replies: ReplyStore) -> None:
    async def for_nothing(sent: Sent) -> dict[str, Any]:
        return said("x") | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}

    server = loopback(for_nothing)
    with pytest.raises(BudgetError):
        collect(asks(100), engine(server, params={"max_tokens": 1000}), replies, any_text, budget=Budget(tokens=10_000))
    assert len(server.sent) <= 8


def test_a_gateway_that_lost_patience_may_have_made_the_server_work(loopback: Start, replies: ReplyStore) -> None:
    async def late(sent: Sent) -> Any:
        return web.json_response({"error": "the upstream server took too long"}, status=504)

    server = loopback(late)
    with pytest.raises(BudgetError):
        collect(asks(100), engine(server, params={"max_tokens": 1000}), replies, any_text, budget=Budget(tokens=10_000))
    assert len(server.sent) <= 8


def test_of_two_bounds_the_larger_is_reserved() -> None:
    both = {"max_tokens": 1000, "max_completion_tokens": 10}
    assert worst_case(Engine(name="e", model="m"), both, 44) == Spend(44 + 256 + 1000, None)


def test_two_engines_share_one_budget(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(slow)
    engines = engine(server, "a", **PRICED) | engine(server, "b", **PRICED)
    with pytest.raises(BudgetError):
        collect([*asks(200, "a"), *asks(200, "b")], engines, replies, any_text, budget=Budget(usd=3.0))
    assert len(server.sent) * COST <= 3.0


@pytest.mark.parametrize(("settings", "budget", "told"), [
    ({"params": {"max_tokens": 5}}, Budget(usd=1.0), "has no price"),
    ({**PRICED, "currency": "EUR"}, Budget(usd=1.0), "EUR"),
    ({"params": {}}, Budget(tokens=1000), "max_tokens"),
])
def test_a_budget_that_cannot_hold_is_refused_before_anything_is_sent(
    settings: dict[str, Any], budget: Budget, told: str, loopback: Start, replies: ReplyStore
) -> None:
    server = loopback(slow)
    with pytest.raises(ConfigError, match=told):
        collect(asks(3), engine(server, **settings), replies, any_text, budget=budget)
    assert server.sent == []
