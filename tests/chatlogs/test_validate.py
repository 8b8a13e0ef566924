"""Which events a validator keeps, and why it drops the others."""

import json
from dataclasses import replace
from typing import Any

import pytest

from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.validate import Validate, validate
from generators.made import Made
from schemas import FEEDBACK_EVENTS
from schemas.errors import ConfigError
from tests.chatlogs.talk import FINE, Says, counted, frame, messages, obeys, replies, staff, talk

STAFF = staff("reader", "checker")
LOG = messages(talk("c", "Is it four?", "It is five.", "That is wrong.", "Four.", "Thanks!"),
               talk("d", "Now?", "Yes.", "go on then"))


def event(name: str, act: str | None, polarity: str, evidence: str | None, **more: Any) -> dict[str, Any]:
    return {"event_id": name, "conv_id": "c", "target_msg_id": "c/1", "evidence_msg_id": evidence, "compared": [],
            "kind": "follow_up", "labels": [], "reasons": [], "polarity": polarity, "act": act,
            "quote": None, "explicitness": "text_explicit", "standing_directive": False, "detector": "reader",
            "detector_version": "1", "actor_kind": "human", "source_format": "test", "place": "log", **more}


EVENTS = frame(FEEDBACK_EVENTS, [
    event("complaint", "rejection", "negative", "c/2", quote="wrong"),
    event("praise", "positive", "positive", "c/4", target_msg_id="c/3", quote="Thanks"),
    event("goes on", "continue", "neutral", "d/2", conv_id="d", target_msg_id="d/1", explicitness="text_implicit"),
    event("thumb", None, "negative", None, kind="thumb", explicitness="structural", detector="log")])


def checked(says: Says, operator: Validate | None = None) -> Made:
    operator = operator or validate("checker")
    told = replies(operator.plan(LOG, EVENTS, STAFF), STAFF, says)
    made = operator.events(LOG, EVENTS, told, STAFF)
    assert obeys(FEEDBACK_EVENTS, made.table)
    return made


def verdict(**more: Any) -> str:
    return json.dumps({**FINE, **more})


def test_what_holds_is_kept_with_whether_it_was_justified() -> None:
    made = checked(lambda _: verdict())
    assert dict(made.table.select("event_id", "justified").rows()) == {
        "complaint": "yes", "praise": "yes", "goes on": None, "thumb": None}
    assert counted(made, "checked events") == {"in": 2, "out": 2}
    assert made.table.drop("justified").equals(EVENTS.drop("justified").sort("event_id"))


@pytest.mark.parametrize(("said", "dropped", "reason"), [
    ({"about_the_answer": False}, {"complaint", "praise"}, "not about the answer before it"),
    ({"label_holds": False}, {"complaint", "praise"}, "the label does not hold"),
    ({"context_missing": True}, {"complaint", "praise"}, "context is missing"),
    ({"justified": "no"}, {"complaint"}, "not justified"),
    ({"justified": "unclear"}, set(), ""),
    ({"refusal": "harmful"}, {"complaint"}, "a refusal of harm is no fault"),
    ({"refusal": "benign"}, set(), ""),
    ({"beyond_reach": True}, {"complaint"}, "beyond what the assistant can do"),
    ({"toxic": True}, {"praise"}, "applause for harm"),
])
def test_each_gate_drops_what_it_is_for_and_nothing_else(said: dict[str, Any], dropped: set[str], reason: str) -> None:
    made = checked(lambda _: verdict(**said))
    assert set(EVENTS["event_id"]) - set(made.table["event_id"]) == dropped
    assert counted(made, "checked events") == {"in": 2, "out": 2 - len(dropped)} | (
        {reason: len(dropped)} if dropped else {})


@pytest.mark.parametrize("reply", [
    "fine", verdict(justified="maybe"), verdict(refusal="yes"), verdict(toxic="no"), verdict(reason=3),
    verdict(more=1), verdict()[:-1], "{}"])
def test_a_reply_that_is_no_verdict_keeps_nothing_and_is_counted(reply: str) -> None:
    made = checked(lambda _: [reply] * 3)
    assert set(made.table["event_id"]) == {"goes on", "thumb"}
    assert counted(made, "checked events") == {"in": 2, "out": 0, "invalid": 2}
    assert set(checked(lambda _: [reply, verdict()]).table["event_id"]) == set(EVENTS["event_id"])


def test_requests_that_failed_keep_nothing_and_are_counted() -> None:
    assert counted(checked(lambda _: None), "checked events") == {"in": 2, "out": 0, "no reply": 2}


def test_a_question_shows_the_label_with_its_quote_beside_the_turn() -> None:
    asked = {ask.prompt_id + (between("turn", ask.messages[0]["content"]) or ""): ask.messages[0]["content"]
             for ask in validate("checker").plan(LOG, EVENTS, STAFF)}
    said = asked["cThat is wrong."]
    assert [between(tag, said) for tag in ("before", "answer", "label")] == [
        "Is it four?", "It is five.", 'rejection (negative): "wrong"']


def test_nobody_checks_their_own_work() -> None:
    with pytest.raises(ConfigError, match="is the model that found the events"):
        validate("reader").plan(LOG, EVENTS, STAFF)
    twins = {**STAFF, "checker": replace(STAFF["reader"], name="checker")}
    with pytest.raises(ConfigError, match="'checker' is the model that found the events"):
        validate("checker").plan(LOG, EVENTS, twins)
    with pytest.raises(ConfigError, match="empty"):
        validate("")


def test_events_of_cues_are_checked_as_those_of_a_model() -> None:
    found = cues().events(LOG, cues().measure(LOG).table).table
    assert len(validate("reader").plan(LOG, found, STAFF)) == found.height == 2
