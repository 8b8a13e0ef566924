"""Preferences out of edits: planted ones are found, and serve the same person's later questions, never others."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from feedback.chatlogs.again import FROM_SCRATCH, WITH_PAST, WITH_SUMMARY, answer_again
from feedback.chatlogs.asking import CUT, between
from feedback.chatlogs.inferences import AROUND, around_change, infer
from feedback.chatlogs.past import past_edits
from generators.ask import Ask
from generators.made import Made
from schemas import CRITERIA, RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import check_balance
from tests.chatlogs.talk import Says, counted, obeys, replies, staff
from tests.preferences.logs import START, Log

STAFF = staff("reader", "teacher")
READER = infer("reader", past=1)
PLAIN = "The cat sat on the mat and slept"
LIST, ASKING = "The answer is a list.", "The answer ends with a question."
"""The preferences that are planted: ann's edits make lists, bob's end with a question."""
ASKED = f"{PLAIN}. Do you want more?"


def listed(text: str = PLAIN) -> str:
    return "- " + text.replace(" and ", "\n- and ")


def edited(told: Log, name: str, question: str, after: str, user: str, made: int | None = 0) -> Log:
    """A conversation with one answer, edited so many minutes after the one before began; None: the log has no date."""
    begun = START + timedelta(minutes=10 * len(told.messages))
    when: dict[str, Any] = {} if made is None else {"created_at": begun + timedelta(minutes=made)}
    more: dict[str, Any] = {"user_hash": user, "created_at": begun}
    told.ask(f"{name}/q", text=question, **more).answer(f"{name}/a", f"{name}/q", PLAIN, **more)
    return told.event("edit", f"{name}/a", text=after, actor_hash=user, **when)


def planted() -> Log:
    """Ann makes lists, and once a closing question, of whales; bob makes closing questions."""
    told = edited(Log(), "a1", "Tell me of a cat at home", listed(), "ann", 5)
    edited(told, "b1", "Tell me of a cat at sea", ASKED, "bob", 5)
    edited(told, "a2", "How do whales sing in winter", ASKED, "ann", 5)
    return edited(told, "a3", "Tell me of a cat at night", listed(), "ann", 5)


def seen(ask: Ask) -> str:
    """What a perfect reader sees in an edit."""
    after = between("after", ask.messages[0]["content"]) or ""
    wishes = [LIST] if after.startswith("- ") else [ASKING] if after.endswith("?") else []
    return json.dumps({"wishes": wishes})


def inferred(told: Log, say: Says = seen) -> Made:
    messages, events = told.frames()
    made = READER.criteria(messages, events, replies(READER.plan(messages, events, STAFF), STAFF, say), STAFF)
    assert obeys(CRITERIA, made.table)
    check_balance(made.counts)
    return made


def test_the_model_reads_question_answer_and_edit_and_the_planted_preference_becomes_a_criterion() -> None:
    messages, events = planted().frames()
    asked = [ask.messages[0]["content"] for ask in READER.plan(messages, events, STAFF)]
    assert ("Tell me of a cat at sea", PLAIN, ASKED) in {
        (between("question", text), between("before", text), between("after", text)) for text in asked}
    made = inferred(planted())
    assert {(row["kind"], row["name"], row["text"], row["evidence"]) for row in made.table.to_dicts()} == {
        ("summary", "a1/a", f"- {LIST}", "e0"), ("summary", "b1/a", f"- {ASKING}", "e1"),
        ("summary", "a2/a", f"- {ASKING}", "e2"), ("summary", "a3/a", f"- {LIST}", "e3")}


def test_typos_other_texts_lost_texts_and_what_no_person_edited_are_not_asked_about() -> None:
    told = planted()
    long = " ".join(f"word{number}" for number in range(40))
    told.ask("d/q").answer("d/a", "d/q", long).event("edit", "d/a", text=long.replace("word7", "sword7"))
    told.ask("f/q").answer("f/a", "f/q", long).event("edit", "f/a", text="Nothing of the kind.")
    told.ask("g/q").answer("g/a", "g/q", long).event("edit", "g/a")
    told.ask("h/q").answer("h/a", "h/q", PLAIN).event("edit", "h/a", text=listed(), actor_kind="code")
    told.answer("i/a", None, PLAIN).event("edit", "i/a", text=listed())
    assert counted(inferred(told), "edits") == {
        "in": 8, "out": 4, "tiny edit": 1, "rewritten": 1, "no edited text": 1, "it follows no user's turn": 1}


def test_an_edit_that_shows_no_preference_and_a_reply_that_never_comes_are_counted() -> None:
    messages, events = planted().frames()
    texts = [ask.messages[0]["content"] for ask in READER.plan(messages, events, STAFF)]
    [sea] = [text for text in texts if "at sea" in text]

    def say(ask: Ask) -> str | None:
        told = ask.messages[0]["content"]
        return json.dumps({"wishes": []}) if told == sea else None if "whales" in told else seen(ask)

    assert counted(inferred(planted(), say), "edits") == {"in": 4, "out": 2, "no wish": 1, "no reply": 1}


def test_a_wish_that_copies_the_edited_text_is_asked_again() -> None:
    copied = json.dumps({"wishes": ["It says that the CAT sat on THE mat."]})
    own = json.dumps({"wishes": ["It tells of the cat at home."]})
    messages, events = planted().frames()
    ask = next(iter(READER.plan(messages, events, STAFF)))
    assert READER.parse(copied, ask) == "a wish copies the edited text"
    assert READER.parse(own, ask) is None
    made = inferred(planted(), lambda one: [copied, seen(one)])
    assert counted(made, "edits") == {"in": 4, "out": 4}


def test_of_long_texts_the_model_sees_what_was_changed() -> None:
    head, tail = "a" * 5000, "z" * 5000
    assert around_change(f"{head}old{tail}", f"{head}new{tail}") == (
        f"{CUT}{'a' * AROUND}old{'z' * AROUND}{CUT}", f"{CUT}{'a' * AROUND}new{'z' * AROUND}{CUT}")
    assert around_change("aa", "aaa") == ("aa", "aaa")


def past(told: Log, most: int = 1) -> dict[str, set[str]]:
    """The answers whose edits serve each answer, in whatever order the rows come."""
    messages, events = told.frames()
    criteria = inferred(told).table
    names = dict(criteria.select("criterion_id", "name").iter_rows())
    found = past_edits(messages, events, criteria, most)
    assert found == past_edits(*told.frames(turned=True), criteria.reverse(), most)
    return {target: {names[one] for one in taught} for target, taught in found.items()}


def test_an_answer_is_served_by_the_same_persons_earlier_edit_of_the_most_similar_question() -> None:
    assert past(planted()) == {"a2/a": {"a1/a"}, "a3/a": {"a1/a"}}
    assert past(planted(), most=3) == {"a2/a": {"a1/a"}, "a3/a": {"a1/a", "a2/a"}}


def test_no_edit_serves_an_answer_that_was_written_before_it_was_made() -> None:
    told = edited(Log(), "a1", "Tell me of a cat at home", listed(), "ann", 25)
    edited(told, "a2", "How do whales sing in winter", listed(), "ann", 5)
    edited(told, "a3", "Tell me of a cat at night", listed(), "ann", 5)
    assert past(told) == {"a3/a": {"a1/a"}}
    assert past(told, most=3) == {"a3/a": {"a1/a", "a2/a"}}


def test_an_answer_is_not_served_by_its_own_edit_though_a_clock_went_wrong() -> None:
    assert past(edited(Log(), "a1", "Tell me of a cat", listed(), "ann", -5)) == {}


def test_an_edit_without_a_date_counts_from_the_persons_next_message_there_on() -> None:
    told = edited(Log(), "a1", "Tell me of a cat", listed(), "ann", None)
    edited(told, "a2", "Tell me of a cat", listed(), "ann", None)
    assert past(told) == {}, "nobody went on, so nobody knows when it was edited"
    told.ask("a1/then", "a1/a", user_hash="ann", created_at=START + timedelta(minutes=20))
    assert past(told) == {}, "they went on when the other answer was written"
    told.messages[-1]["created_at"] = START + timedelta(minutes=19)
    assert past(told) == {"a2/a": {"a1/a"}}


def test_where_the_log_names_no_person_nothing_is_remembered() -> None:
    told = planted()
    for row in told.messages:
        row["user_hash"] = None
    for row in told.events:
        row["actor_hash"] = None
    assert past(told, most=3) == {}


def answered(control: float = 1.0) -> tuple[Made, list[Ask], pl.DataFrame]:
    """What a teacher makes of the planted log, who asks and lists as it is told."""
    messages, events = planted().frames()
    criteria = inferred(planted()).table
    operator = answer_again("teacher", summaries="reader", edits=READER, control=control)
    asks = list(operator.plan(messages, events, criteria, STAFF))

    def say(ask: Ask) -> str:
        told = ask.messages[0]["content"]
        return (listed() if LIST in told else ASKED if ASKING in told else PLAIN) + "."

    made = operator.responses(messages, events, criteria, replies(asks, STAFF, say), STAFF)
    assert obeys(RESPONSES, made.table)
    check_balance(made.counts)
    return made, asks, criteria


def test_answers_are_given_again_under_their_own_edit_under_earlier_ones_and_from_scratch() -> None:
    made, asks, criteria = answered()
    assert counted(made, "answers given again") == {"in": len(asks), "out": len(asks)} == {"in": 10, "out": 10}
    names = dict(criteria.select("criterion_id", "name").iter_rows())
    told = {(row["arm"], *(names[one] for one in row["criteria"]), row["text"]) for row in made.table.to_dicts()}
    assert {one for one in told if one[0] == WITH_PAST} == {(WITH_PAST, "a1/a", listed() + ".")}
    assert (WITH_SUMMARY, "b1/a", ASKED + ".") in told
    assert {one for one in told if one[0] == FROM_SCRATCH} == {(FROM_SCRATCH, PLAIN + ".")}
    arms = dict(made.table.group_by("arm").len().iter_rows())
    assert arms == {WITH_SUMMARY: 4, WITH_PAST: 2, FROM_SCRATCH: 4}


def test_what_past_edits_taught_is_another_draw_where_it_is_what_the_own_edit_shows() -> None:
    _, asks, _ = answered()
    night = [ask for ask in asks if ask.messages[-1]["content"].endswith("night") and len(ask.messages) == 2]
    assert [ask.messages for ask in night] == [night[0].messages] * 2
    assert sorted(ask.sample for ask in night) == [0, 1]


@pytest.mark.parametrize("wrong", [{"past": -1}, {"smallest": 0.9}, {"largest": 1.5}, {"engine": " "}])
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="infer: "):
        infer(**{"engine": "reader", **wrong})  # type: ignore[arg-type]
