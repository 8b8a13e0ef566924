"""The bootstrap draws prompts, not rows, and its intervals cover the truth as often as they say."""

import numpy as np
import polars as pl
import pytest

from audits import bootstrap
from audits.bootstrap import ratio, ratios, resamples


def test_intervals_of_a_share_cover_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        hits = (random.random(120) < 0.3).astype(float)
        draws = resamples([f"p{n}" for n in range(120)], draws=300)
        estimate = draws.estimate(np.stack([hits, np.ones(120)], axis=1), ratio, "")
        covered += estimate.low <= 0.3 <= estimate.high
    assert 130 <= covered <= 149


def test_rows_of_one_prompt_are_drawn_together():
    # 40 prompts of 25 equal rows each hold as much as 40 rows: the standard error is sqrt(.25/40) = .079
    values = np.repeat([0.0, 1.0], 20)
    rows = pl.DataFrame({
        "prompt_id": [f"p{n:02}" for n in range(40) for _ in range(25)], "one": ["x"] * 1000,
        "hit": np.repeat(values, 25), "n": [1.0] * 1000,
    })
    found = ratios(rows, ["one"], "hit", "n", resamples(rows["prompt_id"]), "").row(0, named=True)
    assert found["value"] == 0.5
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * 0.079, rel=0.15)


def test_row_order_and_repeats_of_prompts_change_nothing():
    rows = pl.DataFrame(
        {"prompt_id": ["a", "b", "b", "c"], "g": list("xyxy"), "above": [1, 0, 1, 1], "below": [1, 1, 1, 2]})
    first = ratios(rows, ["g"], "above", "below", resamples(rows["prompt_id"]), "")
    second = ratios(rows.reverse(), ["g"], "above", "below", resamples(["c", "a", "b", "a"]), "")
    assert first.equals(second)


def test_draws_too_many_to_keep_are_the_same_draws(monkeypatch):
    ids = [f"p{n}" for n in range(50)]
    kept = resamples(ids, draws=64)
    monkeypatch.setattr(bootstrap, "_KEPT_CELLS", 0)
    drawn_again = resamples(ids, draws=64)
    assert kept.kept is not None
    assert drawn_again.kept is None
    stats = np.arange(100.0).reshape(50, 2)
    assert np.array_equal(kept.sums(stats), drawn_again.sums(stats))


def test_many_groups_in_blocks_equal_each_group_alone(monkeypatch):
    random = np.random.default_rng(0)
    rows = pl.DataFrame({
        "prompt_id": [f"p{n % 30}" for n in range(300)], "g": [f"g{n % 7}" for n in range(300)],
        "above": random.integers(0, 2, 300), "below": [1] * 300,
    })
    draws = resamples(rows["prompt_id"])
    whole = ratios(rows, ["g"], "above", "below", draws, "")
    monkeypatch.setattr(bootstrap, "_GROUPS", 2)
    assert ratios(rows, ["g"], "above", "below", draws, "").equals(whole)
    for name in whole["g"]:
        part = rows.filter(pl.col("g") == name)
        assert ratios(part, ["g"], "above", "below", draws, "").equals(whole.filter(pl.col("g") == name))


def test_another_seed_gives_other_draws():
    ids = [f"p{n}" for n in range(50)]
    assert not np.array_equal(resamples(ids, seed=1).kept, resamples(ids, seed=2).kept)


def test_every_draw_picks_as_many_prompts_as_there_are():
    assert (resamples([f"p{n}" for n in range(37)], draws=20).kept.sum(axis=1) == 37).all()


@pytest.mark.parametrize(("above", "below", "told"), [
    ([0.0, 0.0], [0.0, 0.0], "nothing"),
    ([1.0, 0.0], [2.0, 0.0], "two prompts"),
    ([1.0, 1.0], [1.0, 1.0], "same value"),
])
def test_what_has_no_value_or_interval_says_why(above, below, told):
    estimate = resamples(["a", "b"]).estimate(np.array([above, below]).T, ratio, "nothing to count")
    assert (estimate.value is None) == (told == "nothing")
    assert (estimate.low, estimate.high) == (None, None)
    assert told in estimate.reason
