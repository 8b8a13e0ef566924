"""What the engine client sends, stores and gives back."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiohttp import web

from generators.ask import Ask, Plan
from generators.client import collect
from generators.engines import Engine
from generators.progress import Progress
from generators.store import ReplyStore
from schemas.completions import COMPLETIONS
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, any_text, asks, engine, said

Start = Callable[..., Loopback]


async def echo(sent: Sent) -> dict[str, Any]:
    return said(f"re {sent.text}")


def test_every_ask_becomes_one_row_sorted_by_key(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    table = collect(asks(50, samples=2), engine(server, revision="r1"), replies, any_text)
    assert table.height == 100
    assert len(server.sent) == 100
    assert table.equals(table.sort(COMPLETIONS.key))
    assert set(table["status"]) == {"ok"}
    assert set(table.select("prompt_id", "text").rows()) == {(f"p{i}", f"re q{i}") for i in range(50)}
    assert set(table["revision"]) == {"r1"}
    assert COMPLETIONS.check(COMPLETIONS.conform(table.to_arrow()))[0] == []


def test_what_the_store_has_is_never_sent_again(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    first = collect(asks(20), engine(server), replies, any_text)
    again = collect(asks(20), engine(server), replies, any_text)
    assert len(server.sent) == 20
    assert again.equals(first)
    collect(asks(21, samples=2), engine(server), replies, any_text)
    assert len(server.sent) == 42, "one new prompt and one new sample pay for themselves only"


def test_a_stored_plan_needs_neither_server_nor_key(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    first = collect(asks(3), engine(server), replies, any_text)
    gone = {"e": Engine(name="e", model="tiny", url="http://127.0.0.1:9/v1", key_env="WINNOW_NO_SUCH_KEY")}
    assert collect(asks(3), gone, replies, any_text).equals(first)


def test_the_same_ask_twice_in_a_plan_is_sent_once(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    twins = [*asks(5), *asks(5), Ask(engine="e", messages=[{"role": "user", "content": "q0"}], prompt_id="p-other")]
    table = collect(twins, engine(server), replies, any_text)
    assert len(server.sent) == 5
    assert table.height == 5
    assert sorted(table["prompt_id"]) == ["p-other", *(f"p{i}" for i in range(1, 5))]
    assert replies.requests_of("p0") == replies.requests_of("p-other")


def test_samples_get_seeds_of_their_own_that_do_not_change(
    loopback: Start, replies: ReplyStore, tmp_path: Path
) -> None:
    server = loopback(echo)
    collect(asks(1, samples=8), engine(server), replies, any_text)
    seeds = {sent.body["seed"] for sent in server.sent}
    assert len(seeds) == 8
    with ReplyStore.open(tmp_path / "other") as other:
        collect(asks(1, samples=8), engine(server), other, any_text)
    assert {sent.body["seed"] for sent in server.sent[8:]} == seeds


def test_the_request_is_what_the_api_wants(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "f"}}]
    params = {"temperature": 0.5, "logprobs": True, "top_logprobs": 3, "tools": tools, "seed": 1, "n": 5}
    engines = engine(server, params={"temperature": 1.0, "top_p": 0.9})
    collect(asks(1, params=params, schema=schema), engines, replies, any_text)
    body = server.sent[0].body
    seed = body.pop("seed")
    assert seed != 1
    assert body == {
        "model": "tiny", "messages": [{"role": "user", "content": "q0"}], "temperature": 0.5, "top_p": 0.9,
        "logprobs": True, "top_logprobs": 3, "tools": tools,
        "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}},
    }


def test_the_request_id_knows_what_decides_the_reply_and_nothing_else() -> None:
    ask = asks(1)[0]
    one = Engine(name="e", model="m", url="http://a", key_env="A", max_concurrency=3)
    assert ask.request_id(one) == ask.request_id(Engine(name="e", model="m", url="http://b:9/v1", timeout_s=3))
    others = [Engine(name="f", model="m"), Engine(name="e", model="n"), Engine(name="e", model="m", revision="1"),
              Engine(name="e", model="m", params={"top_p": 0.5})]
    assert len({ask.request_id(engine) for engine in [one, *others]}) == 5
    seeded = asks(1, params={"seed": 3, "n": 2})[0]
    assert seeded.request_id(one) == ask.request_id(one)
    assert asks(1, params={"stop": "x"})[0].request_id(one) != ask.request_id(one)
    assert asks(1, schema={})[0].request_id(one) != ask.request_id(one)


def test_a_reply_that_does_not_parse_is_kept_and_asked_again(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> dict[str, Any]:
        tries = sum(earlier.text == sent.text for earlier in server.sent)
        return said("good" if sent.text == "q0" or (sent.text == "q1" and tries == 2) else "bad")

    def parse(text: str) -> str | None:
        return None if text == "good" else f"not good: {text}"

    server = loopback(answer)
    table = collect(asks(3), engine(server), replies, parse, reasks=2)
    seen = {name: sorted(rows.select("attempt", "status", "error").rows())
            for (name,), rows in table.group_by("prompt_id")}
    assert seen == {
        "p0": [(0, "ok", None)],
        "p1": [(0, "invalid", "not good: bad"), (1, "ok", None)],
        "p2": [(n, "invalid", "not good: bad") for n in range(3)],
    }
    assert len({sent.body["seed"] for sent in server.sent}) == 6
    assert collect(asks(3), engine(server), replies, parse).equals(table)
    assert len(server.sent) == 6


def test_a_better_parser_relabels_for_nothing(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    collect(asks(3), engine(server), replies, lambda text: "I take nothing", reasks=1)
    assert len(server.sent) == 6
    table = collect(asks(3), engine(server), replies, any_text, reasks=1)
    assert len(server.sent) == 6
    assert table.select("attempt", "status").rows() == [(0, "ok")] * 3


def test_a_parser_may_see_the_ask(loopback: Start, replies: ReplyStore) -> None:
    seen = []

    def parse(text: str, ask: Ask) -> str | None:
        seen.append((text, ask.prompt_id))
        return None

    collect(asks(2), engine(loopback(echo)), replies, parse)
    assert sorted(seen) == [("re q0", "p0"), ("re q1", "p1")]


def test_a_tool_call_is_an_answer_although_it_has_no_text(loopback: Start, replies: ReplyStore) -> None:
    async def answer(sent: Sent) -> dict[str, Any]:
        return said("", finish="tool_calls", tool_calls=[{"id": "1"}])

    table = collect(asks(1), engine(loopback(answer)), replies, any_text)
    assert table.select("status", "text", "tool_calls").rows() == [("ok", "", '[{"id":"1"}]')]


def test_money_is_null_without_a_price(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    engines = engine(server, "priced", price_in=2.0, price_out=10.0) | engine(server, "free")
    table = collect([*asks(1, "priced"), *asks(1, "free")], engines, replies, any_text)
    assert dict(table.select("engine", "cost").rows()) == {"priced": pytest.approx(70e-6), "free": None}


def test_an_unknown_engine_is_refused(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    with pytest.raises(ConfigError, match="did you mean 'small'"):
        collect(asks(1, "smal"), engine(server, "small"), replies, any_text)
    assert server.sent == []


def test_a_missing_key_variable_is_named_before_anything_is_sent(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    engines = engine(server, "open") | engine(server, "closed", key_env="WINNOW_NO_SUCH_KEY")
    with pytest.raises(ConfigError, match="WINNOW_NO_SUCH_KEY"):
        collect([*asks(5, "open"), *asks(5, "closed")], engines, replies, any_text)
    assert server.sent == []


def test_the_key_is_sent_and_appears_nowhere_else(
    loopback: Start, replies: ReplyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-top-secret-42"
    monkeypatch.setenv("WINNOW_TEST_KEY", key)

    async def answer(sent: Sent) -> Any:
        shown = sent.headers["Authorization"]
        if sent.text == "q0":
            return web.json_response({"error": {"message": f"too long, {shown}"}}, status=400)
        return said(f"you sent {shown}", reasoning_content=shown)

    server = loopback(answer)
    table = collect(asks(3), engine(server, key_env="WINNOW_TEST_KEY"), replies, any_text)
    assert {sent.headers["Authorization"] for sent in server.sent} == {f"Bearer {key}"}
    assert key not in str(table.to_dicts())
    assert "[key]" in str(table.to_dicts())
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert key.encode() not in kept


def test_a_key_that_the_server_escapes_is_hidden_and_a_key_that_is_a_word_changes_no_reply(
    loopback: Start, replies: ReplyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(sent: Sent) -> Any:
        key = sent.headers["Authorization"].removeprefix("Bearer ").replace("/", "\\/")
        text = f'{{"choices": [{{"message": {{"content": "I was told {key}"}}}}]}}'
        return web.Response(text=text, content_type="application/json")

    server = loopback(answer)
    for name, key in (("long", "sk/top/secret/42"), ("word", "ollama")):
        monkeypatch.setenv("WINNOW_TEST_KEY", key)
        table = collect(asks(1, name), engine(server, name, key_env="WINNOW_TEST_KEY"), replies, any_text)
        assert table["text"].to_list() == ["I was told " + ("[key]" if name == "long" else "ollama")]


def test_plans_may_be_functions_and_empty(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)
    assert collect(lambda: iter(asks(3)), engine(server), replies, any_text).height == 3
    empty = collect([], engine(server), replies, any_text)
    assert empty.schema == pl.DataFrame(pl.from_arrow(COMPLETIONS.rows([]))).schema


def test_it_runs_where_a_loop_is_running_already(loopback: Start, replies: ReplyStore) -> None:
    server = loopback(echo)

    async def inside() -> pl.DataFrame:
        return collect(asks(3), engine(server), replies, any_text)

    assert asyncio.run(inside()).height == 3


def test_progress_is_told_while_it_runs_and_at_the_end(loopback: Start, replies: ReplyStore) -> None:
    async def slow(sent: Sent) -> dict[str, Any]:
        await asyncio.sleep(0.3)
        return said("x" if sent.number % 4 else "")

    server, told = loopback(slow), list[Progress]()
    collect(asks(2), engine(server, price_in=1.0, price_out=1.0), replies, any_text, reasks=0)
    plan = Plan(asks=lambda: iter(asks(42)), of=lambda _: iter(asks(42)), count=42)
    collect(plan, engine(server, max_concurrency=16, price_in=1.0, price_out=1.0), replies, any_text, reasks=0,
            progress=told.append)
    last = told[-1]
    assert len(told) >= 2
    assert (last.done, last.planned, last.from_store, last.failed) == (42, 42, 2, 0)
    assert last.invalid > 0
    assert last.tokens_out == 200
    assert last.cost == pytest.approx(40 * 15e-6)
    assert 0 < max(seen.engines.get("e", 0) for seen in told) <= 16
    assert last.engines == {"e": 0}


def test_a_request_that_the_server_refuses_for_good_is_stored_and_the_rest_goes_on(
    loopback: Start, replies: ReplyStore
) -> None:
    async def answer(sent: Sent) -> Any:
        if sent.text == "q1":
            return web.json_response({"error": {"message": "maximum context length is 8"}}, status=400)
        return said("x")

    server = loopback(answer)
    table = collect(asks(3), engine(server), replies, any_text)
    failed = table.filter(pl.col("status") == "error")
    assert failed.select("prompt_id", "text", "error").rows() == [("p1", None, "HTTP 400: maximum context length is 8")]
    assert collect(asks(3), engine(server), replies, any_text).equals(table)
    assert len(server.sent) == 3, "a stored failure is not asked again"


def test_the_store_keeps_the_canonical_request(loopback: Start, replies: ReplyStore) -> None:
    engines = engine(loopback(echo))
    ask = asks(1, params={"top_p": 0.5})[0]
    collect([ask], engines, replies, any_text)
    assert json.dumps(replies.request(ask.request_id(engines["e"])), sort_keys=True) == json.dumps(
        ask.request(engines["e"]), sort_keys=True)
