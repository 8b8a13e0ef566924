"""Pairs by grades (E10): the higher grade of two answers to one prompt, whoever asked; ties and all others counted."""

import pytest

from preferences.by_events import pair_by_events
from preferences.event_grades import grades
from schemas.errors import ConfigError
from tests.preferences.logs import QUESTION, Log, answered
from tests.preferences.small import fates

GRADE = {1: 1.0, 2: 2.0, 4: 3.0, 5: 4.0}


def graded(*ordinals: int, question: str = QUESTION) -> Log:
    """A conversation for each ordinal, c0, c1, ..., all with one question."""
    log = Log()
    for number, ordinal in enumerate(ordinals):
        answered(f"c{number}", log, question).said(f"c{number}/a", f"c{number}/then", "continue", "neutral",
                                                   ordinal=ordinal)
    return log


def answers(log: Log, *rules: object) -> set[tuple[str, str, float | None]]:
    """Whose answer is chosen, whose rejected, and the margin, of each pair."""
    table = log.made(pair_by_events(*(rules or ("ordinal",)))).table  # type: ignore[arg-type]
    ids = [{item["id"] for item in row["evidence"] if item["table"] == "messages"} for row in table.to_dicts()]
    said = {row["msg_id"]: row["text"] for row in log.messages}
    sides = [tuple(next(one for one in both if said[one] == row[side][0]["content"]).split("/")[0]
                   for side in ("chosen", "rejected")) for both, row in zip(ids, table.to_dicts(), strict=True)]
    return {(chosen, rejected, margin) for (chosen, rejected), margin in zip(sides, table["margin"], strict=True)}


@pytest.mark.parametrize("low", GRADE)
@pytest.mark.parametrize("high", GRADE)
def test_the_higher_grade_is_chosen_and_equal_ones_are_a_tie(low: int, high: int) -> None:
    log = graded(low, high)
    if low == high:
        assert fates(log.made(pair_by_events("ordinal")).counts, "claims") == {"in": 1, "ordinal: tie": 1}
    else:
        best = ("c1", "c0") if high > low else ("c0", "c1")
        assert answers(log) == {(*best, abs(GRADE[high] - GRADE[low]))}


def test_neutral_and_unjustified_words_give_no_grade() -> None:
    log = answered("u", graded(3, 5)).said("u/a", "u/then", "rejection", "negative", ordinal=1, justified="no")
    made = log.made(pair_by_events("ordinal"))
    assert not fates(made.counts, "claims")
    assert fates(made.counts, "events") == {"in": 3, "nothing to compare": 3}


def test_of_several_turns_after_an_answer_the_worst_counts() -> None:
    log = graded(5, 4).ask("c0/no", "c0/a").said("c0/a", "c0/no", "rejection", "negative", ordinal=1)
    assert answers(log) == {("c1", "c0", 2.0)}
    [row] = log.made(pair_by_events("ordinal")).table.to_dicts()
    assert {item["id"] for item in row["evidence"]} == {"e0", "e1", "e2", "c0/a", "c1/a"}


def test_answers_to_different_questions_are_never_compared() -> None:
    log = answered("d", graded(1), QUESTION + " Quickly?").said("d/a", "d/then", "positive", "positive", ordinal=5)
    assert not fates(log.made(pair_by_events("ordinal")).counts, "claims")


def test_a_margin_in_grades_is_asked_for() -> None:
    made = graded(1, 2, 4).made(pair_by_events(grades(min_margin=2)))
    assert fates(made.counts, "claims") == {"in": 3, "out": 1, "ordinal: below margin": 2}


def test_of_a_prompt_answered_very_often_some_answers_are_compared_and_the_others_are_counted() -> None:
    log = graded(*(1, 5) * 6)
    made = log.made(pair_by_events(grades(most=4)))
    told = fates(made.counts, "claims")
    assert (told["in"], told["ordinal: more answers than are compared"]) == (6 + 8, 8)
    assert made.table.equals(log.made(pair_by_events(grades(most=4)), turned=True).table)
    assert log.made(pair_by_events("ordinal")).table.height == 36


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong in (0, 4):
        with pytest.raises(ConfigError, match=f"min_margin is {wrong}"):
            grades(min_margin=wrong)
    with pytest.raises(ConfigError, match="most is 1"):
        grades(most=1)
