"""Inputs changed within their types, by hash: known neighbours, and laws."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.given import input_rows
from feedback.testcases.mutate import Dice, mutate_inputs, mutated
from feedback.testcases.sandbox.codec import decode, encode
from schemas import TEST_INPUTS
from schemas.errors import ConfigError
from tests.testcases.tables import call_inputs, fates


def all_of(value: Any, times: int = 200) -> set[str]:
    """Everything that draws make of a value, encoded."""
    return {encode(mutated(value, Dice(0, (number,))), ordered=True) for number in range(times)}


@pytest.mark.parametrize(("value", "mutants"), [
    (3, [2, 4]), (2.5, [1.5, 3.5]), (True, [False]), (None, [None]), ("", [""]), ([], [[]]), (1j, [1j]),
    ([5], [[], [5, 5], [4], [6], [5, 4], [5, 6]]), ((5,), [(), (5, 5), (4,), (6,), (5, 4), (5, 6)]),
    ("b", ["", "bb", "B", "a", "c", "bB", "ba", "bc"]), (b"\x01", [b"", b"\x02"]),
    ({"k": 1}, [{}, {"k": 0}, {"k": 2}, {"k": 1, "": 1}]),
])
def test_a_value_has_the_neighbours_of_its_type(value: Any, mutants: list[Any]) -> None:
    found = all_of(value)
    if isinstance(value, dict):
        assert {encode(one) for one in mutants[:3]} <= found
        assert all(type(decode(one, ordered=True)) is dict for one in found)
    else:
        assert found == {encode(one, ordered=True) for one in mutants}


def test_what_is_inside_changes_too() -> None:
    assert encode([[1, 2], [4]], ordered=True) in all_of([[1, 2], [3]])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4) | st.binary(max_size=3)
    | st.sets(st.integers(0, 5), max_size=3) | st.frozensets(st.text(max_size=2), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(
        st.text(max_size=2), inner, max_size=3), max_leaves=6)


@given(values, st.integers(0, 99))
@settings(max_examples=60)
def test_a_mutant_is_of_the_same_type_can_be_told_and_is_the_same_each_time(value: Any, number: int) -> None:
    found = mutated(value, Dice(0, (number,)))
    assert type(found) is type(value)
    text = encode(found, ordered=True)
    decode(text, ordered=True)
    assert encode(mutated(value, Dice(0, (number,))), ordered=True) == text


def test_a_set_is_changed_in_one_order_whatever_order_it_was_built_in() -> None:
    one, other = set(range(0, 17, 8)), set(range(16, -1, -8))  # they collide: CPython iterates them as they came
    assert all(mutated(one, Dice(0, (n,))) == mutated(other, Dice(0, (n,))) for n in range(20))


def test_mutants_have_as_many_arguments_and_are_new_and_name_their_maker() -> None:
    inputs = call_inputs("p", [1, "ab"], [2, "ab"])
    made = mutate_inputs(n=6)(inputs)
    assert TEST_INPUTS.check(TEST_INPUTS.conform(made.table.to_arrow()))[0] == []
    assert all([type(one) for one in decode(value)] == [int, str] for value in made.table["value"])
    assert not set(made.table["input_id"]) & set(inputs["input_id"])
    assert made.table["makers"].to_list() == [["mutation"]] * made.table.height
    told = fates(made.counts, "mutants")
    assert told["in"] == 12
    assert told["out"] == made.table.height >= 6


def test_a_dict_among_the_arguments_keeps_its_order() -> None:
    made = mutate_inputs(n=9)(input_rows([("p", "call", encode([{"z": 1, "a": 2}], ordered=True), ["human"])]))
    pairs = [list(decode(value, ordered=True)[0]) for value in made.table["value"]]
    assert ["z", "a"] in pairs
    assert ["a", "z"] not in pairs


def test_later_mutants_are_farther_away() -> None:
    made = mutate_inputs(n=12)(call_inputs("p", [100])).table
    far = {abs(decode(value, ordered=True)[0] - 100) for value in made["value"]}
    assert 1 in far
    assert max(far) > 2


def test_where_nothing_else_is_possible_there_is_no_mutant() -> None:
    made = mutate_inputs(n=2)(call_inputs("p", [], [None]))
    assert made.table.is_empty()
    assert fates(made.counts, "mutants") == {"in": 4, "out": 0, "duplicate": 4}


def test_texts_that_are_read_are_left_alone_and_long_mutants_are_dropped() -> None:
    inputs = input_rows([("p", "stdin", "1 2\n", ["human"])])
    assert fates(mutate_inputs()(inputs).counts, "inputs") == {"in": 1, "out": 0, "not a call": 1}
    made = mutate_inputs(n=3, longest=2)(call_inputs("p", ["abcdef"]))
    assert fates(made.counts, "mutants") == {"in": 3, "out": 0, "too long": 3}


def test_another_input_or_one_more_mutant_changes_no_other() -> None:
    few, more = mutate_inputs(n=2), mutate_inputs(n=3)
    one, other = call_inputs("p", [[1, 2, 3], "text"]), call_inputs("q", [7])
    assert set(few(one).table["input_id"]) <= set(more(one).table["input_id"])
    both = few(pl.concat([other, one])).table
    assert both.filter(pl.col("prompt_id") == "p").equals(few(one).table)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"longest": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        mutate_inputs(**wrong)
