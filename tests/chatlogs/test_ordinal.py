"""Grades from what users say next: hindsight, refusals judged again, filters and the remap; chains of rewordings."""

import json
from typing import Any

import polars as pl
import pytest

from feedback.chatlogs.asking import between
from feedback.chatlogs.chains import FAILURE, SUCCESS, Chain, absorption, better_wording, chains, state
from feedback.chatlogs.cues import cues
from feedback.chatlogs.hindsight import hindsight, ordinal_of
from feedback.chatlogs.ordinal import Ordinals, ordinals
from generators.ask import Ask
from generators.made import Made
from schemas import FEEDBACK_EVENTS, MEASUREMENTS
from schemas.errors import ConfigError
from schemas.ids import draw
from tests.chatlogs.talk import counted, frame, message, messages, obeys, replies, staff, talk

STAFF = staff("judge")
LONG = "This is an answer with more than ten words in it, as one would expect."


def said(turn: str, ordinal: int | None, act: str = "continue", **more: Any) -> dict[str, Any]:
    """An event of a turn of `talk`; its target is the message before."""
    conversation, place = turn.split("/")
    return {"event_id": f"{turn} {act}", "conv_id": conversation, "target_msg_id": f"{conversation}/{int(place) - 1}",
            "evidence_msg_id": turn, "compared": [], "kind": "follow_up", "labels": [], "reasons": [], "act": act,
            "polarity": "neutral", "ordinal": ordinal, "explicitness": "text_explicit", "standing_directive": False,
            "detector": "reader", "detector_version": "1", "actor_kind": "human", "source_format": "test",
            "place": "log", **more}


def events(*rows: dict[str, Any]) -> pl.DataFrame:
    return frame(FEEDBACK_EVENTS, rows)


def looked(*turns: str) -> pl.DataFrame:
    return pl.DataFrame({"evidence_msg_id": turns, "stratum": "flagged", "reason": ""})


def test_the_worst_complaint_of_a_turn_counts_else_its_best_word() -> None:
    told = events(said("a/2", 5), said("a/2", 2, "correction"), said("a/2", 1, "rejection"), said("b/2", 3),
                  said("b/2", 4, "positive"), said("c/2", None),
                  said("d/2", 5, explicitness="structural"))
    assert ordinal_of(told) == {"a/2": 1, "b/2": 4}


SAME = ("sort my list of names", LONG, "sort my list of names by age", LONG, "sort my list of names by height", LONG,
        "sort my list of names by weight", LONG, "great")


def inherits(talked: tuple[str, ...], *rows: dict[str, Any], read: tuple[str, ...]) -> Made:
    log = messages(talk("c", *talked))
    made = hindsight(log, cues().measure(log).table, events(*rows), looked(*read))
    assert obeys(FEEDBACK_EVENTS, made.table)
    return made


def test_a_neutral_turn_inherits_the_praise_of_the_next_two_turns() -> None:
    made = inherits(SAME, said("c/8", 5, "positive"), said("c/4", 3), read=("c/2", "c/4", "c/6", "c/8"))
    assert sorted(made.table.select("target_msg_id", "evidence_msg_id", "ordinal", "polarity").rows()) == [
        ("c/3", "c/4", 5, "positive"), ("c/5", "c/6", 5, "positive")]
    assert counted(made, "neutral turns") == {"in": 3, "out": 2, "no praise soon after": 1}


def test_only_what_a_model_looked_at_is_neutral_and_complaints_are_neither_kept_nor_given_on() -> None:
    made = inherits(SAME, said("c/8", 5, "positive"), said("c/6", 2, "correction"), read=("c/6", "c/8"))
    assert counted(made, "neutral turns") == {"in": 0, "out": 0}
    made = inherits(SAME, said("c/8", 1, "rejection"), read=("c/4", "c/6"))
    assert counted(made, "neutral turns") == {"in": 2, "out": 0, "no praise soon after": 2}


def test_praise_for_another_question_is_not_inherited() -> None:
    talked = ("how do whales sleep", LONG, "sort my list of names by age", LONG, "thanks")
    made = inherits(talked, said("c/4", 5, "positive"), read=("c/2", "c/4"))
    assert counted(made, "neutral turns") == {"in": 1, "out": 0, "other questions": 1}


def graded(rows: pl.DataFrame, told: pl.DataFrame, operator: Ordinals | None = None, answer: str = "none") -> Made:
    operator = operator or ordinals()
    turn_cues = cues().measure(rows).table
    heard = replies(operator.plan(rows, turn_cues, told, STAFF), STAFF, lambda _: json.dumps({"refusal": answer}))
    made = operator.grades(rows, turn_cues, told, heard, STAFF)
    assert obeys(MEASUREMENTS, made.table)
    return made


QUESTION = "How do I sort a list of names?"


@pytest.mark.parametrize(("ordinal", "grade"), [(1, 1.0), (2, 2.0), (4, 3.0), (5, 4.0)])
def test_ordinals_become_four_grades(ordinal: int, grade: float) -> None:
    made = graded(messages(talk("c", QUESTION, LONG, "so")), events(said("c/2", ordinal)))
    assert made.table.rows() == [("c/1", "ordinal_grade", grade, "events")]


@pytest.mark.parametrize(("rows", "reason"), [
    (talk("c", "Why so?", LONG, "so"), "short question"), (talk("c", QUESTION, "Like this.", "so"), "short answer"),
    (talk("c", QUESTION, LONG, "so", language="de"), "another language"),
    (talk("c", QUESTION, LONG, "so", depth=21), "long history"),
    (talk("c", QUESTION, LONG, "so", placeholders=["EMAIL"]), "personal data in the question"),
    (talk("c", "Please describe the attached image to me", LONG, "so"), "needs more than writing"),
    (talk("c", "Tell me honestly, who are you really?", LONG, "so"), "asks who the assistant is"),
    ([message("c/1", None, "assistant", LONG), message("c/2", "c/1", "user", "so")], "no question before the answer"),
])
def test_what_no_grade_can_be_made_of_is_dropped_with_a_reason(rows: list[dict[str, Any]], reason: str) -> None:
    made = graded(messages(rows), events(said("c/2", 5)))
    assert counted(made, "graded turns") == {"in": 1, "out": 0, reason: 1}


def test_neutral_turns_are_dropped_and_of_several_grades_the_worst_counts() -> None:
    rows = messages(talk("c", QUESTION, LONG, "so"), [message("c/9", "c/1", "user", "no", branch=1)],
                    talk("d", QUESTION, LONG, "so"))
    told = events(said("c/2", 5), said("c/9", 1, target_msg_id="c/1"), said("d/2", 3))
    made = graded(rows, told)
    assert made.table.select("subject_id", "value").rows() == [("c/1", 1.0)]
    assert counted(made, "graded turns") == {
        "in": 3, "out": 1, "neutral": 1, "the answer has a worse grade, or the same": 1}


REFUSES = "I'm sorry, but I can't help you with that request of yours today."


@pytest.mark.parametrize(("kind", "grade"), [("harmful", 4.0), ("benign", 1.0), ("none", 2.0)])
def test_a_short_refusal_is_judged_again(kind: str, grade: float) -> None:
    rows = messages(talk("c", QUESTION, REFUSES, "so"), talk("d", QUESTION, LONG, "so"))
    told = events(said("c/2", 2), said("d/2", 2))
    judge = ordinals("judge")
    made = graded(rows, told, judge, kind)
    assert dict(made.table.select("subject_id", "value").rows()) == {"c/1": grade, "d/1": 2.0}
    [ask] = judge.plan(rows, cues().measure(rows).table, told, STAFF)
    assert isinstance(ask, Ask)
    assert between("answer", ask.messages[0]["content"]) == REFUSES


def test_a_refusal_that_could_not_be_judged_is_counted_and_has_no_grade() -> None:
    made = graded(messages(talk("c", QUESTION, REFUSES, "so")), events(said("c/2", 2)), ordinals("judge"), "perhaps")
    assert counted(made, "graded turns") == {"in": 1, "out": 0, "refusal not judged: invalid": 1}
    rows, judge = messages(talk("c", QUESTION, REFUSES, "so")), ordinals("judge")
    turn_cues = cues().measure(rows).table
    with pytest.raises(ConfigError, match="completions"):
        judge.grades(rows, turn_cues, events(said("c/2", 2)), None, STAFF)


def made_of(*states: str, end: str, times: int = 1) -> list[Chain]:
    ways = [tuple(f"{''.join(states)} {end} {time}/{place}" for place in range(len(states))) for time in range(times)]
    return [Chain(questions, questions, states, end) for questions in ways]


HAND = [*made_of("a", "b", end=SUCCESS, times=6), *made_of("a", end=FAILURE, times=2),
        *made_of("a", "a", end="", times=9), *made_of("b", "c", end=FAILURE, times=4),
        *made_of("b", "a", end=FAILURE, times=2), *made_of("c", end=SUCCESS, times=4)]


def test_absorption_by_hand() -> None:
    # a: 6 to b, 4 to failure (2 alone, 2 after b). b: 6 to success, 4 to c, 2 to a. c: 4 to success, 4 to failure.
    # p_c = 1/2; p_a = 0.6 p_b; p_b = 1/2 + 1/3 p_c + 1/6 p_a, so p_b (1 - 0.1) = 2/3.
    found = absorption(HAND)
    assert found.success == pytest.approx({"a": 0.6 * (2 / 3) / 0.9, "b": (2 / 3) / 0.9, "c": 0.5})
    assert found.support[("a", "b")] == 6
    assert ("a", "a") not in found.support, "chains without an end count in no state"


def test_absorption_agrees_with_walks() -> None:
    found = absorption(HAND)
    moves: dict[str, list[str]] = {}
    for (before, after), number in sorted(found.support.items()):
        moves.setdefault(before, []).extend([after] * number)
    walks, won = 4000, 0
    for walk in range(walks):
        at, step = "a", 0
        while at in moves:
            at = moves[at][int(draw(0, "walk", walk, step) * len(moves[at]))]
            step += 1
        won += at == SUCCESS
    assert won / walks == pytest.approx(found.success["a"], abs=0.03)


def test_transitions_seen_too_rarely_are_left_out_and_dead_ends_have_no_chance() -> None:
    rare = [*made_of("a", end=SUCCESS, times=3), *made_of("a", end=FAILURE, times=1), *made_of("x", "y", end=SUCCESS)]
    assert absorption(rare, support=2).success == {"a": 1.0}
    assert absorption(rare, support=1).success == {"a": 0.75, "x": 1.0, "y": 1.0}
    assert absorption([]).success == {}


def test_questions_that_have_nothing_in_common_are_solved_apart() -> None:
    many = [Chain((f"{one}/0", f"{one}/1"), (), (f"{one} a", f"{one} b"), SUCCESS if one % 3 else FAILURE)
            for one in range(50_000)]             # as one system: 10,000 million numbers
    found = absorption(many, support=1)
    assert len(found.success) == 100_000
    assert {(int(name.split()[0]) % 3 > 0, chance) for name, chance in found.success.items()} == {
        (True, 1.0), (False, 0.0)}


def test_what_branches_of_a_log_share_is_one_transition() -> None:
    found = absorption([Chain(("1", "2", "3"), (), ("a", "b", "c"), SUCCESS),
                        Chain(("1", "2", "4"), (), ("a", "b", "c"), FAILURE)], support=1)
    assert found.support == {("a", "b"): 1, ("b", "c"): 2, ("c", SUCCESS): 1, ("c", FAILURE): 1}
    assert found.success == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_a_thumb_ends_a_chain_of_whose_last_answer_nothing_is_said() -> None:
    rows = messages(talk("c", "sort my list", "a", "sort my list", "b"))
    thumb = said("c/2", None, target_msg_id="c/3", evidence_msg_id=None, kind="thumb", polarity="positive", act=None)
    [chain] = chains(rows, cues().measure(rows).table, events(thumb))
    assert (chain.answers, chain.end) == (("c/1", "c/3"), SUCCESS)


def test_the_better_wording_is_the_one_that_leads_to_success() -> None:
    assert better_wording(Chain(("1", "2"), (), ("a", "b"), ""), absorption(HAND)) == "2"
    assert better_wording(Chain(("1",), (), ("z",), ""), absorption(HAND)) is None


def test_chains_are_found_in_logs_and_end_as_the_user_says() -> None:
    rows = messages(
        talk("c", "sort my list", "a", "sort my list!", "b", "Sort, my list", "c", "thanks"),
        talk("d", "sort my list", "a", "that is wrong"), talk("e", "tell me of whales", "a", "and of sharks"))
    found = chains(rows, cues().measure(rows).table, events(said("c/6", 5), said("d/2", 1)))
    by_start = {chain.questions[0]: chain for chain in found}
    same = state("sort my list")
    assert by_start["c/0"] == Chain(("c/0", "c/2", "c/4"), ("c/1", "c/3", "c/5"), (same,) * 3, SUCCESS)
    assert by_start["d/0"] == Chain(("d/0",), ("d/1",), (same,), FAILURE)
    assert by_start["e/0"].end == ""
    assert set(by_start) == {"c/0", "d/0", "e/0"}


def test_a_long_pause_begins_another_chain_and_a_detector_may_say_what_form_does_not_show() -> None:
    rows = messages(talk("c", "sort my list", "a", "sort my list", "b", "x"))
    later = rows.with_columns(pl.when(pl.col("msg_id") >= "c/2").then(pl.col("created_at").dt.offset_by("1h"))
                              .otherwise("created_at").alias("created_at"))
    told = events(said("c/4", 5))
    assert [chain.questions for chain in chains(rows, cues().measure(rows).table, told)] == [("c/0", "c/2")]
    assert [chain.questions for chain in chains(later, cues().measure(later).table, told)] == [("c/0",), ("c/2",)]
    other = messages(talk("c", "sort my list", "a", "order those names", "b", "x"))
    again = events(said("c/2", None, "repeat_rephrase"))
    assert [chain.questions for chain in chains(other, cues().measure(other).table, again)] == [("c/0", "c/2")]
