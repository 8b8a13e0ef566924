"""How much of an answer was changed, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.edits import distance, edit_ratio
from feedback.chatlogs.leaks import leak

WORDS = st.lists(st.sampled_from("abc"), max_size=7)


def slow(before: list[str], after: list[str]) -> int:
    """The distance by its definition."""
    if not before or not after:
        return len(before) + len(after)
    if before[-1] == after[-1]:
        return slow(before[:-1], after[:-1])
    return 1 + min(slow(before[:-1], after), slow(before, after[:-1]), slow(before[:-1], after[:-1]))


@given(WORDS, WORDS)
def test_the_distance_is_the_fewest_changes(before: list[str], after: list[str]) -> None:
    assert distance(before, after) == slow(before, after)


def test_a_ratio_is_of_the_longer_text() -> None:
    assert edit_ratio("one two three four", "one 2 three four") == 0.25
    assert edit_ratio("one", "one two three four") == 0.75
    assert edit_ratio("same", "same") == 0.0
    assert edit_ratio("", "") == 0.0


@pytest.mark.parametrize(("answer", "found"), [
    ("It prints the sum of all even numbers.", "sum of all even numbers"),
    ("I apologize for that. Here is 4.", "I apologize"), ("The answer is 4.", None)])
def test_a_leak_is_five_words_of_the_feedback_or_a_bow_to_it(answer: str, found: str | None) -> None:
    assert leak(answer, ["No, the sum of all even numbers!"], ["Print numbers"]) == found


def test_words_that_the_prompt_has_too_are_no_leak() -> None:
    asked = "Print the sum of all even numbers"
    assert leak("It prints the sum of all even numbers.", ["the sum of all even numbers!"], [asked]) is None
