"""The similarity of texts: values by hand, and a slow count of the definition."""

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.similarity import normalised, similarities


def similarity(left: str, right: str, floor: float = 0.0) -> Any:
    """The similarity of two texts, normalised first."""
    return similarities(normalised(pl.Series([left])), normalised(pl.Series([right])), floor).to_list()[0]


def slow(left: str, right: str) -> float:
    """The definition, counted gram by gram."""
    a, b = (Counter(text[i:i + 5] for i in range(max(1, len(text) - 4))) for text in (left, right))
    return sum((a & b).values()) / sum((a | b).values())


@pytest.mark.parametrize(("left", "right", "expected"), [
    ("abcdefghij", "abcdefghij", 1.0),
    ("abcdefghij", "klmnopqrst", 0.0),
    ("abcdefghij", "abcdefghiX", 5 / 7),            # 6 grams each, the last differs: 5 shared of 7
    ("abcdefghijk", "abcdeXghijk", 2 / 12),         # 7 grams each, the 5 over the middle differ
    ("abcdefghij", "abcdefghijk", 6 / 7),           # one gram more
    ("aaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa", 6 / 16),  # counts, not sets
    ("The answer is 699.", "The answer is 698.", 12 / 16),
    ("42", "42", 1.0), ("42", "43", 0.0), ("", "", 1.0), ("", "4", 0.0), ("abcd", "abcde", 0.0),
    ("日本語は美しいです", "日本語は美しいでX", 4 / 6),  # characters, not bytes
])
def test_similarity_is_what_counting_by_hand_gives(left: str, right: str, expected: float) -> None:
    assert similarity(left, right) == pytest.approx(expected)
    assert similarity(right, left) == pytest.approx(expected)


@pytest.mark.parametrize(("left", "right"), [
    ("Hello  World,\n\n how are you", " hello world,\thow are YOU "), ("caf\u00e9 olé!", "cafe\u0301 olé!"),
    ("a \n b c d e f", "a b c d e f"),
])
def test_case_white_space_and_composition_make_no_difference(left: str, right: str) -> None:
    assert similarity(left, right) == 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text("abß日 ", max_size=40), st.text("abß日 ", max_size=40)), min_size=1, max_size=8))
def test_similarity_of_many_pairs_at_once_is_the_slow_count_of_each(pairs: list[tuple[str, str]]) -> None:
    left, right = (normalised(pl.Series([pair[side] for pair in pairs])) for side in (0, 1))
    expected = [slow(a, b) for a, b in zip(left, right, strict=True)]
    assert similarities(left, right).to_list() == pytest.approx(expected)


def test_pairs_in_different_batches_do_not_mix() -> None:
    left = pl.Series([f"{number} " + "lorem ipsum dolor sit amet " * 2000 for number in range(12)])
    right = pl.Series([f"{number} " + "consectetur adipiscing elit " * 2000 if number % 2 else text
                       for number, text in enumerate(left)])
    assert [round(one, 2) for one in similarities(left, right)] == [1.0, 0.0] * 6


def test_a_floor_skips_only_pairs_that_cannot_reach_it() -> None:
    assert similarity("abcdefghij", "abcdefghijk", floor=6 / 7) == pytest.approx(6 / 7)
    assert similarity("abcdefghij", "abcdefghij" * 3, floor=0.9) is None
