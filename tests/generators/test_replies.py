"""Raw bodies of many servers into rows."""

import json
from contextlib import suppress
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generators.replies import Malformed, Snapshot, answered, parse_body, read_body, unanswered
from schemas.completions import COMPLETIONS


def body(message: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop", **rest}]}


@pytest.mark.parametrize(("message", "text", "reasoning"), [
    ({"content": "4"}, "4", None),
    ({"content": "4", "reasoning_content": "2 and 2"}, "4", "2 and 2"),
    ({"content": "4", "reasoning": "2 and 2"}, "4", "2 and 2"),
    ({"content": "<think>\n2 and 2\n</think>\n\n4"}, "4", "2 and 2"),
    ({"content": "  <think></think>4"}, "4", None),
    ({"content": "<think>2 and 2, cut"}, "", "2 and 2, cut"),
    ({"content": "I <think>so</think>"}, "I <think>so</think>", None),
    ({"content": "2 and 2\n</think>\n\n4"}, "4", "2 and 2"),
    ({"content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]}, "42", None),
    ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "4"}]},
     "4", "hm"),
    ({"content": None}, "", None),
    ({"content": None, "refusal": "I will not"}, "I will not", None),
    ({"content": None, "refusal": {"why": "not"}}, "", None),
    ({"content": "a\ud800b"}, "a\ufffdb", None),
])
def test_reasoning_is_kept_apart_from_text(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    said = read_body(body(message))
    assert (said.text, said.reasoning) == (text, reasoning)


def test_tokens_tools_and_logprobs_are_taken_as_the_server_gives_them() -> None:
    calls = [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]
    reply = body({"content": "", "tool_calls": calls}, logprobs={"content": []})
    reply["usage"] = {"prompt_tokens": 3, "completion_tokens": 4}
    said = read_body(reply)
    assert (said.prompt_tokens, said.completion_tokens, said.finish_reason) == (3, 4, "stop")
    assert said.tool_calls == '[{"id":"1","function":{"name":"f","arguments":"{}"}}]'
    assert said.logprobs == '{"content":[]}'
    reply["prompt_logprobs"] = [None, {"17": {"logprob": -0.5, "rank": 1, "decoded_token": "a"}}]  # vLLM's, at the root
    assert json.loads(read_body(reply).logprobs or "") == {"content": [], "prompt": reply["prompt_logprobs"]}
    bare = read_body(body({"content": "x"}))
    assert (bare.prompt_tokens, bare.completion_tokens, bare.tool_calls, bare.logprobs) == (None, None, None, None)


@pytest.mark.parametrize("broken", [
    None, [], "x", {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]},
    {"error": {"message": "busy"}},
    {"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]},
])
def test_what_is_no_completion_is_malformed(broken: Any) -> None:
    with pytest.raises(Malformed):
        read_body(broken)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "text", "thinking", "message", "content", "id"]), inner, max_size=3), max_leaves=6)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(["content", "refusal", "reasoning", "reasoning_content", "tool_calls"]), JSON),
       JSON, JSON, JSON, JSON)
@example({"content": "x"}, 2**63, 2**70, None, None)
@example({"tool_calls": ["\ud800"]}, 1, 1, "\ud800", ["\udfff"])
def test_whatever_a_server_writes_where_is_a_row_or_malformed(
    message: dict[str, Any], prompt: Any, completion: Any, finish: Any, logprobs: Any
) -> None:
    """A reply that came and is stored must never be one that no later run can read."""
    reply = {"choices": [{"message": message, "finish_reason": finish, "logprobs": logprobs}],
             "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
    snapshot = Snapshot()
    with suppress(Malformed):
        snapshot.add(("r", 0, 0, "p", "e", "m", None, *answered(read_body(reply), None, None)))
    assert COMPLETIONS.check(COMPLETIONS.conform(snapshot.table().to_arrow()))[0] == []


@pytest.mark.parametrize(("raw", "value"), [
    (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}), (b'{"a": "\\ud800"}', {"a": "\ud800"}),
    (b'{"a": "\xff"}', {"a": "\ufffd"}),
    (b'{"a": -Infinity}', {"a": None}), (b'{"a": NaN}', {"a": None}),
])
def test_json_that_strict_readers_refuse_is_read(raw: bytes, value: Any) -> None:
    assert parse_body(raw) == value


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"a": ', b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_body(raw)


def test_the_server_s_own_error_is_in_the_reason() -> None:
    with pytest.raises(Malformed, match="upstream is busy"):
        read_body({"error": {"message": "upstream is busy"}})


def test_the_snapshot_is_sorted_by_key_and_a_shared_request_is_one_row_of_the_first_prompt() -> None:
    snapshot = Snapshot()
    said = read_body(body({"content": "4"}))
    for request, sample, prompt in (("b", 0, "p1"), ("a", 1, "p3"), ("a", 0, "p2"), ("a", 0, "p1")):
        snapshot.add((request, sample, 0, prompt, "e", "m", None, *answered(said, None, None)))
    snapshot.add(("c", 0, 0, "p1", "e", "m", None, *unanswered("HTTP 400: too long")))
    table = snapshot.table()
    assert table.select("request_id", "sample", "prompt_id").rows() == [
        ("a", 0, "p1"), ("a", 1, "p3"), ("b", 0, "p1"), ("c", 0, "p1")]
    assert COMPLETIONS.check(COMPLETIONS.conform(table.to_arrow()))[0] == []


def test_a_snapshot_of_nothing_has_the_columns() -> None:
    assert Snapshot().table().schema == pl.DataFrame(pl.from_arrow(COMPLETIONS.rows([]))).schema
