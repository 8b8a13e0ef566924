"""What became of the votes, and whether judges hold when the order is swapped."""

import pytest

from audits.votes import rates, swaps
from feedback.jury.outcomes import pairwise
from schemas.judgments import OUTCOMES


def test_every_vote_has_one_fate_and_rates_are_shares_of_all_votes(make):
    fates = ["x", "y", "tie", "both_bad", "invalid", "invalid", "abstain", "x"]
    judgments = make.judgments([make.vote(f"p{n}", "j", ["x", "y"], says) for n, says in enumerate(fates)])
    row = rates(judgments, pairwise(judgments)).row(0, named=True)
    assert row["votes"] == 8 == sum(row[name] for name in OUTCOMES)
    shares = [row[f"{name}_rate"] for name in ("tie", "both_bad", "invalid", "abstain")]
    assert shares == [1 / 8, 1 / 8, 2 / 8, 1 / 8]
    assert (row["pairs"], row["pair_tie_rate"]) == (5, 1 / 5)


def test_equal_scores_count_as_ties_of_pairs(make):
    judgments = make.judgments([make.vote("p", "j", ["x", "y", "z"], [7.0, 7.0, 3.0])])
    row = rates(judgments, pairwise(judgments)).row(0, named=True)
    assert (row["tie"], row["pairs"]) == (0, 3)
    assert row["pair_tie_rate"] == pytest.approx(1 / 3)


def test_a_judge_without_a_valid_vote_has_rates_and_no_pairs(make):
    judgments = make.judgments([make.vote("p", "j", ["x", "y"], "invalid")])
    row = rates(judgments, pairwise(judgments)).row(0, named=True)
    assert (row["invalid_rate"], row["pairs"], row["pair_tie_rate"]) == (1.0, 0, None)


def test_swapped_orders_are_compared_pair_by_pair(make):
    asked = [("x", "x"), ("y", "y"), ("y", "y"), ("x", "y"), ("x", "y"), ("y", "x"), ("tie", "tie"), ("x", "tie"),
             ("x", "invalid")]
    votes = []
    for n, (straight, swapped) in enumerate(asked):
        votes += [make.vote(f"p{n}", "j", ["x", "y"], straight), make.vote(f"p{n}", "j", ["y", "x"], swapped)]
    votes.append(make.vote("p9", "j", ["x", "y"], "x"))
    row = swaps(make.judgments(votes)).row(0, named=True)
    assert (row["pairs"], row["consistent"]) == (8, 4)
    # shown x, y says x and shown y, x says y: the first won twice
    assert (row["first_twice"], row["second_twice"], row["half"]) == (2, 1, 1)
    assert row["consistency"] == 0.5
    assert 0 < row["low"] < 0.5 < row["high"] < 1


def test_no_pair_in_both_orders_gives_no_row(make):
    assert swaps(make.judgments([make.vote("p", "j", ["x", "y"], "x")])).is_empty()


def test_samples_are_compared_with_their_own_swap(make):
    votes = [
        make.vote("p", "j", shown, says, sample=sample)
        for sample, says in ((0, "x"), (1, "y")) for shown in (["x", "y"], ["y", "x"])
    ]
    row = swaps(make.judgments(votes)).row(0, named=True)
    assert (row["pairs"], row["consistent"]) == (2, 2)
