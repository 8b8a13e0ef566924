"""Chatbot Arena in its three shapes: shared questions, sides as siblings, votes, ties and both bad."""

from datetime import UTC, datetime

from feedback.chatlogs.readers.arena import FORMAT
from tests.chatlogs.flat import broken, of, said, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "arena.jsonl"


def test_votes_of_all_shapes_point_at_the_winner_or_say_tie_or_both_bad() -> None:
    found = read(LOG)
    assert told(found, "value", "polarity", "labels", "actor_kind") == [
        ("vote", "A", ["B"], 1.0, "positive", [], "llm"),  # MT-Bench: turn 1 of a conversation of two, a model's vote
        ("vote", "Cod.", ["Dog."], 1.0, "positive", [], "human"),
        ("vote", "Ja.", ["Nein."], 0.0, None, [], "human"),
        ("vote", "Two", ["Zwei"], -1.0, "negative", ["names shown"], "human"),
        ("vote", "Yes.", ["Maybe."], 1.0, "positive", [], "human"),
    ]
    assert left_out(found, "signals") == {"the answers are the same": 1, "unknown winner": 1}


def test_a_question_that_both_sides_were_asked_is_one_message() -> None:
    found = read(LOG)
    rows = said(found, "model", "on_main_path", "language")
    battle = [row for row in rows if row[2] in ("Name a fish", "Dog.", "Cod.")]
    assert battle == [
        ("Name a fish", "assistant", "Cod.", "koala", False, "en"),
        ("Name a fish", "assistant", "Dog.", "alpaca", True, "en"),
        (None, "user", "Name a fish", None, True, "en"),
    ]
    # In the second round each side has a history of its own.
    assert [row[0] for row in said(found) if row[2] == "On"] == ["Eins", "One"]
    assert counted(found, "messages", "in") == 4 + 8 + 4 + 4 + 4 + 8 + 4
    assert left_out(found, "messages") == {"repeated": 8}


def test_what_the_log_says_of_a_battle_is_kept() -> None:
    found = read(LOG)
    assert of(found, "flags")["Hast du Zeit?"] == ["context left out"]
    assert of(found, "flags")["Name a fish"] == ["toxic"]
    assert of(found, "created_at")["Cod."] == datetime(2023, 4, 24, 15, 53, 11, 132200, tzinfo=UTC)
    assert of(found, "user_hash")["Cod."] == of(found, "user_hash")["Two"] is not None
    assert of(found, "user_hash")["A"] is None


def test_a_side_without_an_answer_is_told_with_its_place() -> None:
    found = read(LOG)
    assert left_out(found, "records") == {"no answer": 1}
    assert [told.rpartition("/")[2] for told in found.told] == [
        "arena.jsonl, line 5: a side ends without an answer; each ends with the model's message"]
    empty = {"conversation_a": [], "conversation_b": [], "winner": "tie"}
    assert broken(FORMAT, empty) == "side a holds no list of messages"
