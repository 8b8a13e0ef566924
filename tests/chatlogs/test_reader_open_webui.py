"""Open WebUI: arena votes, plain thumbs, scores, edited answers, thoughts, seconds and milliseconds."""

import json
from datetime import UTC, datetime

from tests.chatlogs.reading import FIXTURES, counted, left_out, messages, names, read, signals

CHATS, FEEDBACK = FIXTURES / "open_webui_chats.json", FIXTURES / "open_webui_feedback.json"
CALLED = names("open_webui", "chat-1", ["q1", "left", "right", "q2", "a2-again"])


def test_a_chat_is_read_as_a_tree_with_thoughts_and_the_models_own_words() -> None:
    found = read(CHATS)
    assert messages(found, CALLED, "role", "text", "branch", "on_main_path", "model", "flags") == {
        "q1": (None, "user", "Name a colour.", 0, True, None, []),
        "left": ("q1", "assistant", "Blue.", 0, False, "llama3:8b", ["side by side"]),
        "right": ("q1", "assistant", "Teal, a blue-green.", 1, True, "mistral:7b", ["side by side"]),
        "q2": ("right", "user", "And a number?", 0, True, None, []),
        "a2-again": ("q2", "assistant", "Seven.", 0, False, "llama3:8b", ["edited"]),
    }
    rows = {CALLED[row["msg_id"]]: row for row in found.messages.to_dicts()}
    assert "Any will do." in json.loads(rows["right"]["parts"])[0]["text"]
    assert json.loads(rows["q2"]["parts"])[0]["name"] == "n.txt"
    assert counted(found, "messages", "in") == 7
    assert left_out(found, "messages") == {"empty": 1, "not an object": 1}


def test_a_rating_in_the_arena_is_a_vote_and_elsewhere_a_thumb() -> None:
    assert signals(read(CHATS), CALLED, "value", "polarity", "labels", "text") == [
        ("comment", "left", [], None, "negative", ["not_helpful", "style"], "too short"),
        ("edit", "a2-again", [], None, None, [], "Seventeen."),
        ("score", "a2-again", [], 9.0, None, [], None),
        ("thumb", "a2-again", [], 1.0, "positive", [], None),
        ("vote", "right", ["left"], 1.0, "positive", [], None),
    ]


def test_the_feedback_export_alone_holds_the_snapshot_and_its_vote() -> None:
    found = read(FEEDBACK)
    assert signals(found, CALLED, "value") == [
        ("comment", "left", [], None), ("score", "left", [], 2.0), ("vote", "right", ["left"], 1.0)]
    assert left_out(found, "records") == {"no conversation": 1}
    assert left_out(found, "signals") == {"its message is in no log": 1, "no rating": 1}
    times = {CALLED[row["msg_id"]]: row["created_at"] for row in found.messages.to_dicts()}
    assert times["q1"] == datetime(2023, 11, 14, 22, 13, 30, tzinfo=UTC)


def test_chats_and_feedback_together_hold_each_message_and_each_rating_of_one_person_once() -> None:
    found = read(CHATS, FEEDBACK)
    assert found.messages.height == 5
    assert left_out(found, "messages") == {"empty": 1, "not an object": 1, "repeated": 3}
    kinds = [signal[0] for signal in signals(found, CALLED)]
    assert kinds == ["comment", "edit", "score", "score", "thumb", "thumb", "vote"]
    assert found.signals.filter(kind="thumb")["actor_hash"].n_unique() == 2
