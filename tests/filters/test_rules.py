"""The first rules: what each drops, keeps, and says."""

from typing import Any

import polars as pl
import pytest

from filters.pairs import (
    contradicted,
    exact_duplicate,
    identical,
    margin,
    near_identical,
    one_sided_refusal,
    too_long_with_prompt,
)
from filters.rule import Rule, apply
from filters.sides import empty, too_long, truncated
from preferences.pair import pair
from schemas.errors import ConfigError
from schemas.ids import text_digest
from tests.filters.made import pairs, reasons
from tests.preferences.small import scored, world


def told(rule: Rule, tables: tuple[pl.DataFrame, pl.DataFrame]) -> dict[str, tuple[str, str]]:
    """Reason and evidence of each pair the rule drops, by its prompt."""
    dropped = apply([rule], *tables).dropped
    return {prompt: (reason, seen) for prompt, reason, seen in
            dropped.select("prompt_id", "reason", "evidence").iter_rows()}


def test_empty_drops_white_space_and_invisible_characters_and_names_the_side() -> None:
    assert told(empty, pairs(("", "b"), ("a", " \n\t"), ("\u200b\ufeff", " "), ("a", "0"), ("a", "."))) == {
        "p0": ("empty: chosen", "nothing visible in 0 characters"),
        "p1": ("empty: rejected", "nothing visible in 3 characters"),
        "p2": ("empty: both", "nothing visible in 2 characters; nothing visible in 1 characters")}


def test_truncated_drops_what_the_server_cut_off_and_keeps_what_it_does_not_say() -> None:
    cut, whole, unsaid = ({"finish_reason": reason, "tokens": 512} for reason in ("length", "stop", None))
    assert told(truncated, pairs((cut, whole), (whole, cut), (cut, cut), (unsaid, whole))) == {
        "p0": ("truncated: chosen", "cut off after 512 tokens"),
        "p1": ("truncated: rejected", "cut off after 512 tokens"),
        "p2": ("truncated: both", "cut off after 512 tokens")}


def test_too_long_counts_tokens_or_characters_of_either_side() -> None:
    tables = pairs(({"text": "é" * 10, "tokens": 3}, {"text": "b", "tokens": 9}), ({"text": "é" * 11}, {"text": "b"}),
                   ({"text": "c", "tokens": None}, {"text": "b", "tokens": 8}))
    assert told(too_long(max_characters=10), tables) == {"p1": ("too_long: chosen", "11 characters > 10")}
    assert told(too_long(max_tokens=8), tables) == {"p0": ("too_long: rejected", "9 tokens > 8")}
    assert set(told(too_long(max_tokens=8, max_characters=10), tables)) == {"p0", "p1"}


def test_too_long_with_prompt_adds_the_prompt_to_the_longer_side() -> None:
    tables = pairs(("a" * 20, "b"), ("a", "b" * 21))
    assert len("What is p0?") == 11
    assert told(too_long_with_prompt(31), tables) == {
        "p1": ("too_long_with_prompt", "32 characters with the prompt > 31")}


def test_identical_drops_equal_texts_that_came_from_elsewhere() -> None:
    preferences, responses = pairs(("42", "41"), ("42", "43"))
    same = responses.with_columns(
        text=pl.when(pl.col("text") == "41").then(pl.lit("42")).otherwise("text"),
        text_digest=pl.when(pl.col("text") == "41").then(pl.lit(text_digest("42"))).otherwise("text_digest"))
    assert told(identical, (preferences, same)) == {"p0": ("identical", "the same 2 characters")}


def test_near_identical_drops_at_the_threshold_and_tells_the_similarity() -> None:
    tables = pairs(("abcdefghij", "abcdefghijk"), ("abcdefghij", "abcdefghiX"), ("abcdefghij", "ABCDEFGHIJ "))
    assert told(near_identical(6 / 7), tables) == {
        "p0": ("near_identical", "similarity 0.857"), "p2": ("near_identical", "similarity 1.0")}
    assert set(told(near_identical(0.86), tables)) == {"p2"}
    assert set(told(near_identical(0.7), tables)) == {"p0", "p1", "p2"}


def test_a_refusal_on_one_side_only_is_dropped_with_its_words() -> None:
    no = "I'm sorry, but I can't help with that."
    assert told(one_sided_refusal, pairs(
        (no, "Sure, here it is."), ("Sure, here it is.", no), (no, "I cannot assist with this."), ("Yes.", "Sure."),
        ('Once there was a door. "I can\'t help with that," it said.', "The end."),
    )) == {"p0": ("one_sided_refusal: chosen", 'it says "i\'m sorry, but i can\'t help with"'),
           "p1": ("one_sided_refusal: rejected", 'it says "i\'m sorry, but i can\'t help with"')}


def test_margin_drops_below_the_floor_and_what_has_no_margin() -> None:
    tables = world({"p": scored(0.3, 0.1), "q": scored(0.3, 0.2)})
    made = pair("all")(*tables).table
    assert told(margin(0.2), (made, tables[1])) == {"q": ("margin", "margin 0.1 < 0.2")}
    assert told(margin(1 / 3), (made.with_columns(margin=pl.lit(1 / 3)), tables[1])) == {}
    unscored = made.with_columns(margin=pl.lit(None, pl.Float64))
    assert reasons(apply([margin(0.2)], unscored, tables[1]).dropped) == {"p": "margin", "q": "margin"}


def same_texts(prompts: dict[str, str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One pair of the texts yes and no under each prompt_id, whose prompt reads as given."""
    tables = world({name: [{"name": "c", "score": 2.0, "text": "yes"}, {"name": "r", "score": 1.0, "text": "no"}]
                    for name in prompts})
    turns = [[{"role": "user", "content": text}] for text in prompts.values()]
    asked = tables[0].with_columns(messages=pl.Series(turns))
    return pair("all")(asked, *tables[1:]).table, tables[1]


def test_exact_duplicates_keep_the_smallest_pair_id_and_name_it() -> None:
    preferences, responses = same_texts({"p": "Really?", "q": "Really?", "r": "Really?", "s": "Sure?"})
    same = preferences.filter(pl.col("prompt_id") != "s")
    kept = apply([exact_duplicate], preferences, responses)
    assert set(kept.kept["pair_id"]) == {same["pair_id"].min(), *preferences.filter(prompt_id="s")["pair_id"]}
    assert set(kept.dropped["evidence"]) == {f"same texts as pair {same['pair_id'].sort()[0]}"}
    assert kept.dropped.height == 2


def test_the_same_pair_of_two_models_is_a_duplicate_and_the_reverse_pair_is_not() -> None:
    answers = [{"name": name, "score": score, "text": text} for name, score, text in
               [("a", 3.0, "yes"), ("b", 3.0, "yes"), ("c", 1.0, "no"), ("d", 5.0, "no")]]
    tables = world({"p": answers})
    kept = apply([exact_duplicate], pair("all")(*tables).table, tables[1])
    assert {chosen[0]["content"] for chosen in kept.kept["chosen"]} == {"yes", "no"}
    assert (kept.kept.height, kept.dropped.height) == (2, 2)


def test_pairs_of_equal_texts_that_contradict_each_other_all_go_and_name_another() -> None:
    answers = [{"name": name, "score": score, "text": text} for name, score, text in
               [("a", 3.0, "yes"), ("b", 3.0, "yes"), ("c", 1.0, "no"), ("d", 5.0, "no"), ("e", 0.0, "hm")]]
    prompts, responses, rankings = world({"p": answers, "q": [{**one, "score": -one["score"]} for one in answers[1:3]]})
    preferences = pair("all")(prompts, responses, rankings).table
    kept = apply([contradicted], preferences, responses)
    sides = pl.concat_str(*(pl.col(side).list.first().struct.field("content") for side in ("chosen", "rejected")),
                          separator=">")
    assert sorted(kept.kept.select("prompt_id", sides.alias("said")).rows()) == [
        ("p", "no>hm"), ("p", "no>hm"), ("p", "yes>hm"), ("p", "yes>hm"), ("q", "no>yes")]
    ids = {side: set(preferences.filter(sides == side, prompt_id="p")["pair_id"]) for side in ("yes>no", "no>yes")}
    told = dict(kept.dropped.select("row_id", "evidence").iter_rows())
    for side, other in (("yes>no", "no>yes"), ("no>yes", "yes>no")):
        assert {told.pop(name) for name in ids[side]} == {f"pair {min(ids[other])} says the opposite"}
    assert told == {}


def test_pairs_that_share_one_side_only_are_no_duplicates() -> None:
    answers = [{"name": name, "score": score, "text": name} for name, score in [("a", 3.0), ("b", 2.0), ("c", 1.0)]]
    tables = world({"p": answers})
    assert apply([exact_duplicate], pair("all")(*tables).table, tables[1]).kept.height == 3


def test_a_duplicate_is_never_dropped_for_a_pair_that_another_rule_drops() -> None:
    preferences, responses = same_texts({"p": "Really?", "q": "Really?"})
    first = pl.col("pair_id") == preferences["pair_id"].min()
    preferences = preferences.with_columns(margin=pl.when(first).then(0.1).otherwise(1.0))
    kept = apply([exact_duplicate, margin(0.5)], preferences, responses)
    assert kept.kept["margin"].to_list() == [1.0]
    assert kept.dropped["reason"].to_list() == ["margin"]


@pytest.mark.parametrize(("rule", "arguments"), [
    (too_long, {}), (too_long, {"max_tokens": 0}), (too_long_with_prompt, {"max_characters": 0}),
    (near_identical, {"threshold": 0.0}), (near_identical, {"threshold": 95}), (margin, {"floor": 0.0}),
    (margin, {"floor": float("nan")}),
])
def test_a_rule_that_makes_no_sense_is_refused(rule: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        rule(**arguments)
