"""Planted biases are found with the right sign and size, and where there is none the interval holds zero bias."""

import numpy as np
import polars as pl
import pytest

from audits.accuracy import true_outcomes
from audits.bias import length, position, position_scores, self_preference, verbosity
from feedback.jury.outcomes import pairwise


def by_judge(table):
    return {row["judge"]: row for row in table.iter_rows(named=True)}


def test_position_bias_is_read_from_the_order_shown(planted):
    found = by_judge(position(planted.judgments))
    # a third of `first`'s votes go to the answer shown first whatever it says: 1/3 + 2/3 * 1/2 = 2/3
    assert found["first"]["low"] < 2 / 3 < found["first"]["high"]
    assert found["first"]["low"] > 0.6
    assert found["wordy"]["low"] < 0.5 < found["wordy"]["high"]


def test_ties_and_invalid_votes_are_not_decided(make):
    said = ["x", "y", "tie", "invalid", "both_bad", "x"]
    votes = [make.vote(f"p{n}", "j", ["x", "y"], says) for n, says in enumerate(said)]
    row = position(make.judgments(votes)).row(0, named=True)
    assert (row["first_wins"], row["decided"], row["value"]) == (2, 3, pytest.approx(2 / 3))


def test_a_score_gain_of_the_first_position_is_found_in_full_and_severity_is_not(make):
    random = np.random.default_rng(2)
    votes = []
    for n in range(300):
        names = [f"p{n}{name}" for name in "abc"]
        quality = dict(zip(names, random.integers(2, 8, 3).tolist(), strict=True))
        for judge, gain, severity in (("fond", 1.5, 0.0), ("flat", 0.0, -1.0), ("plain", 0.0, 0.0)):
            shown = random.permutation(names).tolist()
            scores = [float(quality[name] + severity + gain * (place == 0)) for place, name in enumerate(shown)]
            votes.append(make.vote(f"p{n}", judge, shown, scores))
    found = {(r["judge"], r["position"]): r for r in position_scores(make.judgments(votes)).iter_rows(named=True)}
    # the gains of all positions sum to 0, so that the first stands 1.5 above the others
    assert found["fond", 1]["value"] - found["fond", 3]["value"] == pytest.approx(1.5, abs=0.15)
    for judge in ("flat", "plain"):
        for place in (1, 2, 3):
            assert abs(found[judge, place]["value"]) < 0.12
    assert found["fond", 1]["votes"] == 300


def test_a_love_of_length_is_found_and_the_fair_judge_has_none(planted):
    rows = length(pairwise(planted.judgments), planted.responses)
    found = by_judge(rows.filter(pl.col("difference") == "all"))
    assert found["wordy"]["low"] > 0.6
    assert found["fair"]["low"] < 0.5 < found["fair"]["high"]


def test_length_buckets_add_up_to_all_and_equal_lengths_do_not_count(make):
    sizes = [(100, 95), (100, 80), (100, 60), (100, 20), (50, 50)]
    responses = make.responses([
        make.answer(f"p{n}", f"p{n}{side}", side, "x" * size)
        for n, two in enumerate(sizes) for side, size in zip("xy", two, strict=True)])
    judgments = make.judgments([make.vote(f"p{n}", "j", [f"p{n}x", f"p{n}y"], f"p{n}x") for n in range(5)])
    rows = length(pairwise(judgments), responses)
    counts = dict(rows.select("difference", "decided").iter_rows())
    assert counts == {"all": 4, "< 10 %": 1, "10-25 %": 1, "25-50 %": 1, ">= 50 %": 1}
    assert list(counts) == ["all", "< 10 %", "10-25 %", "25-50 %", ">= 50 %"]
    assert rows["value"][0] == 1.0
    assert rows["median_difference"][0] == 30.0


def test_verbosity_bias_is_the_gap_of_wrong_shares_by_which_side_truth_prefers(make):
    # truth prefers the shorter x in 10 prompts, where the judge errs 6 times; the longer x in 10, where it errs once
    responses, votes, truth = [], [], []
    for n in range(20):
        prompt, short = f"p{n:02}", n < 10
        x, y = f"{prompt}x", f"{prompt}y"
        responses += [make.answer(prompt, x, "m", "a" * (5 if short else 50)), make.answer(prompt, y, "n", "a" * 20)]
        truth += [(prompt, x, 1.0), (prompt, y, 0.0)]
        wrong = n < 6 or n == 10
        votes.append(make.vote(prompt, "j", [x, y], y if wrong else x))
    known = pl.DataFrame(truth, ["prompt_id", "response_id", "quality"], orient="row")
    row = verbosity(pairwise(make.judgments(votes)), true_outcomes(known), make.responses(responses)).row(0, named=True)
    assert (row["truth_shorter"], row["truth_longer"]) == (10, 10)
    assert (row["wrong_shorter"], row["wrong_longer"]) == (0.6, 0.1)
    assert row["value"] == pytest.approx(0.5)
    assert row["low"] > 0


def test_verbosity_has_no_value_where_truth_never_prefers_the_shorter(make):
    responses = make.responses([make.answer("p", "x", "m", "long"), make.answer("p", "y", "n", "s")])
    truth = true_outcomes(pl.DataFrame({"prompt_id": ["p", "p"], "response_id": ["x", "y"], "quality": [1.0, 0.0]}))
    outcomes = pairwise(make.judgments([make.vote("p", "j", ["x", "y"], "x")]))
    row = verbosity(outcomes, truth, responses).row(0, named=True)
    assert row["value"] is None
    assert "never" in row["reason"]


def test_self_preference_is_ones_own_win_rate_minus_the_others_on_the_same_pairs(make):
    responses, votes = [], []
    for n in range(40):
        x, y, z = f"p{n}x", f"p{n}y", f"p{n}z"
        responses += [make.answer(f"p{n}", x, "me"), make.answer(f"p{n}", y, "you"), make.answer(f"p{n}", z, "they")]
        votes += [
            make.vote(f"p{n}", "self", [x, y], x if n % 4 else y, model="me"),
            make.vote(f"p{n}", "other", [x, y], x if n % 2 else "tie", model="other"),
            make.vote(f"p{n}", "other", [x, z], x, model="other"),
        ]
    judgments, answers = make.judgments(votes), make.responses(responses)
    found = by_judge(self_preference(pairwise(judgments), judgments, answers))
    # itself: 30 of 40; the other: 20 wins and 20 ties as halves of 40, only on pairs that it judged too
    assert (found["self"]["own_pairs"], found["self"]["others_pairs"]) == (40, 40)
    assert found["self"]["value"] == pytest.approx(0.75 - 0.75)
    assert found["self"]["low"] < 0 < found["self"]["high"]
    assert found["other"]["value"] is None
    assert "own" in found["other"]["reason"]


def test_who_has_nobody_beside_it_has_no_self_preference(make):
    answers = make.responses([make.answer("p", "x", "me"), make.answer("p", "y", "you")])
    judgments = make.judgments([make.vote("p", "self", ["x", "y"], "x", model="me")])
    row = self_preference(pairwise(judgments), judgments, answers).row(0, named=True)
    assert (row["own_pairs"], row["own_rate"], row["value"]) == (1, 1.0, None)
    assert "no other judge" in row["reason"]


def test_people_have_no_model_to_prefer(make):
    judgments = make.judgments([make.vote("p", "human:ann", ["x", "y"], "x")])
    answers = make.responses([make.answer("p", "x", "me"), make.answer("p", "y", "you")])
    assert self_preference(pairwise(judgments), judgments, answers).is_empty()
