"""Inputs and cases from the prompts themselves, from people and from references; known answers by hand."""

import json
from typing import Any

import polars as pl
import pytest

from feedback.testcases.given import (
    answer_inputs,
    given,
    input_rows,
    merged_inputs,
    reference_cases,
    reference_responses,
)
from feedback.testcases.sandbox.codec import encode
from schemas import RESPONSES, TEST_CASES, TEST_INPUTS
from schemas.errors import ConfigError, SchemaError
from schemas.table import Table
from schemas.test_inputs import input_id
from tests.testcases.tables import fates, prompts, runs


def fits(table: Table, made: pl.DataFrame) -> bool:
    return table.check(table.conform(made.to_arrow()))[0] == []


def asked(tests: Any, **fields: Any) -> pl.DataFrame:
    return prompts("p", meta=json.dumps({"tests": tests}), **fields)


def test_inputs_of_a_field_are_rows_and_equal_ones_are_one() -> None:
    made = given().test_inputs(asked([[1, 2], {"input": [1, 2]}, [3]]))
    assert sorted(made.table["value"]) == [encode([1, 2]), encode([3])]
    assert made.table["makers"].to_list() == [["human"], ["human"]]
    assert fits(TEST_INPUTS, made.table)


def test_cases_are_those_with_an_expected_output_be_it_null() -> None:
    made = given(source="reference").test_cases(asked([[9], {"input": [1], "expected": None}, {"input": [2],
                                                                                           "expected": "x"}]))
    assert dict(made.table.select("input_id", "expected").iter_rows()) == {
        input_id("p", "call", encode([1])): encode(None), input_id("p", "call", encode([2])): encode("x")}
    assert set(made.table["source"]) == {"reference"}
    assert fits(TEST_CASES, made.table)


def test_the_order_of_a_dict_among_the_arguments_is_kept() -> None:
    values = given().test_inputs(asked([[{"b": 1, "a": 2}], [{"a": 2, "b": 1}]])).table["value"]
    assert values.n_unique() == 2


def test_texts_are_taken_as_they_are() -> None:
    made = given(kind="stdin").test_cases(asked([{"input": "1 2\n", "expected": "3\n"}]))
    assert made.table.select("kind", "expected").rows() == [("stdin", "3\n")]


def test_prompts_without_the_field_are_counted() -> None:
    both = pl.concat([asked([[1]]), prompts("q")])
    assert fates(given().test_inputs(both).counts, "prompts") == {"in": 2, "out": 1, "no inputs": 1}
    assert fates(given().test_cases(both).counts, "prompts") == {"in": 2, "out": 0, "no cases": 2}


@pytest.mark.parametrize(("tests", "kind", "told"), [
    ("text", "call", "is no list"), ([5], "call", "positional arguments"), ([[1]], "stdin", "is no text"),
    ([{"input": "1", "expected": 3}], "stdin", "is no text"),
    (["\ud800"], "stdin", "'tests' of p holds: .*surrogates"),
    ([json.loads("[" * 120 + "]" * 120)], "call", "deeper than 100"),
])
def test_a_field_of_another_form_is_refused(tests: Any, kind: str, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        given(kind=kind).test_cases(asked(tests))


@pytest.mark.parametrize("wrong", [{"kind": "answer"}, {"source": "vote"}, {"source": "me"}])
def test_nonsense_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        given(**wrong)


def test_a_stated_answer_has_one_empty_input_a_prompt() -> None:
    made = answer_inputs(prompts("p", "q"))
    assert made.table.select("kind", "value").rows() == [("answer", "")] * 2
    assert fits(TEST_INPUTS, made.table)


def test_references_are_baselines_written_by_people() -> None:
    made = reference_responses(pl.concat([prompts("p", reference="def f(): ..."), prompts("q")]))
    assert made.table.select("prompt_id", "origin", "role", "text").rows() == [
        ("p", "human", "baseline", "def f(): ...")]
    assert fates(made.counts, "prompts") == {"in": 2, "out": 1, "no reference": 1}
    assert fits(RESPONSES, made.table)


def test_what_references_give_is_a_case_unless_they_differ_fail_or_waver() -> None:
    made = reference_cases(runs({"p/one": [7, 7, "ERROR", "FLAKY"], "p/two": [7, 8, 1, "FLAKY"]}))
    assert made.table.select("expected", "source").rows() == [(encode(7), "reference")]
    assert fates(made.counts, "inputs") == {"in": 4, "out": 1, "references differ": 1, "no output": 1, "flaky": 1}
    assert fits(TEST_CASES, made.table)


def test_equal_inputs_of_several_makers_are_one_row_with_all_their_names() -> None:
    one = input_rows([("p", "call", "[1]", ["two", "one"]), ("p", "call", "[2]", ["one"])])
    other = input_rows([("p", "call", "[1]", ["mutation"]), ("q", "call", "[1]", ["one"])])
    made = merged_inputs([one, other])
    assert sorted(made.table.select("prompt_id", "value", "makers").rows()) == [
        ("p", "[1]", ["mutation", "one", "two"]), ("p", "[2]", ["one"]), ("q", "[1]", ["one"])]
    assert fates(made.counts, "inputs") == {"in": 4, "out": 3, "duplicate": 1}
    assert made.table.equals(merged_inputs([other, one]).table)
    assert fits(TEST_INPUTS, made.table)
