"""PAIR: known answers, by hand or from the papers."""

from typing import Any

import polars as pl
import pytest

from preferences.pair import pair
from schemas import PREFERENCES
from schemas.errors import ConfigError, SchemaError
from schemas.preferences import pair_id
from tests.preferences.small import fates, named, scored, world

FOUR = {"p": scored(9.0, 7.0, 5.0, 2.0)}


def test_all_pairs_of_four_different_scores_are_made_with_the_better_chosen() -> None:
    made = pair("all")(*world(FOUR))
    assert named(made.table) == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")}
    assert fates(made.counts) == {"in": 6, "out": 6}


def test_all_pairs_leave_out_the_equal_scores_of_four_and_count_them() -> None:
    made = pair("all")(*world({"p": scored(9.0, 7.0, 7.0, 2.0)}))
    assert named(made.table) == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")}
    assert fates(made.counts) == {"in": 6, "out": 5, "tie": 1}


def test_best_vs_each_makes_the_three_pairs_of_curry_dpo() -> None:
    made = pair("best-vs-each")(*world(FOUR))
    assert named(made.table) == {("a", "d"), ("a", "c"), ("a", "b")}
    assert fates(made.counts) == {"in": 6, "out": 3, "not selected": 3}


def test_best_worst_takes_the_maximum_and_the_minimum() -> None:
    made = pair("best-worst")(*world({"p": scored(5.0, 2.0, 9.0, 7.0)}))
    assert named(made.table) == {("c", "b")}
    assert made.table["margin"].to_list() == [7.0]
    assert fates(made.counts) == {"in": 6, "out": 1, "not selected": 5}


def test_best_worst_of_several_bests_and_worsts_takes_one_pair_and_a_prompt_of_equals_none() -> None:
    made = pair("best-worst")(*world({"p": scored(9.0, 9.0, 2.0, 2.0), "q": scored(4.0, 4.0)}))
    assert len(made.table) == 1
    chosen, rejected = next(iter(named(made.table)))
    assert chosen in "ab"
    assert rejected in "cd"
    assert fates(made.counts) == {"in": 7, "out": 1, "tie": 3, "not selected": 3}
    assert fates(made.counts, "prompts") == {"in": 2, "out": 1, "no pair": 1}


def test_which_of_several_bests_is_taken_is_spread_by_the_hash() -> None:
    tables = world({f"p{number}": scored(9.0, 9.0, 2.0) for number in range(300)})
    chosen = pair("best-worst")(*tables).table["chosen_id"].str.ends_with("a").sum()
    assert 110 < chosen < 190


def test_best_random_draws_each_lower_answer_equally_often() -> None:
    tables = world({f"p{number}": scored(9.0, 9.0, 7.0, 5.0, 2.0) for number in range(600)})
    made = pair("best-random", seed=3)(*tables)
    drawn = made.table["rejected_id"].str.slice(-1).value_counts().sort("rejected_id")
    assert drawn["rejected_id"].to_list() == ["c", "d", "e"]
    assert all(160 < count < 240 for count in drawn["count"])
    assert made.table["prompt_id"].n_unique() == 600


def test_adjacent_pairs_are_neighbours_in_the_ranking() -> None:
    made = pair("adjacent")(*world({"p": scored(2.0, 9.0, 5.0, 7.0)}))
    assert named(made.table) == {("b", "d"), ("d", "c"), ("c", "a")}


def test_a_gap_of_one_and_a_cap_of_two_keep_two_pairs_a_prompt_as_rlaif_v_does() -> None:
    tables = world({f"p{number}": scored(-3.0, -2.0, -2.0, 0.0, -2.5) for number in range(40)})
    made = pair("all", gap=1.0, cap=2)(*tables)
    assert made.table.group_by("prompt_id").len()["len"].to_list() == [2] * 40
    assert all(margin >= 1.0 for margin in made.table["margin"])
    # a pairs with b, c (1), d (3) and e (.5); d with b, c (2) and e (2.5); e with b, c (.5); b and c are equal
    assert fates(made.counts) == {"in": 400, "out": 80, "tie": 40, "below gap": 120, "cap": 160}
    assert len(named(made.table)) > 4


def test_a_margin_equal_to_the_gap_is_enough_in_spite_of_binary_fractions() -> None:
    made = pair("all", gap=0.2)(*world({"p": scored(0.3, 0.1)}))
    assert 0.3 - 0.1 < 0.2
    assert fates(made.counts) == {"in": 1, "out": 1}


def test_a_difference_of_rounding_errors_is_a_tie() -> None:
    made = pair("all")(*world({"p": scored(0.1 + 0.2, 0.3)}))
    assert fates(made.counts) == {"in": 1, "tie": 1}


def test_identical_texts_are_never_a_pair_whatever_their_scores() -> None:
    answers = [{"name": "a", "score": 9.0, "text": "42"}, {"name": "b", "score": 1.0, "text": "42"},
               {"name": "c", "score": 5.0, "text": "43"}]
    made = pair("all")(*world({"p": answers}))
    assert named(made.table) == {("a", "c"), ("c", "b")}
    assert fates(made.counts) == {"in": 3, "out": 2, "identical": 1}


def test_responses_without_quorum_or_without_any_vote_are_in_no_pair() -> None:
    made = pair("all")(*world({"p": [*scored(9.0, None, 2.0), {"name": "z"}]}))
    assert named(made.table) == {("a", "c")}
    assert fates(made.counts) == {"in": 6, "out": 1, "no_quorum": 5}


def test_prompts_with_fewer_than_two_ranked_responses_are_counted() -> None:
    made = pair("all")(*world({"none": [], "one": scored(5.0), "left": scored(5.0, None), "two": scored(5.0, 4.0)}))
    assert fates(made.counts, "prompts") == {"in": 4, "out": 1, "fewer than two ranked responses": 3}


def test_a_baseline_is_in_no_pair_of_scores() -> None:
    answers = [*scored(9.0, 2.0), {"name": "base", "score": 5.0, "role": "baseline"}]
    made = pair("all")(*world({"p": answers}))
    assert named(made.table) == {("a", "b")}
    assert fates(made.counts) == {"in": 3, "out": 1, "baseline": 2}


LADDER = [{"name": "s", "engine": "small"}, {"name": "m", "model": "medium-3b", "engine": "e2"},
          {"name": "l", "engine": "large"}, {"name": "s2", "engine": "small"}]


def test_delta_learning_chooses_the_larger_of_every_two_rungs_without_any_vote() -> None:
    prompts, responses, _ = world({"p": LADDER})
    made = pair("by-model-order", models=["small", "medium-3b", "large"])(prompts, responses)
    assert named(made.table) == {("l", "m"), ("l", "s"), ("l", "s2"), ("m", "s"), ("m", "s2")}
    assert fates(made.counts) == {"in": 6, "out": 5, "tie": 1}
    for column in ("score_chosen", "score_rejected", "margin", "p_chosen"):
        assert made.table[column].null_count() == 5


def test_by_model_order_uses_named_models_only_and_takes_a_baseline_that_is_named() -> None:
    base = {"name": "b", "engine": "large", "role": "baseline"}
    other = {"name": "o", "engine": "other"}
    idle = {"name": "i", "engine": "idle", "role": "baseline"}
    prompts, responses, _ = world({"p": [LADDER[0], base, other, idle]})
    made = pair("by-model-order", models=("small", "large"))(prompts, responses)
    assert named(made.table) == {("b", "s")}
    assert fates(made.counts) == {"in": 6, "out": 1, "baseline": 3, "not in models": 2}


def test_the_evidence_of_a_pair_without_votes_is_its_two_responses() -> None:
    prompts, responses, _ = world({"p": LADDER[:2]})
    made = pair("by-model-order", models=["small", "medium-3b"])(prompts, responses)
    assert made.table["evidence"].to_list() == [
        [{"table": "responses", "id": "p/m"}, {"table": "responses", "id": "p/s"}]]


def test_the_evidence_of_a_pair_is_every_vote_on_either_side_once_and_both_rankings() -> None:
    tables = world({"p": scored(9.0, 2.0, 1.0)})
    made = pair("best-vs-each")(*tables)
    row = made.table.filter(pl.col("rejected_id") == "p/b")["evidence"].to_list()[0]
    mine = tables[2].filter(pl.col("response_id").is_in(["p/a", "p/b"]))["judgment_ids"].explode().unique().sort()
    assert len(mine) == 5
    assert [one["id"] for one in row if one["table"] == "judgments"] == mine.to_list()
    assert [one["id"] for one in row if one["table"] == "rankings"] == ["p/p/a", "p/p/b"]
    assert len(row) == 7


def test_a_row_holds_the_conversation_the_answers_and_what_is_known_of_them() -> None:
    answers = [{"name": "a", "score": 2.0, "text": "no", "engine": "x", "model": "m-x"},
               {"name": "b", "score": 3.5, "text": "yes", "engine": "y", "model": "m-y"}]
    row = pair("all")(*world({"p": answers})).table.to_dicts()[0]
    assert row["prompt"] == [{"role": "user", "content": "What is p?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "yes"}]
    assert row["rejected"] == [{"role": "assistant", "content": "no"}]
    assert (row["chosen_model"], row["rejected_model"]) == ("m-y", "m-x")
    assert (row["score_chosen"], row["score_rejected"], row["margin"]) == (3.5, 2.0, 1.5)
    assert row["pair_id"] == pair_id("p", "p/b", "p/a")
    assert row["policy"] == "all"


def test_the_table_keeps_its_rules_and_is_sorted_by_its_key() -> None:
    table = pair("all", test_share=0.5)(*world({f"p{number}": scored(1.0, 2.0, 3.0) for number in range(9)})).table
    assert PREFERENCES.check(PREFERENCES.conform(table.to_arrow()))[0] == []
    assert table["pair_id"].is_sorted()


def test_prompts_of_one_group_are_split_to_one_side() -> None:
    prompts, responses, rankings = world({f"p{number}": scored(1.0, 2.0) for number in range(200)})
    grouped = prompts.with_columns(group=pl.format("g{}", pl.int_range(pl.len()) % 20))
    table = pair("all", test_share=0.4)(grouped, responses, rankings).table.join(grouped, on="prompt_id")
    sides = table.group_by("group").agg(pl.col("split").unique())["split"].to_list()
    assert sorted(map(len, sides)) == [1] * 20
    assert set(table["split"]) == {"train", "test"}


def test_no_prompt_at_all_gives_an_empty_table_of_the_right_types() -> None:
    made = pair("best-random", cap=1)(*world({}))
    assert made.table.to_arrow().cast(PREFERENCES.schema).num_rows == 0
    assert fates(made.counts) == {}


def test_a_score_that_is_no_number_is_an_error_and_not_a_win() -> None:
    with pytest.raises(SchemaError, match="no finite score, such as p/b"):
        pair("all")(*world({"p": scored(1.0, float("nan"))}))


def test_a_response_to_an_unknown_prompt_is_an_error_that_names_it() -> None:
    prompts, responses, rankings = world(FOUR)
    with pytest.raises(SchemaError, match="4 row"):
        pair("all")(prompts.clear(), responses, rankings)


def test_a_response_ranked_twice_is_an_error() -> None:
    prompts, responses, rankings = world(FOUR)
    with pytest.raises(SchemaError, match="more than one row"):
        pair("all")(prompts, responses, pl.concat([rankings, rankings.head(1)]))


def test_scores_are_joined_by_key_and_a_ranking_of_another_prompt_counts_for_nothing() -> None:
    prompts, responses, rankings = world({"p": scored(1.0, 2.0), "q": scored(1.0, 2.0)})
    wrong = rankings.with_columns(prompt_id=pl.when(pl.col("response_id") == "p/a").then(pl.lit("q"))
                                  .otherwise("prompt_id"))
    assert fates(pair("all")(prompts, responses, wrong).counts) == {"in": 2, "out": 1, "no_quorum": 1}


@pytest.mark.parametrize(("arguments", "message"), [
    ({"policy": "worst-best"}, "no policy is called 'worst-best'; use one of best-worst"),
    ({"policy": "all", "ties": "first"}, 'ties="drop"'),
    ({"policy": "all", "identical": "keep"}, 'identical="drop"'),
    ({"policy": "all", "gap": -1.0}, "gap is -1.0"),
    ({"policy": "all", "cap": 0}, "cap is 0"),
    ({"policy": "all", "test_share": 5.0}, "test_share is 5.0"),
    ({"policy": "all", "models": ["a", "b"]}, "belongs to 'by-model-order'"),
    ({"policy": "by-model-order"}, "needs them"),
    ({"policy": "by-model-order", "models": ["a", "a"]}, "two or more different"),
    ({"policy": "by-model-order", "models": "ab"}, "two or more different"),
])
def test_arguments_that_cannot_be_combined_are_refused_with_the_remedy(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pair(**arguments)


def test_a_policy_of_scores_without_rankings_is_refused() -> None:
    prompts, responses, _ = world(FOUR)
    with pytest.raises(ConfigError, match="give it a rankings table"):
        pair("all")(prompts, responses)


@pytest.mark.parametrize(("high", "low", "gap"), [(1 / 3, 0.0, 1 / 3), (5 / 6, 1 / 6, 2 / 3), (2 / 3, 1 / 3, 1 / 3)])
def test_a_margin_of_some_thirds_reaches_a_gap_of_as_many(high: float, low: float, gap: float) -> None:
    assert named(pair("all", gap=gap)(*world({"p": scored(high, low)})).table) == {("a", "b")}
    assert not named(pair("all", gap=gap + 1e-6)(*world({"p": scored(high, low)})).table)
