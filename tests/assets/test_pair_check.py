"""The blocking check on pairs against rankings made by hand."""

import polars as pl
import pytest

from assets.checks import check_pairs, of_sides


def told(chosen: float | None, rejected: float | None) -> dict[str, bool]:
    """What the checks say of one pair whose sides have these scores in the rankings."""
    turn = [{"role": "assistant", "content": "same"}]
    pairs = pl.DataFrame({"prompt_id": ["p"], "chosen_id": ["a"], "rejected_id": ["b"], "margin": [1.0],
                          "chosen": [turn], "rejected": [turn]})
    rankings = pl.DataFrame({"prompt_id": ["p", "p"], "response_id": ["a", "b"], "score": [chosen, rejected]},
                            schema_overrides={"score": pl.Float64})
    responses = pl.DataFrame({"prompt_id": ["p", "p"], "response_id": ["a", "b"], "text": ["same", "other"]})
    checks = check_pairs({"preferences": pairs, "rankings": rankings, "responses": responses})
    return {check.name: check.passed for check in checks}


@pytest.mark.parametrize(("chosen", "rejected", "right"), [
    (1.0, 0.5, True), (0.5, 0.5, False), (0.5, 1.0, False), (None, 0.5, False), (0.5, None, False),
])
def test_only_a_higher_score_makes_chosen(chosen: float | None, rejected: float | None, right: bool) -> None:
    assert told(chosen, rejected)["chosen_scores_higher"] is right


def test_a_side_that_is_not_its_responses_text_is_found() -> None:
    assert told(1.0, 0.5)["texts_are_the_responses"] is False


@pytest.mark.parametrize("known", [{"a"}, {"b"}, set()])
def test_a_pair_with_a_side_of_which_nothing_is_known_is_found(known: set[str]) -> None:
    pairs = pl.DataFrame({"prompt_id": ["p"], "chosen_id": ["a"], "rejected_id": ["b"], "margin": [1.0], "chosen": [
        [{"role": "assistant", "content": "same"}]], "rejected": [[{"role": "assistant", "content": "same"}]]})
    scores = {"a": 1.0, "b": 0.5}
    rankings = pl.DataFrame([("p", name, scores[name]) for name in sorted(known)], {
        "prompt_id": pl.String, "response_id": pl.String, "score": pl.Float64}, orient="row")
    responses = pl.DataFrame({"prompt_id": ["p"], "response_id": ["a"], "text": ["same"]})
    checks = check_pairs({"preferences": pairs, "rankings": rankings, "responses": responses})
    assert {check.name: check.passed for check in checks}["chosen_scores_higher"] is False


def test_what_is_known_of_a_side_is_joined_by_its_prompt_and_its_id() -> None:
    pairs = pl.DataFrame({"prompt_id": ["p", "q"], "chosen_id": ["a", "b"], "rejected_id": ["b", "a"]})
    known = pl.DataFrame({"prompt_id": ["p", "p"], "response_id": ["b", "a"], "passed": [1, 2]})
    assert of_sides(pairs, known).sort("prompt_id").rows() == [("p", "a", "b", 2, 1), ("q", "b", "a", None, None)]
