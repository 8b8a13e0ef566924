"""Pairwise outcomes: votes of every kind, folded by hand-calculated rules."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.jury.outcomes import pairwise
from tests.feedback.court import duel, judgments, scored, silenced, vote

BOTH = ("both-average", "both-else-tie")
VERDICTS = ("A", "B", "tie", "both_bad")
FLIPPED = {"first": "second", "second": "first", "tie": "tie", "both_bad": "both_bad"}


def outcome(*rows: dict) -> str | None:
    found = pairwise(judgments(rows))["outcome"].to_list()
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(("forward", "backward", "average", "else_tie"), [
    ("A", "B", "first", "first"),         # both orders say a
    ("B", "A", "second", "second"),       # both say b
    ("A", "A", "tie", "tie"),             # the first shown, twice: position bias
    ("B", "B", "tie", "tie"),
    ("A", "tie", "first", "tie"),
    ("tie", "A", "second", "tie"),
    ("A", "both_bad", "first", "tie"),
    ("tie", "tie", "tie", "tie"),
    ("both_bad", "both_bad", "both_bad", "both_bad"),
    ("tie", "both_bad", "tie", "tie"),
])
def test_two_orders_fold_as_their_policy_says(forward: str, backward: str, average: str, else_tie: str) -> None:
    for policy, expected in (("both-average", average), ("both-else-tie", else_tie)):
        votes = duel("j", "a", "b", forward, policy=policy), duel("j", "b", "a", backward, policy=policy)
        assert outcome(*votes) == expected


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_pair_with_one_order_missing_or_invalid_has_no_outcome(policy: str, verdict: str) -> None:
    one, other = duel("j", "a", "b", verdict, policy=policy), duel("j", "b", "a", verdict, policy=policy)
    assert outcome(one) is None
    assert outcome(one, silenced(other)) is None


@pytest.mark.parametrize("policy", ["fixed", "random", None])
@pytest.mark.parametrize(("verdict", "expected"), [
    ("A", "second"), ("B", "first"), ("tie", "tie"), ("both_bad", "both_bad")])
def test_a_single_vote_stands_whatever_order_it_was_shown_in(policy: str | None, verdict: str, expected: str) -> None:
    assert outcome(duel("j", "b", "a", verdict, policy=policy)) == expected


def test_p_first_is_the_mean_over_orders_seen_from_the_smaller_id() -> None:
    found = pairwise(judgments([duel("j", "a", "b", "A", policy="both-average", p_first=0.9),
                                duel("j", "b", "a", "A", policy="both-average", p_first=0.6)]))
    assert found["p_first"].to_list() == pytest.approx([(0.9 + 0.4) / 2])
    lacking = pairwise(judgments([duel("j", "a", "b", "A", policy="both-average", p_first=0.9),
                                  duel("j", "b", "a", "A", policy="both-average")]))
    assert lacking["p_first"].to_list() == [None]


def test_scores_given_together_and_apart_say_the_same_of_pairs() -> None:
    together = pairwise(judgments([scored("j", {"c": 3, "a": 7, "b": 7})]))
    apart = pairwise(judgments([scored("j", {"a": 7}), scored("j", {"b": 7}), scored("j", {"c": 3})]))
    said = together.select("first_id", "second_id", "outcome").rows()
    assert said == [("a", "b", "tie"), ("a", "c", "first"), ("b", "c", "first")]
    assert apart.select("first_id", "second_id", "outcome").rows() == said
    assert together["votes"].to_list() == [1, 1, 1]
    assert apart["votes"].to_list() == [2, 2, 2]


def test_a_ranking_puts_every_answer_before_those_after_it() -> None:
    found = pairwise(judgments([vote("human:1", ["a", "b", "c"], "ranked", order=["b", "c", "a"])]))
    assert found.select("first_id", "second_id", "outcome").rows() == [
        ("a", "b", "second"), ("a", "c", "second"), ("b", "c", "first")]


def test_float_noise_in_repeated_scores_makes_no_winner() -> None:
    rows = [scored("j", {"a": 0.1}, number=1), scored("j", {"a": 0.2}, number=2), scored("j", {"a": 0.3}, number=3),
            scored("j", {"b": 0.2}, number=1)]
    assert sum([0.1, 0.2, 0.3]) / 3 != 0.2
    assert outcome(*rows) == "tie"


def test_judges_and_aspects_stay_apart_and_name_their_votes() -> None:
    rows = [duel("j", "a", "b", "A"), duel("k", "a", "b", "B"), duel("j", "a", "b", "tie", aspect="honesty")]
    found = pairwise(judgments(rows))
    assert found.select("judge", "aspect", "outcome").rows() == [
        ("j", "honesty", "tie"), ("j", "overall", "first"), ("k", "overall", "second")]
    assert found["judgment_ids"].to_list() == [[rows[place]["judgment_id"]] for place in (2, 0, 1)]


def test_no_votes_give_an_empty_table_of_the_same_columns() -> None:
    empty, some = pairwise(judgments([])), pairwise(judgments([duel("j", "a", "b", "A")]))
    assert empty.height == 0
    assert empty.schema == some.schema


@given(st.sampled_from(VERDICTS), st.sampled_from(VERDICTS), st.sampled_from(BOTH))
def test_swapping_the_names_of_a_pair_swaps_its_winner_and_keeps_ties(one: str, other: str, policy: str) -> None:
    plain = outcome(duel("j", "a", "b", one, policy=policy), duel("j", "b", "a", other, policy=policy))
    named_anew = outcome(duel("j", "b", "a", one, policy=policy), duel("j", "a", "b", other, policy=policy))
    assert named_anew == FLIPPED[plain or ""]


@st.composite
def any_votes(draw: st.DrawFn) -> list[dict]:
    """Votes of all kinds by two judges on four answers to two prompts."""
    rows = []
    for number in range(draw(st.integers(0, 10))):
        more = {"prompt": draw(st.sampled_from("pq")), "number": number}
        judge, ids = draw(st.sampled_from("jk")), draw(st.permutations("abcd"))
        kind = draw(st.sampled_from(["duel", "scored", "ranked"]))
        if kind == "duel":
            policy = draw(st.sampled_from([None, "fixed", "random", *BOTH]))
            verdict = draw(st.sampled_from([*VERDICTS, "invalid"]))
            rows.append(duel(judge, ids[0], ids[1], verdict, policy=policy, **more))
        elif kind == "scored":
            names = ids[: draw(st.integers(1, 4))]
            rows.append(scored(judge, {name: draw(st.integers(1, 3)) for name in names}, **more))
        else:
            rows.append(vote(judge, ids[:3], "ranked", order=draw(st.permutations(ids[:3])), **more))
    return rows


@given(any_votes(), st.randoms(use_true_random=False))
def test_row_order_never_matters_to_pairwise(rows: list[dict], chance: random.Random) -> None:
    mixed = list(rows)
    chance.shuffle(mixed)
    assert pairwise(judgments(mixed)).equals(pairwise(judgments(rows)))


@given(any_votes(), st.integers(0, 9))
def test_an_unparsed_vote_says_what_a_missing_vote_says(rows: list[dict], which: int) -> None:
    if which < len(rows):
        without = rows[:which] + rows[which + 1:]
        marked = [*without, silenced(rows[which])]
        assert pairwise(judgments(marked)).equals(pairwise(judgments(without)))


@given(any_votes())
def test_every_outcome_is_one_of_a_judge_aspect_and_unordered_pair(rows: list[dict]) -> None:
    found = pairwise(judgments(rows))
    assert (found["first_id"] < found["second_id"]).all()
    key = ["prompt_id", "judge", "aspect", "first_id", "second_id"]
    assert found.select(pl.struct(key).is_unique().all()).item()
    assert found.sort(key).equals(found)
