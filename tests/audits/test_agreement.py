"""Agreement tables from outcomes and scores: ties beside kappa, intervals, reasons, people against the jury."""

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.agreement import humans_and_jury, judge_pairs, jury, jury_scores, majority


def outcomes(*rows):
    """One row for each (prompt, judge, outcome); all on the pair x, y of that prompt."""
    names = ("prompt_id", "judge", "outcome")
    table = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
    return table.with_columns(aspect=pl.lit("overall"), first_id=pl.lit("x"), second_id=pl.lit("y"))


def of_two(*both):
    """Judge a and judge b, one prompt for each pair of outcomes."""
    named = (zip("ab", two, strict=True) for two in both)
    return outcomes(*((f"p{n:02}", judge, says) for n, two in enumerate(named) for judge, says in two))


FIFTY = [
    *[("first", "first")] * 20, *[("first", "second")] * 5, *[("second", "first")] * 10, *[("second", "second")] * 15,
]


def test_two_judges_get_the_kappa_of_their_two_by_two_table():
    row = judge_pairs(of_two(*FIFTY)).row(0, named=True)
    assert (row["items"], row["prompts"]) == (50, 50)
    assert row["agreement"] == pytest.approx(0.7)
    assert row["kappa"] == pytest.approx(0.4)
    # the large-sample standard error of kappa here is .13 (Fleiss, Cohen and Everitt 1969)
    assert row["kappa_high"] - row["kappa_low"] == pytest.approx(2 * 1.96 * 0.13, rel=0.15)


def test_each_judges_tie_rate_stands_beside_kappa():
    rows = of_two(("tie", "first"), ("first", "first"), ("tie", "tie"), ("second", "both_bad"))
    row = judge_pairs(rows).row(0, named=True)
    assert (row["tie_rate_a"], row["tie_rate_b"]) == (0.5, 0.25)


def test_both_bad_is_a_class_of_its_own_and_stands_with_tie_in_the_order():
    rows = of_two(("tie", "both_bad"), ("tie", "both_bad"), ("first", "first"), ("second", "second"))
    measures = dict(jury(rows).select("measure", "value").iter_rows())
    assert measures["raw"] == 0.5
    assert measures["krippendorff_nominal"] < 0.6
    assert measures["krippendorff_ordinal"] == pytest.approx(1.0)


def test_judges_without_a_common_item_have_no_kappa_and_a_reason():
    row = judge_pairs(outcomes(("p1", "a", "first"), ("p2", "b", "first"))).row(0, named=True)
    assert row["kappa"] is None
    assert row["agreement"] is None
    assert "both" in row["reason"]


def test_one_judge_alone_agrees_with_nobody():
    found = jury(outcomes(("p1", "a", "first"), ("p2", "a", "tie")))
    assert found["value"].null_count() == found.height == 4
    assert set(found["reason"]) == {"there is one judge only"}


def test_a_missing_vote_takes_fleiss_away_and_leaves_krippendorff():
    rows = of_two(*FIFTY)
    third = rows.filter((pl.col("judge") == "a") & (pl.col("prompt_id") < "p30")).with_columns(judge=pl.lit("c"))
    found = {row["measure"]: row for row in jury(pl.concat([rows, third])).iter_rows(named=True)}
    assert found["fleiss"]["value"] is None
    assert "krippendorff" in found["fleiss"]["reason"]
    assert found["krippendorff_nominal"]["value"] is not None


def test_aspects_are_kept_apart():
    good = of_two(*FIFTY)
    flipped = good.with_columns(
        aspect=pl.lit("style"),
        outcome=pl.when(pl.col("judge") == "b").then(pl.col("outcome").replace({"first": "second", "second": "first"}))
        .otherwise("outcome"))
    kappas = dict(judge_pairs(pl.concat([good, flipped])).select("aspect", "kappa").iter_rows())
    assert kappas["overall"] == pytest.approx(0.4)
    assert kappas["style"] < 0


def test_scores_get_the_ordinal_alpha_of_their_table(make):
    # Krippendorff 2011: four observers, twelve units, ordinal alpha .815
    table = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    votes = [
        make.vote(f"p{n}", f"j{j}", [f"r{n}"], [float(value)])
        for j, line in enumerate(table) for n, value in enumerate(line.split()) if value != "."
    ]
    row = jury_scores(make.judgments(votes)).row(0, named=True)
    assert row["value"] == pytest.approx(0.815, abs=5e-4)
    assert row["items"] == 11  # one unit was rated once
    assert row["low"] < row["value"] < row["high"]


def test_scores_of_an_order_preserving_other_scale_have_the_same_ordinal_alpha(make):
    def alpha(scale):
        votes = [
            make.vote(f"p{n}", judge, [f"r{n}"], [scale(float((n * step) % 5))])
            for n in range(20) for judge, step in (("a", 1), ("b", 3))
        ]
        return jury_scores(make.judgments(votes))["value"][0]
    assert alpha(lambda x: x) == pytest.approx(alpha(lambda x: 2.0**x))


def test_people_are_set_against_the_models_majority():
    rows = []
    four = [("first", "first"), ("second", "second"), ("first", "second"), ("second", "second")]
    for n, (people, models) in enumerate(four * 6):
        rows += [(f"p{n:02}", f"human:{name}", people) for name in ("ann", "bob")]
        rows += [(f"p{n:02}", name, models) for name in ("m1", "m2")] + [(f"p{n:02}", "m3", "tie")]
    row = humans_and_jury(outcomes(*rows)).row(0, named=True)
    assert (row["judge_a"], row["judge_b"], row["items"]) == ("humans", "jury", 24)
    # p_o = 3/4; p_e = 1/2 * 1/4 + 1/2 * 3/4 = 1/2
    assert row["kappa"] == pytest.approx(0.5)


def test_without_people_there_is_no_row_of_people():
    assert humans_and_jury(of_two(*FIFTY)).is_empty()


def test_a_majority_without_one_most_frequent_outcome_is_a_tie():
    said = [("p1", "first"), ("p1", "first"), ("p1", "tie"), ("p2", "first"), ("p2", "second")]
    rows = outcomes(*((prompt, "j", says) for prompt, says in said))
    assert dict(majority(rows).select("prompt_id", "outcome").iter_rows()) == {"p1": "first", "p2": "tie"}


classes = st.sampled_from(["first", "second", "tie", "both_bad"])
said = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), classes), min_size=1, max_size=20,
                unique_by=lambda row: row[:2])


@given(said, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_matter(rows, random):
    named = [(f"p{n}", judge, says) for n, judge, says in rows]
    moved = random.sample(named, len(named))
    for measure in (jury, judge_pairs):
        assert measure(outcomes(*named)).equals(measure(outcomes(*moved)))


@given(said)
@settings(max_examples=30, deadline=None)
def test_no_number_is_ever_nan_and_every_null_has_a_reason(rows):
    found = jury(outcomes(*((f"p{n}", judge, says) for n, judge, says in rows)))
    assert not found["value"].is_nan().any()
    nulls = found.filter(pl.col("value").is_null() | pl.col("low").is_null())
    assert nulls["reason"].null_count() == 0


def test_a_thousand_draws_of_36000_outcomes_take_no_minute():
    random = np.random.default_rng(0)
    pairs = [(f"p{n:04}", f"{a}", f"{b}") for n in range(2000) for a in range(4) for b in range(a + 1, 4)]
    asked = pl.DataFrame(pairs, ["prompt_id", "first_id", "second_id"], orient="row")
    asked = asked.with_columns(aspect=pl.lit("overall"))
    rows = pl.concat([
        asked.with_columns(judge=pl.lit(name), outcome=pl.Series(random.choice(["first", "second", "tie"], len(pairs))))
        for name in ("a", "b", "c")
    ])
    begun = time.process_time()
    assert jury(rows)["low"].null_count() == 0
    assert judge_pairs(rows)["kappa_low"].null_count() == 0
    assert time.process_time() - begun < 60
