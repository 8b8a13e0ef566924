"""OUTCOMES: what passes, what fails, and what says nothing; by hand-made tables and by laws."""

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.outcomes import check, passes, trivial
from schemas import OUTCOMES
from schemas.errors import ConfigError, SchemaError
from tests.testcases.tables import cases, fates, runs

LABELS = ("pass", "fail", "error", "timeout")


class Maths:
    """Compares answers as numbers; words are unknown."""

    def compare(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Any]:
        for gold, answer in pairs:
            try:
                yield "equal" if float(gold) == float(answer) else "different"
            except ValueError:
                yield "unknown"


def told(outputs: list[Any], expected: Any, kind: str = "call", **settings: Any) -> list[str]:
    table = check(**settings)(runs({f"p/{n:02}": [one] for n, one in enumerate(outputs)}, kind),
                              cases({"p": [expected]}, kind=kind), Maths()).table
    OUTCOMES.conform(table.to_arrow())
    assert OUTCOMES.check(table.to_arrow())[0] == []
    return table.sort("response_id")["outcome"].to_list()


def test_each_status_has_an_outcome_of_its_own() -> None:
    found = told([4, 5, "ERROR", "TIMEOUT", "SANDBOX_ERROR", "FLAKY"], 4)
    assert found == ["pass", "fail", "error", "timeout", "sandbox_error", "unknown"]


def test_values_are_compared_as_python_compares_them() -> None:
    assert told([4.0, True, [4], (4,), "4"], 4) == ["pass", "fail", "fail", "fail", "fail"]
    assert told([[1, 2], (1, 2), [2, 1]], [1, 2]) == ["pass", "fail", "fail"]


def test_a_tolerance_is_for_expected_floats_alone() -> None:
    assert told([0.1 + 0.2, 0.3], 0.3) == ["fail", "pass"]
    assert told([0.1 + 0.2, 0.31], 0.3, tolerance=1e-6) == ["pass", "fail"]
    assert told([3.0000001], 3, tolerance=1e-6) == ["fail"]


def test_printed_texts_are_compared_without_space_at_the_ends_of_lines() -> None:
    assert told(["1 2\n3", "1 2 \n3\n\n", "1  2\n3", ""], "1 2\n3\n", kind="stdin") == ["pass", "pass", "fail", "fail"]


def test_answers_that_cannot_be_compared_are_unknown_and_never_wrong() -> None:
    assert told(["4.0", "5", "many"], "4", kind="answer") == ["pass", "fail", "unknown"]


def test_no_answer_is_unknown_unless_it_is_asked_to_count() -> None:
    assert told(["ERROR"], "4", kind="answer") == ["unknown"]
    assert told(["ERROR"], "4", kind="answer", unanswered="error") == ["error"]


def test_a_test_program_says_itself_whether_it_passed() -> None:
    assert told(["passed", "failed", "ERROR"], "passed", kind="tests") == ["pass", "fail", "error"]


def test_two_sources_of_one_input_are_two_outcomes_and_cases_nobody_ran_are_counted() -> None:
    both = pl.concat([cases({"p": [1, 9], "q": [1]}), cases({"p": [2]}, "vote")])
    made = check()(runs({"p/1": [1, 1]}), both)
    assert dict(made.table.select("source", "outcome").filter(pl.col("source") == "vote").iter_rows()) == {
        "vote": "fail"}
    assert made.table.height == 3
    assert fates(made.counts, "test cases") == {"in": 4, "out": 3, "not run": 1}


def test_what_is_no_label_is_counted_as_failed_to_be_one() -> None:
    made = check()(runs({"p/1": [1], "p/2": ["SANDBOX_ERROR"], "p/3": ["FLAKY"]}), cases({"p": [1]}))
    assert fates(made.counts, "outcomes") == {"in": 3, "out": 1, "sandbox_error": 1, "unknown": 1}


def test_two_environments_are_refused() -> None:
    once = runs({"p/1": [1]})
    with pytest.raises(SchemaError, match="several environments"):
        check()(once.vstack(once.with_columns(environment=pl.lit("b"))), cases({"p": [1]}))


def test_passes_sums_the_pass_vector_of_the_sources_asked_for() -> None:
    table = check()(runs({"p/1": [1, 2, "ERROR", "SANDBOX_ERROR"]}),
                    pl.concat([cases({"p": [1, 9, 1, 1]}), cases({"p": [1]}, "vote")])).table
    assert passes(table).row(0) == ("p", "p/1", 5, 2, 2, 1)
    assert passes(table, ["human"]).row(0) == ("p", "p/1", 4, 1, 2, 1)


def test_tests_that_everybody_passes_or_nobody_does_are_trivial() -> None:
    table = check()(runs({"p/1": [1, 2, 3, 1], "p/2": [1, 5, 4, "SANDBOX_ERROR"]}), cases({"p": [1, 2, 9, 1]})).table
    found = trivial(table)
    assert sorted(found.select("outcome", "responses").rows()) == [("fail", 2), ("pass", 2)]


def test_a_tolerance_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError):
        check(tolerance=-1.0)


outputs = st.lists(st.sampled_from([1, 2, "ERROR", "TIMEOUT", "SANDBOX_ERROR", "FLAKY"]), min_size=1, max_size=8)


@given(outputs, st.integers(1, 2))
def test_every_execution_of_a_case_has_one_outcome_and_ours_is_never_a_label(column: list[Any], truth: int) -> None:
    found = told(column, truth)
    assert len(found) == len(column)
    for value, outcome in zip(column, found, strict=True):
        assert (outcome in LABELS) == (value not in ("SANDBOX_ERROR", "FLAKY"))
        assert (outcome == "pass") == (value == truth)


@given(outputs, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(column: list[Any], random: Any) -> None:
    table = runs({f"p/{n:02}": [one] for n, one in enumerate(column)})
    turned = table.sample(fraction=1.0, shuffle=True, seed=random.randrange(1000))
    assert check()(turned, cases({"p": [1]})).table.equals(check()(table, cases({"p": [1]})).table)
