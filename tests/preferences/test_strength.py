"""STRENGTH: the formulas, and votes counted by hand."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preferences.pair import pair
from preferences.strength import Gap, Sigmoid, gap, sigmoid, vote_share
from schemas.errors import ConfigError
from tests.preferences.small import scored, vote, votes, world

TWO = {"p": scored(9.0, 6.0)}
AB = ["p/a", "p/b"]

strengths = st.one_of(st.floats(0.01, 5).map(sigmoid), st.floats(0.5, 20).map(gap))


def share(*rows: dict[str, Any]) -> Any:
    """p_chosen of the pair (a over b) by these votes."""
    made = pair("all", strength=vote_share())(*world(TWO), votes(rows))
    return made.table["p_chosen"].to_list()[0]


def test_sigmoid_is_the_soft_label_of_mmpo() -> None:
    made = pair("all", strength=sigmoid(2.2))(*world({"p": scored(3.5, 3.0)}))
    assert made.table["p_chosen"][0] == pytest.approx(math.exp(1.1) / (1 + math.exp(1.1)))


def test_gap_is_half_at_no_margin_and_one_at_the_widest() -> None:
    rows = pl.DataFrame({"margin": [0.0, 3.0, 9.0, 12.0]})
    assert gap(9.0)(rows, None).to_list() == pytest.approx([0.5, 2 / 3, 1.0, 1.0])


@settings(max_examples=100, deadline=None)
@given(strengths, st.floats(0, 100), st.floats(0, 100))
def test_strength_grows_with_the_margin_from_a_half_and_stays_a_probability(
        strength: Sigmoid | Gap, one: float, two: float) -> None:
    rows = pl.DataFrame({"margin": [0.0, min(one, two), max(one, two)]})
    nothing, low, high = strength(rows, None).to_list()
    assert nothing == 0.5
    assert 0.5 <= low <= high <= 1.0
    if max(one, two) < 0.5 and max(one, two) - min(one, two) > 0.01:
        assert low < high


def test_vote_share_counts_each_judge_once_with_a_tie_as_half() -> None:
    assert share(vote("j1", "scored", AB, scores=[8.0, 5.0]), vote("j2", "scored", AB, scores=[9.0, 7.0]),
                 vote("j3", "scored", AB, scores=[5.0, 6.0])) == pytest.approx(2 / 3)
    assert share(vote("j1", "scored", AB, scores=[8.0, 5.0]), vote("j2", "tie", AB, subject="pair")) == 0.75


def test_vote_share_reads_scores_by_the_ids_shown_and_not_by_position() -> None:
    assert share(vote("j1", "scored", ["p/b", "p/a"], scores=[2.0, 9.0])) == 1.0


def test_vote_share_compares_scores_that_a_judge_gave_one_by_one() -> None:
    assert share(vote("j1", "scored", ["p/a"], scores=[8.0]), vote("j1", "scored", ["p/b"], scores=[3.0]),
                 vote("j2", "scored", ["p/a"], scores=[4.0])) == 1.0


def test_two_orders_that_contradict_each_other_are_half_a_vote() -> None:
    assert share(vote("j1", "win", AB, order=["p/a", "p/b"]), vote("j1", "win", ["p/b", "p/a"], order=["p/b", "p/a"]),
                 vote("j2", "win", AB, order=["p/a", "p/b"])) == 0.75


def test_vote_share_folds_two_orders_as_the_votes_own_policy_says() -> None:
    def both(says: str, policy: str = "both-else-tie") -> float:
        order = ["p/a", "p/b"] if says == "win" else []
        return float(share(
            vote("j1", "win", AB, order=["p/a", "p/b"], order_policy=policy),
            vote("j1", says, ["p/b", "p/a"], order=order, order_policy=policy, **(
                {"reason": "no JSON"} if says == "invalid" else {})),
            vote("j2", "tie", AB, order_policy="fixed")))
    assert both("win") == 0.75
    assert both("tie") == 0.5  # they differ, so the judge ties
    assert both("tie", "both-average") == 0.75
    assert both("invalid") == 0.5  # one order alone is no verdict


def test_a_judge_that_contradicts_itself_once_in_three_has_one_whole_vote() -> None:
    assert share(*[vote("j1", "win", AB, judgment_id=str(number), order=order) for number, order in
                   enumerate((["p/a", "p/b"], ["p/a", "p/b"], ["p/b", "p/a"]))]) == 1.0


def test_votes_that_do_not_show_both_sides_or_are_invalid_do_not_count() -> None:
    three = world({"p": scored(9.0, 6.0, 5.0)})
    rows = votes([vote("j1", "ranked", ["p/c", "p/a", "p/b"], order=["p/a", "p/c", "p/b"]),
                  vote("j2", "win", ["p/a", "p/c"], order=["p/c", "p/a"]),
                  vote("j3", "invalid", AB, reason="no JSON")])
    table = pair("all", strength=vote_share())(*three, rows).table
    assert dict(table.select("rejected_id", "p_chosen").filter(table["chosen_id"] == "p/a").iter_rows()) == {
        "p/b": 1.0, "p/c": 0.5}


def test_a_pair_that_nobody_compared_has_no_vote_share_and_a_lost_vote_is_raised_to_a_half() -> None:
    assert share(vote("j1", "invalid", AB, reason="no JSON")) is None
    assert share(vote("j1", "win", AB, order=["p/b", "p/a"])) == 0.5


def test_vote_share_without_votes_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="with the judgments table"):
        pair("all", strength=vote_share())(*world(TWO))


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_positive_number_is_refused(wrong: float) -> None:
    with pytest.raises(ConfigError, match="positive number"):
        sigmoid(wrong)
    with pytest.raises(ConfigError, match="positive number"):
        gap(wrong)


def test_no_strength_leaves_p_chosen_null() -> None:
    assert pair("all")(*world(TWO)).table["p_chosen"].to_list() == [None]


def test_by_model_order_has_no_strength() -> None:
    with pytest.raises(ConfigError, match="no strength"):
        pair("by-model-order", models=["x", "y"], strength=sigmoid(1.0))
