"""Checks of written tests by their syntax, against tests whose smells are known."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.smells import BAD_SMELLS, CHECKS, smells, smells_of, sound
from schemas import MEASUREMENTS
from schemas.errors import SchemaError
from tests.testcases.tables import fates

CLEAN = "def test_sum_of_nothing_is_zero():\n    # the edge case\n    assert add_all([]) == 0\n"


def told(test: str, entry: str | None = "add_all") -> set[str]:
    return {name for name, holds in smells_of(test, entry).items() if holds}


def test_a_clean_test_has_all_it_needs_and_no_smell() -> None:
    assert told(CLEAN) == set(CHECKS) - set(BAD_SMELLS)


def test_of_what_does_not_parse_nothing_else_is_told() -> None:
    assert smells_of("def test(:\n", "add_all") == {"parses": False}


def test_an_assertion_nested_too_deep_to_be_read_does_not_parse_and_ends_nothing() -> None:
    endless = f"assert add_all([{'+'.join(['1'] * 2000)}]) == 2000\n"
    assert smells_of(endless, "add_all") == {"parses": False}


@pytest.mark.parametrize(("test", "holds"), [
    ("assert f(1) == 2", True), ("assert True", False), ("f(1)", False), ("assert False", True),
    ("self.assertEqual(f(1), 2)", True), ("with pytest.raises(ValueError):\n    f(1)", True), ("x = 'assert'", False),
])
def test_an_assertion_can_fail(test: str, holds: bool) -> None:
    assert ("asserts" in told(test, "f")) == holds


@pytest.mark.parametrize(("test", "holds"), [
    ("assert f(1)", True), ("assert module.f(1)", True), ("assert g(1)", False), ("assert f == 1", False),
    ("x = 'f(1)'", False), ("assert g(f(1))", True),
])
def test_the_focal_function_must_be_called(test: str, holds: bool) -> None:
    assert ("calls_focal" in told(test, "f")) == holds


def test_where_no_focal_function_is_known_nothing_is_said_of_calls() -> None:
    assert "calls_focal" not in smells_of("assert f(1)", None)


@pytest.mark.parametrize(("test", "smell"), [
    ("assert f(1) == 2\nassert f(1)  ==  2", {"duplicate_assert"}), ("assert f(1) == 2\nassert f(2) == 2", set()),
    ("if x:\n    assert f(1)", {"branch"}), ("for x in y:\n    assert f(x)", {"branch"}),
    ("while f(1):\n    pass", {"branch"}), ("try:\n    f(1)\nexcept ValueError:\n    pass", {"exception"}),
    ("raise ValueError(f(1))", {"exception"}), ("with pytest.raises(ValueError):\n    f(1)", set()),
    ("assert [f(x) for x in y]", set()), ("assert f(1) if x else f(2)", {"branch"}),
])
def test_each_smell_is_found_where_it_is_and_nowhere_else(test: str, smell: set[str]) -> None:
    assert told(test, "f") & set(BAD_SMELLS) == smell


@pytest.mark.parametrize(("name", "holds"), [
    ("test_1", False), ("test", False), ("test_add_all", False), ("test_add_all_2", False), ("test_case_3", False),
    ("test_empty_list", True), ("test_add_all_negative", True), ("helper_for_lists", False),
])
def test_a_descriptive_name_says_more_than_the_function_and_a_number(name: str, holds: bool) -> None:
    assert ("descriptive_name" in told(f"def {name}():\n    assert add_all([])\n")) == holds


@pytest.mark.parametrize(("test", "holds"), [
    ("# why\nassert f(1)", True), ("def test_x():\n    'why'\n    assert f(1)", True), ("assert f('# no')", False),
])
def test_comments_and_docstrings_count_and_texts_do_not(test: str, holds: bool) -> None:
    assert ("comment" in told(test, "f")) == holds


def frame_of(**tests: str) -> pl.DataFrame:
    return pl.DataFrame({"test_id": list(tests), "value": list(tests.values()), "entry": ["add_all"] * len(tests)})


def test_measurements_name_every_check_and_what_is_sound_is_worth_running() -> None:
    made = smells(frame_of(a=CLEAN, b="def (", c="assert g(1)", d="add_all([])"))
    assert MEASUREMENTS.check(MEASUREMENTS.conform(made.table.to_arrow()))[0] == []
    assert made.table.filter(pl.col("subject_id") == "a")["name"].to_list() == sorted(CHECKS)
    assert made.table.filter(pl.col("subject_id") == "b").select("name", "value").rows() == [("parses", 0.0)]
    assert fates(made.counts, "tests") == {"in": 4, "out": 3, "does not parse": 1}
    assert sound(made.table) == ["a"]


def test_a_test_that_is_given_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="repeats"):
        smells(pl.concat([frame_of(a=CLEAN)] * 2))


@given(st.text(max_size=60))
def test_no_text_stops_the_reading(text: str) -> None:
    assert "parses" in smells_of(text, "f")
