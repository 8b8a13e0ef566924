"""The rule mechanism: first reason, other reasons, balance, and the laws of a filter."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.pairs import contradicted, exact_duplicate, identical, margin, near_identical, one_sided_refusal
from filters.rule import Rule, apply, apply_lists, apply_unpaired, pair_rule, response_rule
from filters.sides import empty, too_long, truncated
from preferences.lists import lists
from preferences.unpaired import unpaired
from schemas import DROPPED, LISTS, PREFERENCES
from schemas.errors import ConfigError, SchemaError
from tests.filters.made import pairs, reasons
from tests.preferences.small import fates, world


@response_rule
def shouting(response: Mapping[str, Any]) -> str | None:
    return "all capitals" if response["text"].isupper() else None


@pair_rule
def longer_wins(pair: Mapping[str, Any]) -> str | None:
    extra = len(pair["chosen_text"]) - len(pair["rejected_text"])
    return f"{extra} characters more" if extra > 5 else None


def test_a_plain_function_is_a_rule_on_a_response_or_on_a_pair() -> None:
    kept = apply([shouting, longer_wins], *pairs(("YES", "no"), ("yes", "no"), ("certainly", "no"), ("yes", "NO")))
    rows = kept.dropped.select("prompt_id", "reason", "evidence").sort("prompt_id").rows()
    assert rows == [("p0", "shouting: chosen", "all capitals"), ("p2", "longer_wins", "7 characters more"),
                    ("p3", "shouting: rejected", "all capitals")]
    assert kept.kept["prompt_id"].to_list() == ["p1"]


def test_the_first_rule_in_the_recipes_order_is_the_reason_and_the_others_stand_in_also() -> None:
    tables = pairs((" ", {"text": "B", "finish_reason": "length"}))
    reasons = ["empty: chosen", "truncated: rejected", "shouting: rejected"]
    row = apply([empty, truncated, shouting], *tables).dropped.to_dicts()[0]
    assert [row["reason"], *row["also"]] == reasons
    assert row["evidence"] == "nothing visible in 1 characters"
    row = apply([shouting, truncated, empty], *tables).dropped.to_dicts()[0]
    assert [row["reason"], *row["also"]] == reasons[::-1]


def test_a_dropped_row_is_named_by_table_key_and_prompt() -> None:
    preferences, responses = pairs(("A", "b"))
    row = apply([shouting], preferences, responses).dropped.to_dicts()[0]
    assert row == {"table": "preferences", "row_id": preferences["pair_id"][0], "prompt_id": "p0",
                   "reason": "shouting: chosen", "evidence": "all capitals", "also": []}


def test_without_rules_everything_is_kept_and_without_rows_nothing_is_lost() -> None:
    preferences, responses = pairs(("A", "b"), ("c", "d"))
    assert apply([], preferences, responses).kept.equals(preferences)
    rules: list[Rule] = [empty, near_identical(), one_sided_refusal, exact_duplicate, shouting, longer_wins]
    kept = apply(rules, preferences.clear(), responses.clear())
    assert (kept.kept.height, kept.dropped.height) == (0, 0)
    assert kept.dropped.to_arrow().cast(DROPPED.schema).num_rows == 0


def test_a_pair_that_names_an_unknown_response_is_an_error_that_names_it() -> None:
    preferences, responses = pairs(("A", "b"))
    with pytest.raises(SchemaError, match="not in responses, such as p0/r"):
        apply([empty], preferences, responses.filter(pl.col("response_id") != "p0/r"))


TEXTS = ["", " ", "yes", "no", "NO", "I'm sorry, but I can't help with that.", "The answer is 42.", "The answer is 42!"]
side = st.fixed_dictionaries({"text": st.sampled_from(TEXTS),
                              "finish_reason": st.sampled_from(["stop", "length", None]),
                              "tokens": st.sampled_from([None, 3, 9]), "score": st.sampled_from([2.2, 2.5, 3.0])})
sides = st.lists(st.tuples(side, side.map(lambda one: {**one, "score": 2.0})), max_size=8)
LOCAL: list[Rule] = [empty, truncated, too_long(max_tokens=8), identical, near_identical(0.7), one_sided_refusal,
                     margin(0.4), shouting, longer_wins]
rules = st.lists(st.sampled_from([*LOCAL, exact_duplicate, contradicted]), unique_by=lambda rule: rule.name,
                 max_size=10)


@settings(max_examples=40, deadline=None)
@given(sides, rules)
def test_every_candidate_is_kept_or_dropped_exactly_once(those: list[Any], some: list[Rule]) -> None:
    preferences, responses = pairs(*those)
    kept = apply(some, preferences, responses)
    assert sorted([*kept.kept["pair_id"], *kept.dropped["row_id"]]) == sorted(preferences["pair_id"])
    assert kept.kept.equals(preferences.filter(pl.col("pair_id").is_in(kept.kept["pair_id"].implode())))
    found = fates(kept.counts)
    assert (found["in"], found["out"]) == (preferences.height, kept.kept.height)
    assert PREFERENCES.check(PREFERENCES.conform(kept.kept.to_arrow()))[0] == []
    assert DROPPED.check(DROPPED.conform(kept.dropped.to_arrow()))[0] == []


@settings(max_examples=40, deadline=None)
@given(sides, rules)
def test_filtering_twice_is_filtering_once(those: list[Any], some: list[Rule]) -> None:
    preferences, responses = pairs(*those)
    once = apply(some, preferences, responses).kept
    again = apply(some, once, responses)
    assert again.kept.equals(once)
    assert again.dropped.height == 0


@settings(max_examples=30, deadline=None)
@given(sides, st.lists(st.sampled_from(LOCAL), unique_by=lambda rule: rule.name), st.integers(1, 7))
def test_filtering_shard_by_shard_is_filtering_the_whole(those: list[Any], some: list[Rule], cut: int) -> None:
    preferences, responses = pairs(*those)
    whole = apply(some, preferences, responses)
    parts = [apply(some, part, responses) for part in (preferences.head(cut), preferences.slice(cut))]
    assert pl.concat([part.kept for part in parts]).equals(whole.kept)
    assert pl.concat([part.dropped for part in parts]).sort("row_id").equals(whole.dropped)


@settings(max_examples=30, deadline=None)
@given(sides, rules, st.integers(0, 99))
def test_what_is_dropped_does_not_depend_on_row_order(those: list[Any], some: list[Rule], seed: int) -> None:
    preferences, responses = pairs(*those)
    kept = apply(some, preferences, responses)
    mixed = apply(some, preferences.sample(fraction=1.0, shuffle=True, seed=seed),
                  responses.sample(fraction=1.0, shuffle=True, seed=seed))
    assert mixed.kept.sort("pair_id").equals(kept.kept)
    assert mixed.dropped.equals(kept.dropped)


ANSWERS = [{"name": "a", "score": 9.0}, {"name": "b", "score": 7.0, "text": "LOUD"},
           {"name": "c", "score": 7.0, "text": ""}, {"name": "d", "score": 2.0}]
PAIR = [{"name": "a", "score": 9.0, "text": "LOUD"}, {"name": "b", "score": 2.0}]


def test_the_same_rules_filter_single_labels() -> None:
    tables = world({"p": ANSWERS})
    labels = unpaired(good=5.0)(*tables).table
    kept = apply_unpaired([empty, shouting], labels, tables[1])
    assert kept.kept["response_id"].to_list() == ["p/a", "p/d"]
    assert kept.dropped.select("table", "row_id", "reason").rows() == [
        ("unpaired", "p/b", "shouting"), ("unpaired", "p/c", "empty")]
    assert fates(kept.counts, "labels") == {"in": 4, "out": 2, "shouting": 1, "empty": 1}


def test_the_same_rules_take_answers_out_of_lists_and_ranks_close_up() -> None:
    tables = world({"p": ANSWERS, "q": PAIR})
    kept = apply_lists([empty, shouting], lists()(*tables).table, tables[1])
    row = kept.kept.to_dicts()[0]
    assert (row["prompt_id"], row["response_ids"], row["ranks"]) == ("p", ["p/a", "p/d"], [1, 2])
    assert kept.kept.height == 1
    assert dict(kept.dropped.select("row_id", "reason").iter_rows()) == {
        "p/p/b": "shouting", "p/p/c": "empty", "q/q/a": "shouting", "q/q/b": "alone"}
    assert fates(kept.counts, "completions") == {"in": 6, "out": 2, "shouting": 2, "empty": 1, "alone": 1}
    assert LISTS.check(LISTS.conform(kept.kept.to_arrow()))[0] == []
    assert apply_lists([empty, shouting], kept.kept, tables[1]).kept.equals(kept.kept)


def test_a_rule_on_pairs_is_refused_for_labels_and_lists() -> None:
    tables = world({"p": ANSWERS})
    with pytest.raises(ConfigError, match="margin compares the two sides"):
        apply_unpaired([empty, margin(1.0)], unpaired(good=5.0)(*tables).table, tables[1])
    with pytest.raises(ConfigError, match="identical compares the two sides"):
        apply_lists([identical], lists()(*tables).table, tables[1])


def test_reasons_of_both_sides_are_told_apart() -> None:
    kept = apply([too_long(max_characters=3)], *pairs(("abcd", "abcde"), ("a", "abcd"), ("abcd", "a"), ("a", "b")))
    assert reasons(kept.dropped) == {"p0": "too_long: both", "p1": "too_long: rejected", "p2": "too_long: chosen"}
    assert "4 characters > 3; 5 characters > 3" in kept.dropped["evidence"].to_list()
