"""Rubrics out of events, and turns scored by them."""

import json

import pytest

from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.induce import induce, rubric_score
from generators.ask import Ask
from generators.made import Made
from schemas import CRITERIA, MEASUREMENTS
from schemas.errors import ConfigError
from tests.chatlogs.talk import counted, messages, obeys, replies, staff, talk

STAFF = staff("reader")
LOG = messages(talk("a", "q", "a", "That is wrong.", "b", "Thanks!"), talk("b", "q", "a", "Nope, wrong"),
               talk("c", "q", "a", "tell me of whales"))
TURNS = cues().measure(LOG).table
EVENTS = cues().events(LOG, TURNS).table


def items(*names: str) -> str:
    return json.dumps({"items": [{"name": name, "text": f"The user {name}."} for name in names]})


def rubric(ask: Ask) -> str:
    return items("thanks") if "is content." in ask.messages[0]["content"] else items("says no", "calls it wrong")


def induced() -> Made:
    told = replies(induce("reader").plan(EVENTS, STAFF), STAFF, rubric)
    return induce("reader").criteria(EVENTS, told, STAFF)


def test_a_rubric_of_each_kind_is_made_of_the_words_of_its_events() -> None:
    content, discontent = induce("reader").plan(EVENTS, STAFF)
    assert between("turn", content.messages[0]["content"]) == '- positive (no reason given): "Thanks"'
    assert sorted((between("turn", discontent.messages[0]["content"]) or "").splitlines()) == [
        '- rejection (no reason given): "Nope"', '- rejection (no reason given): "That is wrong"']
    made = induced()
    assert obeys(CRITERIA, made.table)
    assert sorted(made.table.select("name", "text").rows()) == [
        ("negative: calls it wrong", "The user calls it wrong."), ("negative: says no", "The user says no."),
        ("positive: thanks", "The user thanks.")]
    assert counted(made, "rubrics") == {"in": 2, "out": 2}
    praise = EVENTS.filter(EVENTS["polarity"] == "positive")["event_id"].to_list()
    assert made.table.filter(made.table["name"] == "positive: thanks")["evidence"].to_list() == praise
    assert len(list(induce("reader").plan(EVENTS.filter(EVENTS["polarity"] == "positive"), STAFF))) == 1


def test_cases_are_drawn_whatever_the_order_of_rows() -> None:
    few = induce("reader", cases=1)
    asked = [[ask.messages for ask in few.plan(events, STAFF)] for events in (EVENTS, EVENTS.reverse())]
    assert asked[0] == asked[1]
    assert len((between("turn", asked[0][1][0]["content"]) or "").splitlines()) == 1


@pytest.mark.parametrize("reply", ["", "{}", items(), items(*"abc"), items("a", "a"), '{"items": [{"name": "a"}]}',
                                   '{"items": [{"name": "a", "text": " "}]}', '{"items": "a"}'])
def test_a_reply_that_is_no_rubric_is_counted(reply: str) -> None:
    two = induce("reader", most=2)
    made = two.criteria(EVENTS, replies(two.plan(EVENTS, STAFF), STAFF, lambda _: [reply] * 3), STAFF)
    assert made.table.height == 0
    assert counted(made, "rubrics") == {"in": 2, "out": 0, "invalid": 2}


def test_turns_are_scored_item_by_item() -> None:
    criteria = induced().table
    names = dict(criteria.select("criterion_id", "name").rows())
    scorer = rubric_score("reader")

    def says(ask: Ask) -> str | None:
        said = ask.messages[0]["content"]
        turn = between("turn", said) or ""
        number = {name: place for place, name in enumerate(names[key] for key in sorted(names))}
        if turn == "Thanks!":
            return json.dumps({"items": [number["positive: thanks"] + 1]})
        if turn == "Nope, wrong":
            return json.dumps({"items": [number["negative: says no"] + 1, number["negative: calls it wrong"] + 1]})
        return json.dumps({"items": [9]}) if turn == "That is wrong." else None

    told = replies(scorer.plan(LOG, TURNS, criteria, STAFF), STAFF, says)
    made = scorer.measurements(LOG, TURNS, criteria, told, STAFF)
    assert obeys(MEASUREMENTS, made.table)
    holds = {(turn, names[name]) for turn, name, value, _ in made.table.rows() if value == 1.0}
    assert holds == {("a/4", "positive: thanks"), ("b/2", "negative: says no"), ("b/2", "negative: calls it wrong")}
    assert made.table.height == 6
    assert counted(made, "turns") == {"in": 4, "out": 2, "no such item": 1, "no reply": 1}


@pytest.mark.parametrize("reply", ['{"items": [1, 1]}', '{"items": [true]}', '{"items": 1}', "[1]"])
def test_a_score_that_is_no_list_of_items_is_counted(reply: str) -> None:
    scorer, criteria = rubric_score("reader"), induced().table
    told = replies(scorer.plan(LOG, TURNS, criteria, STAFF), STAFF, lambda _: [reply] * 3)
    assert counted(scorer.measurements(LOG, TURNS, criteria, told, STAFF), "turns") == {"in": 4, "out": 0, "invalid": 4}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        induce("reader", most=0)
