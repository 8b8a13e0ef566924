"""Pairs and single labels from outcomes: known answers by hand, and laws."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.testcases import calibration, inversions, standings, truth_of_tests
from feedback.testcases.outcomes import check, passes
from preferences.by_tests import pair_by_tests
from preferences.unpaired_by_tests import unpaired_by_tests
from schemas import PREFERENCES, UNPAIRED
from schemas.errors import ConfigError
from tests.testcases.tables import cases, fates, prompts, responses, runs

Rows = dict[str, list[Any]]
GOOD = {"p/a": [1, 1, 1, 1], "p/b": [1, 1, 0, 0], "p/c": [1, 0, 0, 0], "p/d": [0, 0, 0, 0]}


def world(outputs: Rows, texts: dict[str, str] | None = None) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Prompts, responses and outcomes where output 1 is expected of every input."""
    names = sorted({name.split("/")[0] for name in outputs})
    size = max(len(values) for values in outputs.values())
    outcomes = check()(runs(outputs), cases({name: [1] * size for name in names})).table
    return prompts(*names), responses({name: (texts or {}).get(name, f"text of {name}") for name in outputs}), outcomes


def named(table: pl.DataFrame) -> set[tuple[str, str]]:
    return {(chosen[2:], rejected[2:]) for chosen, rejected in table.select("chosen_id", "rejected_id").iter_rows()}


def test_pairs_need_the_floor_and_the_margin() -> None:
    made = pair_by_tests(floor=0.5, margin=2)(*world(GOOD))
    assert named(made.table) == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "d")}
    assert fates(made.counts, "pairs") == {"in": 6, "out": 4, "below margin": 2}
    strict = pair_by_tests(floor=1.0, margin=2)(*world(GOOD))
    assert named(strict.table) == {("a", "b"), ("a", "c"), ("a", "d")}
    assert fates(strict.counts, "pairs") == {"in": 6, "out": 3, "below floor": 1, "below margin": 2}
    assert PREFERENCES.check(PREFERENCES.conform(made.table.to_arrow()))[0] == []


def test_scores_are_shares_of_tests_and_the_evidence_is_the_outcomes_of_both() -> None:
    made = pair_by_tests(floor=1.0, margin=4)(*world(GOOD))
    [row] = made.table.iter_rows(named=True)
    assert (row["score_chosen"], row["score_rejected"], row["margin"]) == (1.0, 0.0, 1.0)
    assert {one["id"].rpartition("/")[0] for one in row["evidence"]} == {"p/a", "p/d"}
    assert len(row["evidence"]) == 8


def test_identical_texts_and_ties_are_no_pairs() -> None:
    made = pair_by_tests(margin=1)(*world({"p/a": [1, 1], "p/b": [0, 0], "p/c": [1, 1]}, {"p/a": "x", "p/b": "x"}))
    assert named(made.table) == {("c", "b")}
    assert fates(made.counts, "pairs") == {"in": 3, "out": 1, "identical": 1, "tie": 1}


def test_a_cap_keeps_so_many_pairs_a_prompt_and_another_prompt_moves_none() -> None:
    many = {f"p/{n}": [1, 1] if n < 4 else [0, 0] for n in range(8)}
    alone = pair_by_tests(margin=1, cap=3)(*world(many))
    assert alone.table.height == 3
    assert fates(alone.counts, "pairs")["cap"] == 13
    both = pair_by_tests(margin=1, cap=3)(*world({**many, "q/1": [1, 1], "q/2": [0, 0]}))
    assert both.table.filter(pl.col("prompt_id") == "p").equals(alone.table)


def test_an_anchor_asks_that_chosen_passes_the_human_test() -> None:
    outputs = {"p/a": [1, 1, 5], "p/b": [1, 1, 9], "p/c": [0, 0, 9]}
    table = check()(runs(outputs), pl.concat([cases({"p": [1, 1]}, "vote"), cases({"p": [None, None, 5]})])).table
    made = pair_by_tests(floor=1.0, margin=2, sources=["vote"], anchor=["human"])(
        prompts("p"), responses({name: name for name in outputs}), table)
    assert named(made.table) == {("a", "c")}
    assert fates(made.counts, "pairs") == {"in": 3, "out": 1, "no anchor": 1, "tie": 1}


def test_responses_without_outcomes_and_baselines_make_no_pairs_and_are_counted() -> None:
    asked, answered, outcomes = world({"p/a": [1, 1], "p/b": [0, 0]})
    more = answered.vstack(responses({"p/n": "never run"}))
    made = pair_by_tests(margin=1)(asked, more, outcomes)
    assert fates(made.counts, "pairs") == {"in": 3, "out": 1, "no outcomes": 2}
    assert fates(made.counts, "prompts") == {"in": 1, "out": 1}
    baseline = answered.with_columns(role=pl.lit("baseline"))
    assert pair_by_tests(margin=1)(asked, baseline, outcomes).table.is_empty()


def test_one_source_as_a_text_is_told_to_be_a_list() -> None:
    with pytest.raises(ConfigError, match=r"anchor is the text 'human'; write anchor=\['human'\]"):
        pair_by_tests(anchor="human")


@pytest.mark.parametrize("wrong", [{"floor": 2.0}, {"margin": 0}, {"cap": 0}, {"sources": ["guess"]}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        pair_by_tests(**wrong)


def test_single_labels_are_good_bad_or_between() -> None:
    made = unpaired_by_tests(good=1.0, bad=0.5)(*world(GOOD))
    assert dict(made.table.select("response_id", "label").iter_rows()) == {"p/a": True, "p/c": False, "p/d": False}
    assert fates(made.counts, "responses") == {"in": 4, "out": 3, "between": 1}
    assert UNPAIRED.check(UNPAIRED.conform(made.table.to_arrow()))[0] == []


def test_equal_texts_with_both_labels_contradict_each_other() -> None:
    made = unpaired_by_tests()(*world({"p/a": [1, 1], "p/b": [0, 0]}, {"p/a": "x", "p/b": "x"}))
    assert fates(made.counts, "responses") == {"in": 2, "out": 0, "contradiction": 2}


def test_pairs_against_truth_are_right_inverted_or_of_equals() -> None:
    truth = pl.DataFrame({"response_id": ["p/a", "p/b", "p/c", "p/d"], "passes": [True, False, False, None]})
    pairs = pl.DataFrame({"prompt_id": ["p"] * 4, "chosen_id": ["p/a", "p/b", "p/b", "p/a"],
                          "rejected_id": ["p/b", "p/a", "p/c", "p/d"]})
    found = {row["standing"]: row["value"] for row in standings(pairs, truth).iter_rows(named=True)}
    assert found == {"right": 0.25, "inverted": 0.25, "both_fail": 0.25, "both_pass": 0.0, "unknown": 0.25}


def test_inversions_are_estimated_by_the_tests_of_another_source() -> None:
    _, _, outcomes = world(GOOD)
    pairs = pl.DataFrame({"prompt_id": ["p"] * 2, "chosen_id": ["p/a", "p/d"], "rejected_id": ["p/b", "p/c"]})
    found = {row["standing"]: row["pairs"] for row in inversions(pairs, passes(outcomes)).iter_rows(named=True)}
    assert found == {"agrees": 1, "equal": 0, "inverted": 1, "unknown": 0}


def test_votes_are_calibrated_by_their_share() -> None:
    votes = cases({"p": [1, 2, 3], "q": [1, 2]}, "vote").with_columns(share=pl.Series([0.95] * 5))
    found = calibration(votes, cases({"p": [1, 2, 9], "q": [1, None]}, "reference"))
    [row] = found.iter_rows(named=True)
    assert (row["low_share"], row["cases"], row["right"], row["prompts"]) == (0.9, 4, 3, 2)
    assert row["value"] == 0.75


def test_a_response_is_true_where_it_passes_every_trusted_test_and_unknown_where_one_is_no_label() -> None:
    _, _, outcomes = world({"p/a": [1, 1], "p/b": [1, 0], "p/c": [1, "SANDBOX_ERROR"], "p/d": [0, "SANDBOX_ERROR"]})
    assert dict(truth_of_tests(outcomes).select("response_id", "passes").iter_rows()) == {
        "p/a": True, "p/b": False, "p/c": None, "p/d": False}


matrices = st.lists(st.lists(st.sampled_from([0, 1, "ERROR", "SANDBOX_ERROR"]), min_size=3, max_size=3), min_size=2,
                    max_size=5).map(lambda rows: {f"p/{n}": row for n, row in enumerate(rows)})


@given(matrices, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_rows_changes_no_pair(outputs: Rows, random: Any) -> None:
    made = pair_by_tests(floor=0.3, margin=1, cap=2)(*world(outputs))
    tables = [table.sample(fraction=1.0, shuffle=True, seed=random.randrange(99)) for table in world(outputs)]
    assert pair_by_tests(floor=0.3, margin=1, cap=2)(*tables).table.equals(made.table)


@given(matrices, st.integers(0, 4), st.integers(0, 2))
@settings(max_examples=25)
def test_our_own_failure_never_makes_a_pair(outputs: Rows, which: int, where: int) -> None:
    before = named(pair_by_tests(floor=0.3, margin=1)(*world(outputs)).table)
    name = list(outputs)[which % len(outputs)]
    broken = {**outputs, name: [*outputs[name][:where], "SANDBOX_ERROR", *outputs[name][where + 1:]]}
    assert named(pair_by_tests(floor=0.3, margin=1)(*world(broken)).table) <= before


@given(matrices, st.integers(1, 3), st.floats(0, 1))
@settings(max_examples=25)
def test_a_stricter_margin_or_floor_adds_no_pair(outputs: Rows, margin: int, floor: float) -> None:
    loose = named(pair_by_tests(floor=floor / 2, margin=margin)(*world(outputs)).table)
    assert named(pair_by_tests(floor=floor, margin=margin + 1)(*world(outputs)).table) <= loose
