"""The split: a share, a hash of the group, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.split import split_of, with_split
from schemas import PROMPTS
from schemas.errors import ConfigError
from tests.preferences.small import frame, prompt


def test_the_share_of_groups_that_are_asked_for_is_test() -> None:
    sides = [split_of(f"group {number}", 7, 0.2) for number in range(2000)]
    assert 340 < sides.count("test") < 460


def test_no_share_is_all_train_and_a_whole_share_all_test() -> None:
    assert {split_of(str(number), 0, 0.0) for number in range(99)} == {"train"}
    assert {split_of(str(number), 0, 1.0) for number in range(99)} == {"test"}


def test_another_seed_is_another_split() -> None:
    assert [split_of(str(n), 0, 0.5) for n in range(64)] != [split_of(str(n), 1, 0.5) for n in range(64)]


@given(st.text(), st.integers(0, 9), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_moves_a_group_back_to_train(group: str, seed: int, one: float, two: float) -> None:
    if split_of(group, seed, min(one, two)) == "test":
        assert split_of(group, seed, max(one, two)) == "test"


def test_prompts_of_a_group_stay_together_whatever_else_is_there() -> None:
    rows = [prompt(f"p{number}", group=f"g{number % 7}") for number in range(50)]
    whole = dict(with_split(frame(PROMPTS, rows), 1, 0.5).select("prompt_id", "split").iter_rows())
    part = dict(with_split(frame(PROMPTS, rows[::-2]), 1, 0.5).select("prompt_id", "split").iter_rows())
    assert part.items() <= whole.items()
    assert all(len({whole[f"p{number}"] for number in range(start, 50, 7)}) == 1 for start in range(7))
    assert set(whole.values()) == {"train", "test"}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        split_of("g", 0, share)
