"""Labels and votes against planted truth."""

import polars as pl
import pytest

from audits.accuracy import JURY, TRUTH, judges, labels, true_outcomes, truth_of, with_jury
from feedback.jury.outcomes import pairwise


def qualities(**named):
    rows = [("p", name, float(quality)) for name, quality in named.items()]
    return pl.DataFrame(rows, TRUTH, orient="row")


def test_a_label_is_right_wrong_equal_or_unknown(make):
    pairs = make.preferences([make.pair("p", *two) for two in ("ab", "ba", "ac", "az", "ad")])
    row = labels({"kept": pairs}, qualities(a=3, b=1, c=3, d=2)).row(0, named=True)
    assert (row["right"], row["wrong"], row["equal"], row["unknown"], row["pairs"]) == (2, 1, 1, 1, 5)
    assert row["value"] == pytest.approx(2 / 3)


def test_flipping_every_label_turns_accuracy_over(make, planted):
    flipped = planted.preferences.rename({"chosen_id": "rejected_id", "rejected_id": "chosen_id"})
    found = labels({"preferences": planted.preferences, "flipped": flipped}, planted.truth)
    assert found["value"].to_list() == [1.0, 0.0]


def test_without_truth_every_pair_is_unknown_and_there_is_no_accuracy(make):
    row = labels({"kept": make.preferences([make.pair("p", "a", "b")])}, qualities()).row(0, named=True)
    assert (row["unknown"], row["value"]) == (1, None)
    assert row["reason"]


def test_the_noise_of_a_judge_is_measured(planted):
    # single votes of `fair` are wrong in a tenth; shown once, decided votes are right in nine of ten
    once = planted.judgments.filter(pl.col("shown").list.first() < pl.col("shown").list.last())
    single = once.with_columns(order_policy=pl.lit("random"))
    found = {row["judge"]: row for row in judges(pairwise(single), planted.truth).iter_rows(named=True)}
    assert found["fair"]["low"] < 0.9 < found["fair"]["high"]
    assert sum(found["fair"][kind] for kind in ("right", "wrong", "undecided")) == found["fair"]["pairs"] == 1200


def test_an_undecided_vote_is_neither_right_nor_wrong(make):
    judgments = make.judgments([make.vote("p", "j", ["a", "b"], "tie"), make.vote("p", "j", ["a", "c"], "a")])
    row = judges(pairwise(judgments), qualities(a=2, b=1, c=1)).row(0, named=True)
    assert (row["right"], row["wrong"], row["undecided"], row["value"]) == (1, 0, 1, 1.0)


def test_pairs_that_are_truly_equal_say_nothing_of_a_judge(make):
    judgments = make.judgments([make.vote("p", "j", ["a", "b"], "a")])
    assert judges(pairwise(judgments), qualities(a=1, b=1)).is_empty()


def test_the_jury_is_measured_like_a_judge_by_the_majority_of_its_models(make):
    votes = {"ab": "aab", "ac": "abb", "bc": "a b"}  # what three judges say: first, second, blank for a tie
    judgments = make.judgments([
        make.vote("p", f"j{place}", list(pair), {"a": pair[0], "b": pair[1], " ": "tie"}[said])
        for pair, sayings in votes.items() for place, said in enumerate(sayings)
    ] + [make.vote("p", "human:ann", ["a", "b"], "b")])
    found = judges(with_jury(pairwise(judgments)), qualities(a=3, b=2, c=1))
    [jury] = found.filter(pl.col("judge") == JURY).to_dicts()
    assert (jury["right"], jury["wrong"], jury["undecided"], jury["value"]) == (1, 1, 1, 0.5)
    assert found["judge"].to_list() == ["human:ann", "j0", "j1", "j2", JURY]


def test_a_single_judge_is_no_jury(make):
    judgments = make.judgments([make.vote("p", "j", ["a", "b"], "a"), make.vote("p", "human:ann", ["a", "b"], "b")])
    outcomes = pairwise(judgments)
    assert with_jury(outcomes).equals(outcomes)


def test_truth_is_read_from_prompts_and_texts(make):
    prompts = pl.DataFrame({"prompt_id": ["p"], "messages": [[{"role": "user", "content": "what is 2 + 3?"}]]})
    responses = make.responses([
        make.answer("p", "a", "m", "5"), make.answer("p", "b", "m", "7"), make.answer("p", "c", "m", "dunno"),
        make.answer("other", "d", "m", "5"),
    ])

    def quality(messages, text):
        return -float(abs(int(text) - eval(messages[-1]["content"][8:-1]))) if text.isdigit() else None

    assert truth_of(prompts, responses, quality).rows() == [("p", "a", 0.0), ("p", "b", -2.0)]


def test_true_outcomes_name_the_better_of_each_pair_once():
    assert true_outcomes(qualities(c=1, a=2, b=2)).rows() == [
        ("p", "a", "b", "tie"), ("p", "a", "c", "first"), ("p", "b", "c", "first")]
