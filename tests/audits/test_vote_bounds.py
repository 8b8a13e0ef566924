"""Bounds on votes without a truth: by hand, against every truth there could be, and against planted error rates."""

import math
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.bootstrap import resamples
from audits.report import report
from audits.vote_bounds import halves, inverted_at_most
from feedback.testcases.maths.equal import Equal
from feedback.testcases.outcomes import check
from feedback.testcases.vote import vote_outputs
from preferences.by_tests import pair_by_tests
from tests.testcases.tables import cases, prompts, responses, runs

NONE = "ERROR"
"""A response that states no answer."""


def stated(answers: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Executions of the answers to each prompt."""
    return runs({f"{prompt}/{number:02}": [text] for prompt, texts in answers.items()
                 for number, text in enumerate(texts)}, kind="answer")


def paired(answers: Mapping[str, Sequence[str]], chosen: str) -> pl.DataFrame:
    """Each response that states `chosen` over each that does not."""
    sides = [(prompt, f"{prompt}/{number:02}", text) for prompt, texts in answers.items()
             for number, text in enumerate(texts)]
    return pl.DataFrame([(one[0], one[1], other[1]) for one in sides for other in sides
                         if one[0] == other[0] and one[2] == chosen != other[2]],
                        ["prompt_id", "chosen_id", "rejected_id"], orient="row")


def at_most(answers: Mapping[str, Sequence[str]], chosen: str = "1") -> tuple[int, float]:
    """The pairs of a build, and which share of them could be inverted."""
    [row] = inverted_at_most(paired(answers, chosen), stated(answers), "kept").iter_rows(named=True)
    return row["rows"], row["value"]


def test_of_the_pairs_of_a_prompt_those_could_be_inverted_whose_rejected_sides_say_the_same() -> None:
    assert at_most({"p": ["1", "1", "1", "2", "2", "3"]}) == (9, 6 / 9)
    assert at_most({"p": ["1", "1", "2"], "q": ["1", "3", "4", "5"]}) == (5, 3 / 5)


def test_answers_that_are_not_proved_different_could_all_be_right() -> None:
    assert at_most({"p": ["1", "1/2", "0.5", r"\frac{1}{2}", "3"]}) == (4, 3 / 4)
    assert at_most({"p": ["1", "7", NONE, "3"]}) == (3, 2 / 3)
    assert at_most({"p": ["1", "x", "3"]}) == (2, 1.0)


def test_two_answers_are_compared_once_whichever_comes_first() -> None:
    asked: list[tuple[str, str]] = []

    class Comparing:
        def compare(self, pairs: Iterable[tuple[str, str]]) -> Iterable[Equal]:
            """Notes what is asked; only 7 and 3 may be the same, and only in the order of their texts."""
            asked.extend(pairs)
            return ["unknown" if pair == ("3", "7") else "different" for pair in asked]

    answers = {"p": ["1", "7", "3", "x", "x"]}
    found = inverted_at_most(paired(answers, "1"), stated(answers), "kept", maths=Comparing())
    assert asked == [("3", "7"), ("3", "x"), ("7", "x")]
    assert found["value"].to_list() == [2 / 4]


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from("pqr"), st.lists(st.sampled_from("1234"), min_size=2, max_size=8), min_size=1),
       st.data())
def test_no_truth_inverts_more_pairs_than_the_bound_and_one_inverts_as_many(
        answers: dict[str, list[str]], data: st.DataObject) -> None:
    pairs = paired(answers, "1")
    if pairs.is_empty():
        return
    rejected = {f"{prompt}/{number:02}": text for prompt, texts in answers.items() for number, text in enumerate(texts)}

    def inverted(truth: Mapping[str, str]) -> float:
        return sum(rejected[one] == truth[prompt] for prompt, one in pairs.select(
            "prompt_id", "rejected_id").iter_rows()) / pairs.height

    _, bound = at_most(answers)
    guess = {prompt: data.draw(st.sampled_from("12345")) for prompt in sorted(answers)}
    worst = {prompt: max("234", key=texts.count) for prompt, texts in answers.items()}
    assert inverted(guess) <= bound + 1e-9
    assert math.isclose(inverted(worst), bound)


def differing(answers: Mapping[str, Sequence[str]], draws: int = 200) -> dict[str, dict[str, Any]]:
    """The rows of `halves` by their bound; every prompt has a vote."""
    voted = cases({prompt: [texts[0]] for prompt, texts in answers.items()}, "vote", "answer")
    found = halves(stated(answers), voted, resamples(answers, draws), seed=3)
    return {row["bound"]: row for row in found.iter_rows(named=True)}


def test_halves_that_agree_in_every_split_differ_in_none() -> None:
    found = differing({"p": ["4"] * 10, "q": ["7"] * 9 + ["1"], "r": ["0.5", "1/2"] * 4})
    assert {name: (row["value"], row["rows"]) for name, row in found.items()} == {
        "differ": (0.0, 15), "wrong_at_least": (0.0, 15)}


def test_halves_that_say_one_thing_each_differ_and_one_of_them_is_wrong() -> None:
    found = differing({"p": ["4", "5"], "q": ["7", "1", ], "r": ["8"]})
    assert (found["differ"]["value"], found["wrong_at_least"]["value"], found["differ"]["prompts"]) == (1.0, 0.5, 2)


def test_a_half_without_a_winner_is_not_compared() -> None:
    assert differing({"p": ["1", "2", "3", "4"]})["differ"]["rows"] == 0
    assert differing({"p": ["1", "2", "3", "4"]})["differ"]["reason"] == "no two halves have a vote"


def planted(seed: int, right: float, wrong: Sequence[str], size: int = 60) -> dict[str, list[str]]:
    """Ten answers a prompt, each right ("0") so often, else one of the wrong ones."""
    random = Random(seed)
    return {f"p{number:03}": ["0" if random.random() < right else random.choice(wrong) for _ in range(10)]
            for number in range(size)}


def test_where_there_are_two_answers_the_interval_holds_the_chance_that_one_half_is_wrong() -> None:
    """A vote of five is wrong with the chance e of three errors or more; of two that differ one is wrong: e(1 - e)."""
    wrong = sum(math.comb(5, errors) * 0.25 ** errors * 0.75 ** (5 - errors) for errors in (3, 4, 5))
    found = [differing(planted(seed, 0.75, ["1"]))["wrong_at_least"] for seed in range(40)]
    held = sum(row["low"] <= wrong * (1 - wrong) <= row["high"] for row in found)
    assert held >= 33          # 95 % would be 38; 200 such builds held it in 91 %, of 200 prompts in 94 %
    assert sum(row["low"] <= wrong for row in found) >= 37
    mean = sum(row["value"] for row in found) / len(found)
    assert abs(mean - wrong * (1 - wrong)) < 0.01


@pytest.mark.parametrize(("right", "wrong"), [(0.2, "1"), (0.6, "123456789"), (0.3, "1112")])
def test_the_lower_bound_stays_below_the_true_rate_whatever_the_errors_are(right: float, wrong: str) -> None:
    """The true rate is counted: votes of five fresh answers, of the same chances, that have a winner."""
    random, lost, won = Random(7), 0, 0
    for _ in range(4000):
        drawn = ["0" if random.random() < right else random.choice(wrong) for _ in range(5)]
        best = sorted(set(drawn), key=drawn.count)
        if len(best) == 1 or drawn.count(best[-1]) > drawn.count(best[-2]):
            won, lost = won + 1, lost + (best[-1] != "0")
    found = [differing(planted(seed, right, wrong))["wrong_at_least"]["value"] for seed in range(6)]
    assert sum(found) / len(found) <= lost / won + 0.02


def test_a_build_of_stated_answers_tells_its_bounds_with_and_without_a_truth() -> None:
    answers = planted(1, 0.5, "12", size=30)
    executions = stated(answers)
    texts = {name: f"{name} says {said}" for name, said in executions.select("response_id", "output").iter_rows()}
    voted = vote_outputs(min_voters=5, share=0.5)(executions).table
    outcomes = check()(executions, voted).table
    asked, answered = prompts(*answers), responses(texts)
    pairs = pair_by_tests(floor=1.0, margin=1)(asked, answered, outcomes).table
    given_ = {"prompts": asked, "responses": answered, "executions": executions, "test_cases": voted,
              "outcomes": outcomes, "preferences": pairs, "kept": pairs.head(20)}
    told = report(given_, draws=100)
    assert told.tables["vote_bounds"].select("bound", "of", "rows").rows()[:2] == [
        ("inverted_at_most", "preferences", pairs.height), ("inverted_at_most", "kept", 20)]
    truth = cases({prompt: ["0"] for prompt in answers}, "reference", "answer")
    known = report({**given_, "true_outcomes": check()(executions, truth).table, "true_cases": truth}, draws=100)
    bounds = known.tables["vote_bounds"]
    assert bounds.equals(told.tables["vote_bounds"])
    of_all = pl.col("table") == "preferences"
    inverted = known.tables["standings"].filter(of_all & (pl.col("standing") == "inverted"))
    assert 0.0 < inverted["value"][0] <= bounds["value"][0] < 1.0
