"""Models against models: conserved counts, win rates as in the literature, Bradley-Terry against a closed form."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.wins import arm_duels, arms, bradley_terry, duels, matrix, win_rates


def met(*rows):
    """(prompt, model_a, model_b, outcome) rows as duels."""
    names = ("prompt_id", "model_a", "model_b", "outcome")
    return pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")


def test_ranks_decide_duels_and_equal_ranks_tie(make):
    rankings = make.rankings([*make.ranked("p", ("x", 2), ("y", 1), ("z", 2), ("w", None))])
    responses = make.responses([make.answer("p", name, model) for name, model in zip("xyzw", "ABCD", strict=True)])
    assert duels(rankings, responses).rows() == [("p", "A", "B", "b"), ("p", "A", "C", "tie"), ("p", "B", "C", "a")]


def test_two_answers_of_one_model_do_not_duel(make):
    rankings = make.rankings([*make.ranked("p", ("x", 1), ("y", 2))])
    responses = make.responses([make.answer("p", "x", "A"), make.answer("p", "y", "A")])
    assert duels(rankings, responses).is_empty()


def test_arms_meet_each_other_and_the_logged_answer_by_rank(make):
    rows = [(f"p{n}", (1, 2, 3) if n < 12 else (2, 1, 3) if n < 15 else (1, 1, 2)) for n in range(20)]
    rankings = make.rankings([row for name, (first, second, third) in rows for row in make.ranked(
        name, (f"{name}w", first), (f"{name}s", second), (f"{name}l", third))])
    answers = make.responses([make.answer(name, f"{name}{letter}", "teacher") for name, _ in rows for letter in "wsl"])
    kind = pl.col("response_id").str.tail(1)
    answers = answers.with_columns(
        arm=kind.replace_strict({"w": "with summary", "s": "from scratch", "l": None}, return_dtype=pl.String),
        origin=pl.when(kind == "l").then(pl.lit("log")).otherwise(pl.lit("engine")))
    found = arms(arm_duels(rankings, answers))
    assert found.select("arm", "other", "wins", "ties", "losses").rows() == [
        ("with summary", "from scratch", 12, 5, 3), ("with summary", "logged", 20, 0, 0),
        ("logged", "from scratch", 0, 0, 20)]
    row = found.row(0, named=True)
    assert row["value"] == pytest.approx(14.5 / 20)
    assert row["low"] < row["value"] < row["high"]
    one = answers.filter(pl.col("arm").fill_null("") != "from scratch")
    assert arms(arm_duels(rankings, one)).is_empty()


def test_a_win_rate_of_wins_only_is_the_fellowships():
    # 359 wins of 500 are 71.8 % there: ties are not wins
    rows = [("a" if n < 359 else "tie" if n < 400 else "b") for n in range(500)]
    table = win_rates(met(*((f"p{n}", "A", "B", says) for n, says in enumerate(rows))))
    row = table.filter(pl.col("model") == "A").row(0, named=True)
    assert (row["wins"], row["ties"], row["losses"], row["duels"]) == (359, 41, 100, 500)
    assert row["wins_only"] == pytest.approx(0.718)
    assert row["value"] == pytest.approx((359 + 20.5) / 500)
    assert row["low"] < row["value"] < row["high"]


models = st.sampled_from([("A", "B"), ("A", "C"), ("B", "C")])
outcomes = st.lists(
    st.tuples(st.integers(0, 4), models, st.sampled_from(["a", "b", "tie"])), min_size=1, max_size=30)


@given(outcomes)
@settings(max_examples=40, deadline=None)
def test_the_matrix_is_antisymmetric_and_conserves_duels(rows):
    table = matrix(met(*((f"p{n}", *two, says) for n, two, says in rows)))
    seen = {(row["model"], row["opponent"]): row for row in table.iter_rows(named=True)}
    assert sum(row["duels"] for row in seen.values()) == 2 * len(rows)
    for (model, opponent), row in seen.items():
        other = seen[opponent, model]
        assert (row["wins"], row["ties"], row["losses"]) == (other["losses"], other["ties"], other["wins"])
        assert row["wins"] + row["ties"] + row["losses"] == row["duels"]
        assert row["value"] + other["value"] == pytest.approx(1.0)


def test_two_models_have_the_bradley_terry_strength_of_their_odds():
    strong, weak = bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]]))
    assert strong - weak == pytest.approx(math.log(3))
    assert strong + weak == pytest.approx(0)


def test_bradley_terry_recovers_planted_strengths_from_expected_wins():
    planted = np.array([0.8, 0.1, -0.3, -0.6])
    odds = np.exp(planted)
    wins = 100 * odds[:, None] / (odds[:, None] + odds[None, :])
    np.fill_diagonal(wins, 0)
    assert bradley_terry(wins) == pytest.approx(planted.tolist(), abs=1e-6)


def test_a_model_that_never_loses_leaves_strengths_without_a_value():
    assert bradley_terry(np.array([[0.0, 5.0], [0.0, 0.0]])) == [None, None]
    assert win_rates(met(("p", "A", "B", "a")))["strength"].null_count() == 2


def test_no_duel_gives_empty_tables():
    assert matrix(met()).is_empty()
    assert win_rates(met()).is_empty()
