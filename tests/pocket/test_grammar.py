"""Constrained decoding: exactly the JSON of the trained schemas, as `json.dumps` writes it."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback.jury.parse import read_verdict, verdict_schema
from feedback.testcases.generate import inputs_schema
from generators.pocket.grammar import TRAINED, Grammar, advance, name_of, start

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
BYTES = [*(bytes([byte]) for byte in range(256)), b'{"', b'", "', b'": ', b'"}', b"]]}", b"tie", b"1, ", b""]
END = len(BYTES) - 1
USUAL = {*b'"}]012.,:abtieA'}


def accepted(name: str, text: str) -> bool:
    state = start(name)
    for byte in text.encode():
        reached = advance(state, byte)
        if reached is None:
            return False
        state = reached
    return state == ()


@given(st.text(), st.sampled_from(["A", "B", "tie", "both_bad"]), st.booleans())
@example('"\\ \x00\u2028 é 😀', "tie", False)
def test_every_verdict_that_json_writes_may_be_said(rationale: str, verdict: str, escaped: bool) -> None:
    assert accepted("verdict", json.dumps({"rationale": rationale, "verdict": verdict}, ensure_ascii=False))
    if escaped and rationale.isascii():
        assert accepted("verdict", json.dumps({"rationale": rationale, "verdict": verdict}))


@given(st.lists(st.lists(VALUES, max_size=3), max_size=3))
@example([])
@example([[], [-0.5, 1e300, 10, 0]])
def test_every_list_of_arguments_that_json_writes_may_be_said(inputs: list[Any]) -> None:
    assert accepted("inputs", json.dumps({"inputs": inputs}, ensure_ascii=False))


@pytest.mark.parametrize("text", [
    '{"rationale":"x", "verdict": "A"}', '{ "rationale": "x", "verdict": "A"}', '{"rationale": "x", "verdict": "C"}',
    '{"verdict": "A"}', '{"rationale": "x", "verdict": "A"} ', '{"rationale": 1, "verdict": "A"}',
    '{"rationale": "a\nb", "verdict": "A"}', '{"rationale": "\\x", "verdict": "A"}', '{"rationale": "x", "verdict": "',
    '{"rationale": "\\ud83d", "verdict": "A"}',
])
def test_no_other_verdict_may_be_said(text: str) -> None:
    assert not accepted("verdict", text)


@pytest.mark.parametrize("text", [
    '{"inputs": [1]}', '{"inputs": [[1],]}', '{"inputs": [[01]]}', '{"inputs": [[1.]]}', '{"inputs": [[-]]}',
    '{"inputs": [[1,2]]}', '{"inputs": [[+1]]}', '{"inputs": [[1e]]}', '{"inputs": [[{1: 2}]]}', '{"inputs": {}}',
    '{"inputs": [[1 ]]}', '{"inputs": [["a" "b"]]}',
])
def test_no_other_inputs_may_be_said(text: str) -> None:
    assert not accepted("inputs", text)


def test_bytes_that_are_no_text_may_not_be_said() -> None:
    state = start("verdict")
    for byte in b'{"rationale": "':
        state = advance(state, byte) or ()
    for broken in (b"\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b'\xc3"'):
        reached: Any = state
        for byte in broken:
            reached = reached and advance(reached, byte)
        assert reached is None


@pytest.mark.parametrize("name", ["verdict", "inputs"])
def test_whatever_is_drawn_from_the_masks_until_the_end_fits_the_schema(name: str) -> None:
    grammar, ended = Grammar(BYTES, frozenset({END})), 0
    for seed in range(60):
        rng, state, said = Random(seed), start(name), b""
        for _ in range(3000):
            allowed = [int(token) for token in grammar.allowed(state).nonzero()[0]]
            usual = [token for token in allowed if token in USUAL]
            token = rng.choice(usual if usual and rng.random() < 0.9 else allowed)
            reached = grammar.after(state, token)
            assert reached is not None
            if token == END:
                break
            state, said = reached, said + BYTES[token]
        if state == ():
            ended += 1
            found = json.loads(said)
            if name == "verdict":
                assert read_verdict(said.decode())
            else:
                assert list(found) == ["inputs"]
                assert all(isinstance(arguments, list) for arguments in found["inputs"])
    assert ended > 20


def test_a_complete_reply_may_only_end_and_an_incomplete_one_may_not() -> None:
    grammar = Grammar(BYTES, frozenset({END}))
    assert grammar.allowed(()).nonzero()[0].tolist() == [END]
    assert not grammar.allowed(start("verdict"))[END]
    assert grammar.allowed(start("verdict")).nonzero()[0].tolist() == [ord("{"), BYTES.index(b'{"')]


def test_the_schemas_are_those_that_juries_and_test_writers_ask_for() -> None:
    assert name_of(dict(verdict_schema())) == "verdict"
    assert name_of(inputs_schema("call")) == "inputs"
    assert name_of({"type": "object"}) is None
    assert set(TRAINED) == {"verdict", "inputs"}
