"""VOTE: outputs of programs become expected outputs, by hand-counted tables and by laws."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.given import case_rows
from feedback.testcases.maths.equal import Equal
from feedback.testcases.maths.workers import MathsWorkers
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.vote import agreed, agreement, vote_outputs
from schemas import TEST_CASES
from schemas.errors import ConfigError, SchemaError
from tests.testcases.tables import cases, fates, runs, the_input

FAILED = ("ERROR", "TIMEOUT", "SANDBOX_ERROR", "FLAKY")


def matrix(*columns: list[Any], kind: str = "call") -> pl.DataFrame:
    """Executions of as many responses as a column is long; a column is an input."""
    return runs({f"p/{row:02}": values for row, values in enumerate(zip(*columns, strict=True))}, kind)


def expected(table: pl.DataFrame) -> dict[str, tuple[Any, int, float]]:
    return {row["input_id"]: (decode(row["expected"]), row["voters"], row["share"])
            for row in table.iter_rows(named=True)}


def test_the_most_common_output_of_each_input_is_expected() -> None:
    made = vote_outputs(min_voters=2)(matrix([1, 1, 2, 1, 3], ["a", "b", "b", "b", "b"]))
    assert expected(made.table) == {the_input("p", 0): (1, 5, 0.6), the_input("p", 1): ("b", 5, 0.8)}
    assert set(made.table["source"]) == {"vote"}


@pytest.mark.parametrize("failure", FAILED)
def test_a_run_that_failed_does_not_vote(failure: str) -> None:
    made = vote_outputs(min_voters=2)(matrix([1, 1, 2, failure, failure, failure]))
    assert expected(made.table) == {the_input("p", 0): (1, 3, 2 / 3)}


def test_inputs_without_enough_voters_ties_and_small_shares_are_no_cases() -> None:
    votes = matrix([1, 1, "ERROR", "ERROR", "ERROR", "ERROR"], [1, 1, 2, 2, 3, "ERROR"], [1, 1, 2, 3, 4, 5],
                   [1, 1, 1, 2, 3, 4])
    made = vote_outputs(min_voters=3, share=0.5)(votes)
    assert list(expected(made.table)) == [the_input("p", 3)]
    assert fates(made.counts, "inputs") == {"in": 4, "out": 1, "below share": 1, "tie": 1, "too few voters": 1}


def test_a_share_that_is_reached_exactly_is_enough() -> None:
    assert vote_outputs(min_voters=1, share=0.5)(matrix([1, 1, 2, 3])).table.height == 1


def test_numbers_that_python_calls_equal_vote_together_and_the_commonest_form_is_expected() -> None:
    made = vote_outputs(min_voters=2)(matrix([1, 1.0, 1.0, True, 2, 2]))
    assert expected(made.table) == {the_input("p", 0): (1.0, 6, 4 / 6)}
    assert made.table["expected"].to_list() == [encode(1.0)]


def test_sets_vote_by_what_they_hold_and_lists_by_their_order() -> None:
    made = vote_outputs(min_voters=2)(matrix([{1, 2}, {2, 1}, {3}], [[1, 2], [2, 1], [2, 1]]))
    assert expected(made.table) == {the_input("p", 0): ({1, 2}, 3, 2 / 3), the_input("p", 1): ([2, 1], 3, 2 / 3)}


def test_printed_texts_vote_without_trailing_space_and_empty_ones_do_not_vote() -> None:
    made = vote_outputs(min_voters=2)(matrix(["1\n", "1 \n\n", "2", " \n", ""], kind="stdin"))
    assert made.table.select("voters", "share").row(0) == (3, 2 / 3)


def test_stated_answers_vote_by_their_value() -> None:
    made = vote_outputs(min_voters=2, share=0.5)(matrix(["0.5", "1/2", "7"], kind="answer"))
    assert made.table.select("voters", "share").row(0) == (3, 2 / 3)


HALF_ROOTS = [r"\frac{\sqrt{3}}{2}"] * 3 + [r"\sqrt{3}/2"] * 2 + [r"\frac{3}{2\sqrt{3}}"] * 2


@pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed")
def test_answers_that_are_proved_equal_are_one_vote_and_rounding_is_another() -> None:
    with MathsWorkers() as maths:
        made = vote_outputs(min_voters=5, share=0.7)(matrix([*HALF_ROOTS, "0.866", "0.866", "1"], kind="answer"), maths)
    assert made.table.select("expected", "voters", "share").rows() == [(r"\frac{\sqrt{3}}{2}", 10, 0.7)]
    assert fates(made.counts, "answers")["out"] == 3


def test_a_unit_that_nobody_contradicts_parts_no_votes_and_two_units_do() -> None:
    made = vote_outputs(min_voters=4, share=0.5)(matrix(["5 cm", "5", "5", "7"], kind="answer"))
    assert made.table.select("expected", "share").rows() == [("5", 0.75)]
    assert fates(made.counts, "answers") == {"in": 3, "out": 2, "merged": 1}
    made = vote_outputs(min_voters=4, share=0.5)(matrix(["5 cm", "5 m", "5", "7"], kind="answer"))
    assert fates(made.counts, "inputs") == {"in": 1, "out": 0, "tie": 1}


class Unsure(MathsWorkers):
    """Cannot tell of any pair."""

    def compare(self, pairs: Any, strict: bool = False) -> Iterator[Equal]:
        return ("unknown" for _ in pairs)


def test_answers_of_which_nothing_is_known_are_never_one_vote() -> None:
    made = vote_outputs(min_voters=5, share=0.7)(matrix([*HALF_ROOTS, "1"], kind="answer"), Unsure())
    assert made.table.is_empty()
    assert fates(made.counts, "answers")["out"] == fates(made.counts, "answers")["in"] > 2


@given(st.permutations([*HALF_ROOTS, "5 cm", "5", "2"]))
@settings(max_examples=10, deadline=None)
def test_whatever_the_order_of_answers_the_vote_is_the_same(answers: list[str]) -> None:
    first, again = (vote_outputs(min_voters=1)(matrix(order, kind="answer"), Unsure()).table.drop("share")
                    for order in ([*HALF_ROOTS, "5 cm", "5", "2"], answers))
    assert first.equals(again)


def test_a_response_that_was_run_in_two_environments_is_refused() -> None:
    once = matrix([1, 1, 1])
    with pytest.raises(SchemaError, match="several environments"):
        vote_outputs()(once.vstack(once.with_columns(environment=pl.lit("other"))))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError):
        vote_outputs(min_voters=0)
    with pytest.raises(ConfigError):
        vote_outputs(share=1.5)


def test_agreement_is_told_where_two_sources_know_an_input() -> None:
    table = pl.concat([cases({"p": [1, 2, 3]}, "vote"), cases({"p": [1.0, 5]}, "model")])
    told = agreement(table)
    by = {(row["input_id"], row["source"]): row["agreement"] for row in told.iter_rows(named=True)}
    assert by == {(the_input("p", 0), "vote"): True, (the_input("p", 0), "model"): True,
                  (the_input("p", 1), "vote"): False, (the_input("p", 1), "model"): False,
                  (the_input("p", 2), "vote"): None}
    TEST_CASES.conform(told.to_arrow())


@pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed")
def test_stated_answers_of_two_sources_agree_where_they_are_proved_equal() -> None:
    expected = {"p": (r"2\sqrt{2}", r"\sqrt{8}"), "q": (r"2\sqrt{2}", r"\sqrt{2}"), "r": ("0.5", r"\frac12")}
    table = case_rows((prompt, "answer", "", source, text, None, None) for prompt, texts in expected.items()
                      for source, text in zip(("vote", "reference"), texts, strict=True))
    told = agreement(table).select("prompt_id", "agreement").unique().sort("prompt_id").rows()
    assert told == [("p", True), ("q", False), ("r", True)]
    assert fates(agreed(table).counts, "cases") == {"in": 3, "out": 2, "sources differ": 1}
    unproved = agreement(table, Unsure()).filter(pl.col("agreement")).select("prompt_id").unique()
    assert unproved["prompt_id"].to_list() == ["r"]


def test_only_votes_that_the_model_agrees_with_are_kept() -> None:
    made = agreed(pl.concat([cases({"p": [1, 2, 3]}, "vote"), cases({"p": [1, 5]}, "model")]))
    assert made.table.select("input_id", "source").rows() == [(the_input("p", 0), "vote")]
    assert fates(made.counts, "cases") == {"in": 3, "out": 1, "no other source": 1, "sources differ": 1}


@pytest.mark.parametrize("other", ["human", "reference"])
def test_a_vote_is_agreed_on_by_whatever_other_sources_there_are(other: str) -> None:
    votes, others = cases({"p": [1, 2, 3]}, "vote"), cases({"p": [1, 5]}, other)
    made = agreed(pl.concat([votes, others]))
    assert made.table.select("input_id", "source").rows() == [(the_input("p", 0), "vote")]
    against = agreed(pl.concat([votes, others, cases({"p": [0]}, "model")]))
    assert fates(against.counts, "cases") == {"in": 3, "out": 0, "no other source": 1, "sources differ": 2}


votes = st.lists(st.sampled_from([1, 2, 3, "ERROR", "SANDBOX_ERROR", "FLAKY"]), min_size=1, max_size=12)


@given(votes, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_rows_changes_no_vote(column: list[Any], random: Any, least: int) -> None:
    table = matrix(column)
    turned = table.sample(fraction=1.0, shuffle=True, seed=random.randrange(1000))
    assert vote_outputs(least)(turned).table.equals(vote_outputs(least)(table).table)


@given(votes, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_share_keeps_no_more_cases(column: list[Any], one: float, other: float) -> None:
    low, high = sorted((one, other))
    kept = {share: set(vote_outputs(1, share)(matrix(column)).table["test_id"]) for share in (low, high)}
    assert kept[high] <= kept[low]


@given(votes, st.integers(1, 6))
def test_every_input_is_a_case_or_has_a_reason_and_shares_are_counted_right(column: list[Any], least: int) -> None:
    made = vote_outputs(least)(matrix(column))
    valid = [value for value in column if value not in FAILED]
    assert sum(row.count for row in made.counts if row.fate in ("out", "dropped")) == 1
    for value, voters, share in expected(made.table).values():
        assert (voters, share) == (len(valid), valid.count(value) / len(valid))
        assert all(valid.count(value) > valid.count(other) for other in set(valid) - {value})


@given(votes, votes)
def test_another_prompt_changes_no_case_of_this_one(column: list[Any], other: list[Any]) -> None:
    alone = matrix(column)
    both = alone.vstack(runs({f"q/{row}": [value] for row, value in enumerate(other)}))
    assert vote_outputs(2)(both).table.filter(pl.col("prompt_id") == "p").equals(vote_outputs(2)(alone).table)
