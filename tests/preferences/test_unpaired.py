"""Single labels: known answers for each policy, and the balance of every response."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preferences.unpaired import unpaired
from schemas import UNPAIRED
from schemas.errors import ConfigError
from tests.preferences.small import fates, scored, world


def labels(table: pl.DataFrame) -> dict[str, bool]:
    """The label of each response by its name."""
    return {name.split("/")[1]: label for name, label in table.select("response_id", "label").iter_rows()}


def test_a_threshold_labels_above_and_below_and_drops_between() -> None:
    made = unpaired(good=7.0, bad=4.0)(*world({"p": scored(9.0, 7.0, 5.0, 4.0, 3.9, None)}))
    assert labels(made.table) == {"a": True, "b": True, "e": False}
    assert fates(made.counts, "responses") == {"in": 6, "out": 3, "between": 2, "no_quorum": 1}


def test_a_prompt_may_have_good_answers_only_or_bad_ones_only() -> None:
    made = unpaired(good=7.0)(*world({"up": scored(9.0, 8.0), "down": scored(1.0, 2.0)}))
    assert dict(made.table.group_by("prompt_id").agg(pl.col("label").all()).iter_rows()) == {"up": True, "down": False}
    assert len(made.table) == 4


def test_best_and_worst_label_every_equal_best_and_worst() -> None:
    made = unpaired("best-and-worst")(*world({"p": scored(9.0, 9.0, 5.0, 2.0)}))
    assert labels(made.table) == {"a": True, "b": True, "d": False}
    assert fates(made.counts, "responses") == {"in": 4, "out": 3, "not selected": 1}


def test_best_and_worst_of_equal_scores_are_ties_and_no_label() -> None:
    made = unpaired("best-and-worst")(*world({"p": scored(5.0, 5.0), "q": scored(7.0)}))
    assert labels(made.table) == {}
    assert fates(made.counts, "responses") == {"in": 3, "tie": 3}


def test_halves_accept_the_top_half_and_reject_the_bottom_half_as_pmpo_does() -> None:
    made = unpaired("halves")(*world({"p": scored(9.0, 7.0, 5.0, 2.0)}))
    assert labels(made.table) == {"a": True, "b": True, "c": False, "d": False}
    made = unpaired("halves")(*world({"p": scored(9.0, 5.0, 5.0, 5.0, 2.0)}))
    assert labels(made.table) == {"a": True, "e": False}
    assert fates(made.counts, "responses") == {"in": 5, "out": 2, "at the median": 3}


def test_a_baseline_is_no_label_and_does_not_move_the_median() -> None:
    answers = [*scored(9.0, 7.0), {"name": "z", "score": 1.0, "role": "baseline"}]
    made = unpaired("halves")(*world({"p": answers}))
    assert labels(made.table) == {"a": True, "b": False}
    assert fates(made.counts, "responses") == {"in": 3, "out": 2, "baseline": 1}


def test_one_text_labelled_both_good_and_bad_is_neither() -> None:
    answers = [{"name": "a", "score": 9.0, "text": "42"}, {"name": "b", "score": 1.0, "text": "42"},
               {"name": "c", "score": 8.0, "text": "43"}]
    made = unpaired(good=5.0)(*world({"p": answers, "q": [{"name": "d", "score": 1.0, "text": "43"}]}))
    assert labels(made.table) == {"c": True, "d": False}
    assert fates(made.counts, "responses") == {"in": 4, "out": 2, "contradiction": 2}


def test_a_label_names_the_votes_and_the_ranking_it_came_from() -> None:
    tables = world({"p": scored(9.0)})
    evidence = unpaired(good=5.0)(*tables).table["evidence"].to_list()[0]
    assert evidence == [*({"table": "judgments", "id": one} for one in tables[2]["judgment_ids"].to_list()[0]),
                        {"table": "rankings", "id": "p/p/a"}]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from([None, 1.0, 2.0, 3.0, 4.0]), max_size=6), max_size=4),
       st.sampled_from([unpaired(good=3.0, bad=2.0), unpaired("best-and-worst"), unpaired("halves", test_share=0.5)]),
       st.integers(0, 99))
def test_every_response_is_labelled_or_counted_and_row_order_decides_nothing(
        scores: list[list[float | None]], make: object, seed: int) -> None:
    tables = world({f"p{number}": scored(*some) for number, some in enumerate(scores)})
    made = make(*tables)  # type: ignore[operator]
    found = fates(made.counts, "responses")
    assert found["in"] == sum(map(len, scores)) == sum(found.values()) - found["in"]
    assert found["no_quorum"] == sum(some.count(None) for some in scores)
    assert UNPAIRED.check(UNPAIRED.conform(made.table.to_arrow()))[0] == []
    mixed = make(*[one.sample(fraction=1.0, shuffle=True, seed=seed) for one in tables])  # type: ignore[operator]
    assert mixed.table.equals(made.table)
    for _, some in made.table.group_by("prompt_id"):
        good, bad = some.filter("label")["score"], some.filter(~pl.col("label"))["score"]
        assert good.is_empty() or bad.is_empty() or good.min() > bad.max()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"policy": "top"}, "no policy is called 'top'"),
    ({"policy": "threshold"}, "good="),
    ({"policy": "halves", "good": 3.0}, "policy 'threshold'"),
    ({"policy": "halves", "bad": 3.0}, "policy 'threshold'"),
    ({"policy": "threshold", "good": 3.0, "bad": 4.0}, "above good"),
    ({"policy": "halves", "test_share": -0.1}, "test_share"),
])
def test_label_arguments_that_cannot_be_combined_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unpaired(**arguments)


def test_a_score_of_a_third_reaches_a_threshold_of_a_third() -> None:
    made = unpaired("threshold", good=1 / 3)(*world({"p": scored(1 / 3, 0.2)}))
    assert dict(made.table.select("response_id", "label").iter_rows()) == {"p/a": True, "p/b": False}
    low = unpaired("threshold", good=1.0, bad=2 / 3)(*world({"p": scored(1.0, 2 / 3)}))
    assert low.table["response_id"].to_list() == ["p/a"]
