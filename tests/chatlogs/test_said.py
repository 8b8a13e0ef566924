"""Messages as programs write them, in one shape; names of languages; attributes of spans laid flat."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.languages import language
from feedback.chatlogs.otlp import attributes_of, value_of
from feedback.chatlogs.parts import Turn
from feedback.chatlogs.said import answered, asked, exchange, turn


@pytest.mark.parametrize(("message", "role", "text"), [
    ({"role": "user", "content": "Hi"}, "user", "Hi"),
    ({"from": "gpt", "value": "Hello"}, "assistant", "Hello"),
    ({"type": "human", "content": "Hi"}, "user", "Hi"),
    ({"role": "Assistant", "parts": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]}, "assistant",
     "a\nb"),
    ({"role": "user", "content": ["a", {"type": "input_text", "text": "b"}]}, "user", "a\nb"),
    ({"role": "assistant", "content": ""}, "assistant", ""),
    ({"role": "assistant", "content": None, "refusal": "No."}, "assistant", "No."),
    ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, "assistant", ""),
])
def test_a_message_is_read_in_every_shape(message: dict[str, Any], role: str, text: str) -> None:
    read = turn(message)
    assert isinstance(read, Turn)
    assert (read.role, read.text) == (role, text)


@pytest.mark.parametrize(("message", "reason"), [
    ("Hi", "not an object"), ({"content": "Hi"}, "unknown role"), ({"role": "crowd", "content": "Hi"}, "unknown role"),
    ({"role": "user"}, "no text"), ({"role": "user", "content": 7}, "no text"),
    ({"role": "user", "content": []}, "no text"),
])
def test_what_is_no_message_says_why(message: Any, reason: str) -> None:
    assert turn(message) == reason


def test_of_several_answers_the_first_is_the_one_that_others_mean() -> None:
    dropped: Counter[str] = Counter()
    answers = [{"role": "assistant", "content": said} for said in ("One", "Two")] + [{"role": "assistant"}]
    read = exchange([{"role": "user", "content": "Hi"}], answers, dropped, names=(("span s", "answer"),))
    assert [(one.text, one.names, one.on_main_path) for one in read] == [
        ("Hi", (), True), ("One", (("span s", "answer"),), True), ("Two", (), False)]
    assert read[1].parent == read[2].parent == read[0].key
    assert dropped == {"no text": 1}


@pytest.mark.parametrize("held", [
    [{"role": "user", "content": "Hi"}], {"messages": [{"role": "user", "content": "Hi"}]}, "Hi", {"question": "Hi"},
    '[{"role": "user", "content": "Hi"}]', {"role": "user", "content": "Hi"}, {"kwargs": {"messages": ["Hi"]}}, ["Hi"],
    [[{"role": "user", "content": "Hi"}]],
])
def test_an_input_is_found_in_what_is_around_it(held: Any) -> None:
    assert asked(held) == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("held", [
    {"role": "assistant", "content": "Hi"}, "Hi", {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]},
    {"content": "Hi"}, {"output": {"text": "Hi"}}, '{"answer": "Hi"}', ["Hi"], {"messages": ["Bye", "Hi"]},
])
def test_an_output_is_found_in_what_is_around_it(held: Any) -> None:
    assert answered(held) == [{"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize("held", [None, "", 7, {}, [], {"usage": 3}, {"a": {"b": "c"}}])
def test_where_nothing_was_said_nothing_is_found(held: Any) -> None:
    assert asked(held) == []
    assert answered(held) == []


FIELDS = st.sampled_from(["role", "content", "messages", "input", "choices", "text"])
JSON = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
                    max_leaves=12)


@given(st.lists(JSON, max_size=4), JSON)
def test_every_message_becomes_a_turn_or_is_counted(messages: list[Any], output: Any) -> None:
    dropped: Counter[str] = Counter()
    answers = answered(output)
    read = exchange(messages, answers, dropped)
    assert len(read) + dropped.total() == len(messages) + len(answers)


@pytest.mark.parametrize(("name", "code"), [
    ("English", "en"), ("Chinese", "zh"), ("zh-CN", "zh"), ("pt_BR", "pt"), ("de", "de"), ("unknown", None), ("", None),
    (None, None), ("Klingon", None), ("x" * 99, None), ("English or French", None),
])
def test_languages_become_codes(name: Any, code: str | None) -> None:
    assert language(name) == code


def test_half_a_character_in_json_in_a_text_is_replaced_and_the_rest_is_read() -> None:
    assert asked('[{"role": "user", "content": "Hi \\ud83d"}]') == [{"role": "user", "content": "Hi ?"}]
    assert asked('["\\ud83d\\ude00"]') == [{"role": "user", "content": "\U0001f600"}]
    assert asked('["\\ud83d') == [{"role": "user", "content": '["\\ud83d'}]


def test_values_of_otlp_are_plain_json() -> None:
    assert value_of({"intValue": "12"}) == 12
    assert value_of({"intValue": "9" * 99}) == "9" * 99
    assert value_of({"arrayValue": {"values": [{"boolValue": True}, {"doubleValue": 0.5}]}}) == [True, 0.5]
    nested = {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}
    assert value_of(nested) == {"a": "b"}
    assert attributes_of({"attributes": [{"key": "x", "value": nested}, {"key": "n", "value": {"intValue": "3"}}]}) == {
        "x.a": "b", "n": 3}
    assert attributes_of({"attributes": {"a": {"b": [{"c": 1}, {"c": 2}]}, "d": [1, 2]}}) == {
        "a.b.0.c": 1, "a.b.1.c": 2, "d": [1, 2]}
