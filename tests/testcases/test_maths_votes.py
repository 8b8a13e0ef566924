"""Votes of answers: what counts as one, whoever stands first, and why."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.maths.equal import Equal
from feedback.testcases.maths.votes import key, merge, vote
from feedback.testcases.maths.workers import MathsWorkers
from tests.testcases.maths_written import Written, written

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def maths() -> Iterator[MathsWorkers]:
    with MathsWorkers() as workers:
        yield workers


def counts(maths: MathsWorkers, *answers: str | None) -> list[int]:
    return [votes for _, votes in vote(answers, maths).counts]


def test_spellings_of_one_answer_are_one_vote_each_for_it(maths: MathsWorkers) -> None:
    found = vote([r"\frac{1}{2}", "0.5", "1/2", "2", None, "2.0"], maths)
    assert found.counts == (("1/2", 3), ("2", 2))
    assert found.keys == ("1/2", "1/2", "1/2", "2", None, "2")
    assert (found.voters, found.top, found.share("1/2"), found.share("7")) == (5, "1/2", 0.6, 0.0)


def test_expressions_proved_equal_are_merged_and_the_proofs_recorded(maths: MathsWorkers) -> None:
    found = vote([r"\frac{\sqrt{3}}{2}", r"\sqrt{3}/2", r"\frac{3}{2\sqrt{3}}", "0.866"], maths)
    assert [votes for _, votes in found.counts] == [3, 1]
    assert {merge.why for merge in found.merged.merges} == {"proved"}
    assert len(found.merged.merges) == 3


def test_a_unit_that_nobody_contradicts_is_taken_as_said(maths: MathsWorkers) -> None:
    assert counts(maths, "5 cm", "5", r"5\text{ cm}") == [3]
    assert counts(maths, "5 cm", "5 m", "5") == [1, 1, 1]
    assert counts(maths, r"50\%", "50") == [2]
    assert counts(maths, r"50\%", "50", "0.5") == [2, 1]
    assert counts(maths, "x=3", "3") == [2]
    assert counts(maths, "x=3", "y=3", "3") == [1, 1, 1]


def test_rounding_merges_nothing(maths: MathsWorkers) -> None:
    assert counts(maths, "1/3", "0.333333", "0.3333333333333333") == [1, 1, 1]


def test_a_tie_has_no_top_and_no_answers_no_vote(maths: MathsWorkers) -> None:
    assert vote(["1", "2"], maths).top is None
    empty = vote([None, None], maths)
    assert (empty.top, empty.voters, empty.counts, empty.keys, empty.share("1")) == (None, 0, (), (None, None), 0.0)


def test_unread_answers_vote_for_themselves_only(maths: MathsWorkers) -> None:
    assert counts(maths, "9^{9^9}", "9^{9^9}", "9^{9^{10}}", "3") == [2, 1, 1]


class Liar(MathsWorkers):
    """Says that a is b, b is c, and a is not c."""

    def compare(self, pairs: object, strict: bool = False) -> Iterator[Equal]:
        for pair in pairs:  # type: ignore[attr-defined]
            yield "different" if pair == ("a", "c") else "equal"


def test_a_chain_that_contradicts_itself_is_not_merged_and_told() -> None:
    merged = merge(["a", "b", "c"], Liar())
    assert merged.group == {"a": "a", "b": "b", "c": "c"}
    assert merged.conflicts == (("a", "c"),)
    assert merged.merges == ()


@settings(max_examples=25)
@given(st.lists(written(), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_the_vote_is_that_of_the_truths_whatever_the_order(maths: MathsWorkers, answers: list[Written],
                                                           shuffle: random.Random) -> None:
    found = vote([answer.text for answer in answers], maths)
    for one, mine in zip(answers, found.keys, strict=True):
        for other, yours in zip(answers, found.keys, strict=True):
            assert (mine == yours) == (one.truth == other.truth)
    again = list(answers)
    shuffle.shuffle(again)
    assert vote([answer.text for answer in again], maths).counts == found.counts


def test_a_key_is_the_same_whatever_was_read_before() -> None:
    assert [key("0.50"), key(r"\frac{2}{4}"), key("{1/2}"), key("$.5$")] == ["1/2"] * 4
