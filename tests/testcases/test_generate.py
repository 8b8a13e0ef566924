"""Inputs and cases that models write: what parses, what is counted, what replies agree on; known answers by hand."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.generate import Generate, generate_cases, generate_inputs
from feedback.testcases.sandbox.codec import encode
from generators.engines import Engine
from generators.made import Made
from schemas import TEST_CASES, TEST_INPUTS
from schemas.errors import ConfigError
from tests.testcases.replies import ENGINES, Says, answered
from tests.testcases.tables import fates, prompts

FENCED = '```json\n{"inputs": [[1]]}\n```'


def inputs(*values: Any) -> str:
    return json.dumps({"inputs": list(values)})


def cases(*pairs: tuple[Any, Any]) -> str:
    return json.dumps({"cases": [{"input": value, "expected": expected} for value, expected in pairs]})


def ran(operator: Generate, says: Says, *names: str) -> Made:
    asked = prompts(*(names or ("p",)))
    replies = answered(operator.plan(asked, ENGINES), says)
    return (operator.test_cases if operator.expected else operator.test_inputs)(asked, replies, ENGINES)


@pytest.mark.parametrize(("text", "reason"), [
    (inputs([1], ["a", None]), None), (FENCED, None), ("[[1]]", "not a JSON object"), ("Here: [1]", "not JSON"),
    (inputs(), "no list of inputs"), ('{"inputs": 3}', "no list of inputs"), ('{"values": [[1]]}', "no list of inputs"),
    (inputs(1), "an input is no list of arguments"), ("[" * 100_000, "not JSON"),
])
def test_a_reply_with_inputs_parses_or_says_why_not(text: str, reason: str | None) -> None:
    assert generate_inputs(["one"]).parse(text) == reason


@pytest.mark.parametrize(("text", "reason"), [
    (cases(("1\n", "2\n")), None), (cases((1, "2")), "an input is no text"), (cases(("1", 2)), "an input is no text"),
    ('{"cases": [{"input": "1"}]}', "a case lacks input or expected"),
])
def test_a_reply_with_texts_to_read_and_print_parses_or_says_why_not(text: str, reason: str | None) -> None:
    assert generate_cases(["one"], kind="stdin").parse(text) == reason


def test_a_lone_surrogate_can_be_read_by_no_program() -> None:
    assert generate_inputs(["one"], kind="stdin").parse('{"inputs": ["\\ud800"]}') is not None


@given(st.text(max_size=40) | st.recursive(
    st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["inputs", "cases", "input", "expected"]), inner, max_size=3), max_leaves=8).map(json.dumps))
def test_no_reply_stops_the_reading(text: str) -> None:
    for operator in (generate_inputs(["one"]), generate_cases(["one"]), generate_cases(["one"], kind="stdin")):
        assert operator.parse(text) is None or operator.parse(text)


def test_equal_inputs_of_two_models_are_one_row_and_no_more_than_asked_are_taken() -> None:
    says = {"one": inputs([1], [2], [1], [3]), "two": inputs([2], [9])}
    made = ran(generate_inputs(["one", "two"], n=2), lambda ask: says[ask.engine])
    assert dict(made.table.select("value", "makers").iter_rows()) == {
        encode([1]): ["one"], encode([2]): ["one", "two"], encode([9]): ["two"]}
    assert fates(made.counts, "inputs") == {"in": 6, "out": 3, "duplicate": 2, "more than asked": 1}
    assert TEST_INPUTS.check(TEST_INPUTS.conform(made.table.to_arrow()))[0] == []


def test_replies_that_fail_are_counted_by_their_reason() -> None:
    says = {"p": inputs([1]), "q": "no", "r": None}
    made = ran(generate_inputs(["one"]), lambda ask: says[ask.prompt_id], "p", "q", "r")
    assert fates(made.counts, "requests") == {"in": 3, "out": 1, "not JSON": 1, "no reply": 1}
    assert made.table["prompt_id"].to_list() == ["p"]


def test_of_what_replies_expect_the_most_frequent_is_the_case_and_a_tie_is_none() -> None:
    engines = {**ENGINES, "three": Engine(name="three", model="m", url="http://127.0.0.1:9/v1")}
    says = {"one": cases(([1], 5), ([2], 5), ([3], 0)), "two": cases(([1], 5), ([2], 6)),
            "three": cases(([1], 7))}
    operator, asked = generate_cases(["one", "two", "three"]), prompts("p")
    replies = answered(operator.plan(asked, engines), lambda ask: says[ask.engine], engines)
    made = operator.test_cases(asked, replies, engines)
    assert sorted(made.table.select("expected", "voters", "share").rows()) == [
        (encode(0), 1, 1.0), (encode(5), 3, 2 / 3)]
    assert set(made.table["source"]) == {"model"}
    assert fates(made.counts, "inputs") == {"in": 3, "out": 2, "tie": 1}
    assert TEST_CASES.check(TEST_CASES.conform(made.table.to_arrow()))[0] == []


def test_a_reply_that_contradicts_itself_on_an_input_has_no_say_on_it() -> None:
    says = {"one": cases(([1], 5), ([2], 7), ([1], 6), ([3], 1), ([3], 1.0)), "two": cases(([1], 5))}
    alone = ran(generate_cases(["one"]), lambda ask: says[ask.engine])
    assert sorted(alone.table["expected"]) == [encode(1), encode(7)]
    assert fates(alone.counts, "inputs") == {"in": 3, "out": 2, "contradiction": 1}
    both = ran(generate_cases(["one", "two"]), lambda ask: says[ask.engine])
    assert (encode(5), 1, 1.0) in both.table.select("expected", "voters", "share").rows()
    assert fates(both.counts, "inputs") == {"in": 3, "out": 3}


@pytest.mark.parametrize(("kind", "spellings", "expected", "agreeing"), [
    ("stdin", ("6\n", "6", "6\n"), "6\n", 3), ("stdin", ("6", "6 \n", "7"), "6", 2), ("stdin", ("", "\n", "6"), "", 2),
    ("call", (2, 2.0, 3), encode(2), 2),
])
def test_replies_that_spell_one_output_otherwise_agree(
        kind: Any, spellings: tuple[Any, ...], expected: str, agreeing: int) -> None:
    names = ("one", "two", "three")
    engines = {name: Engine(name=name, model="m", url="http://127.0.0.1:9/v1") for name in names}
    operator, asked = generate_cases(names, kind=kind), prompts("p")
    value: Any = "1\n" if kind == "stdin" else [1]
    says = dict(zip(names, spellings, strict=True))
    replies = answered(operator.plan(asked, engines), lambda ask: cases((value, says[ask.engine])), engines)
    [row] = operator.test_cases(asked, replies, engines).table.rows(named=True)
    assert (row["expected"], row["voters"], row["share"]) == (expected, 3, agreeing / 3)


def test_cases_have_inputs_of_their_own() -> None:
    asked, operator = prompts("p"), generate_cases(["one"])
    replies = answered(operator.plan(asked, ENGINES), lambda ask: cases(([1], 5)))
    found = operator.test_inputs(asked, replies, ENGINES).table
    assert found["input_id"].to_list() == operator.test_cases(asked, replies, ENGINES).table["input_id"].to_list()


def test_the_request_shows_task_number_and_function() -> None:
    asked = prompts("p", meta=json.dumps({"entry_point": "add_all"}))
    [ask] = generate_inputs(["one"], n=7).plan(asked, ENGINES)
    text = ask.messages[0]["content"]
    assert all(part in text for part in ("Solve p.", "Write 7 different inputs", "Function to call: add_all"))


def test_a_prompt_more_changes_no_other_prompts_rows() -> None:
    operator = generate_inputs(["one"])
    alone = ran(operator, lambda ask: inputs([1], [2])).table
    both = ran(operator, lambda ask: inputs([1], [2]), "p", "q").table
    assert both.filter(pl.col("prompt_id") == "p").equals(alone)


def test_requests_are_counted_with_and_without_asking_again() -> None:
    assert generate_inputs(["one", "two"]).calls(10, reasks=2) == (20, 60)


@pytest.mark.parametrize("make", [
    lambda: generate_inputs("one"), lambda: generate_inputs([]), lambda: generate_inputs(["one"], n=0),
    lambda: generate_cases(["one"], kind="answer"),  # type: ignore[arg-type]
    lambda: generate_inputs(["one"]).test_cases(prompts("p"), answered([], str), ENGINES),
])
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
