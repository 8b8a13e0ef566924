"""Plans, parsers and parameters that are not what the client needs: told at once, and nothing paid for is lost."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from generators.ask import Ask
from generators.client import collect
from generators.engines import Engine
from generators.store import ReplyStore
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, any_text, asks, engine
from tests.generators.test_client import echo

Start = Callable[..., Loopback]


@pytest.mark.parametrize("name", ["model", "messages", "stream"])
def test_parameters_cannot_replace_what_the_request_says_it_is(
    name: str, loopback: Start, replies: ReplyStore
) -> None:
    server = loopback(echo)
    with pytest.raises(ConfigError, match=f"must not hold '{name}'"):
        collect(asks(1, params={name: "other"}), engine(server), replies, any_text)
    assert server.sent == []


@pytest.mark.parametrize(("engines", "own", "sent"), [
    ({"max_tokens": 9}, {"max_tokens": 5}, {"max_tokens": 5}),
    ({"max_completion_tokens": 9}, {"max_tokens": 5}, {"max_completion_tokens": 5}),
    ({"max_tokens": 9}, {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ({}, {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
])
def test_a_request_has_one_bound_under_the_name_that_the_engine_s_has(
    engines: dict[str, Any], own: dict[str, Any], sent: dict[str, Any]
) -> None:
    ask = asks(1, params=own)[0]
    assert ask.request(Engine(name="e", model="m", params=engines))["params"] == sent


def test_a_plan_that_can_be_drawn_once_only_is_refused(loopback: Start, replies: ReplyStore) -> None:
    with pytest.raises(ConfigError, match="an iterator gives its asks only once"):
        collect(iter(asks(3)), engine(loopback(echo)), replies, any_text)


def test_a_parser_that_breaks_ends_the_run_and_loses_no_reply(loopback: Start, replies: ReplyStore) -> None:
    def parse(text: str) -> str | None:
        raise ZeroDivisionError(text)

    server = loopback(echo)
    with pytest.raises(ZeroDivisionError):
        collect(asks(100), engine(server), replies, parse)
    sent = len(server.sent)
    assert collect(asks(100), engine(server), replies, any_text).height == 100
    assert len(server.sent) == 100 > sent > 0


def test_a_plan_that_breaks_ends_the_run_and_keeps_what_was_sent(loopback: Start, replies: ReplyStore) -> None:
    def plan() -> Iterator[Ask]:
        yield from asks(100)
        raise ZeroDivisionError

    server = loopback(echo)
    with pytest.raises(ZeroDivisionError):
        collect(plan, engine(server), replies, any_text)
    stored = sum(replies.has(ask.request_id(engine(server)["e"]), 0, 0) for ask in asks(100))
    assert stored == len(server.sent)
