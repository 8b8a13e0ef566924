"""LibreChat: a list, a tree and the rows of a collection tell the same; HuggingChat, its cousin."""

import json
from datetime import UTC, datetime

import pytest

from tests.chatlogs.reading import FIXTURES, counted, left_out, messages, names, read, signals

CALLED = names("librechat", "lc-1", ["m1", "m2", "m3", "m4", "m6"])
HUGGING = names("hugging_chat", "65a000000000000000000001", ["k1", "k2", "k3", "k4"]) | names(
    "hugging_chat", "old", ["x1", "x2"])
LEFT_OUT = {"flat.json": {"an error": 1, "not an object": 1, "repeated": 1}, "tree.json": {"an error": 1},
            "rows.jsonl": {"an error": 1}}


@pytest.mark.parametrize("kind", ["flat.json", "tree.json", "rows.jsonl"])
def test_a_list_a_tree_and_the_rows_of_a_collection_are_one_conversation(kind: str) -> None:
    found = read(FIXTURES / f"librechat_{kind}")
    assert messages(found, CALLED, "role", "text", "depth", "branch", "on_main_path", "model", "flags") == {
        "m1": (None, "user", "How long does bread bake?", 0, 0, True, None, []),
        "m2": ("m1", "assistant", "Forty minutes.", 1, 0, False, "gpt-4o", []),
        "m3": ("m1", "assistant", "About half an hour.", 1, 1, True, "gpt-4o", []),
        "m4": ("m3", "user", "And rolls?", 2, 0, True, None, []),
        "m6": ("m4", "assistant", "Fifteen min", 3, 0, True, "gpt-4o", ["unfinished"]),
    }
    assert signals(found, CALLED, "value", "labels", "text", "polarity") == [
        ("regenerate", "m3", ["m2"], None, [], None, "positive"),
        ("thumb", "m2", [], -1.0, ["inaccurate"], "mine burnt", "negative"),
        ("thumb", "m3", [], 1.0, ["clear_well_written"], None, "positive"),
    ]
    assert left_out(found, "messages") == LEFT_OUT[kind]
    assert left_out(found, "signals") == {"neither up nor down": 1}


def test_thoughts_and_tool_calls_are_parts_and_their_arguments_are_scrubbed() -> None:
    rows = {CALLED[row["msg_id"]]: row for row in read(FIXTURES / "librechat_flat.json").messages.to_dicts()}
    parts = json.loads(rows["m3"]["parts"])
    assert [part["type"] for part in parts] == ["think", "tool_call"]
    assert "jane@example.com" not in rows["m3"]["parts"]
    assert "<EMAIL_1>" in rows["m3"]["parts"]
    assert rows["m1"]["created_at"] == datetime(2024, 5, 1, 9, tzinfo=UTC)


def test_hugging_chat_is_read_with_scores_as_thumbs() -> None:
    found = read(FIXTURES / "hugging_chat.jsonl")
    assert messages(found, HUGGING, "text", "branch", "flags") == {
        "k1": (None, "A strong knot?", 0, []), "k2": ("k1", "Bowline.", 0, ["unfinished"]),
        "k3": ("k1", "Double fisherman's.", 1, []), "k4": ("k1", "Reef.", 2, []),
        "x1": (None, "Hi", 0, []), "x2": ("x1", "Hello.", 0, [])}
    assert signals(found, HUGGING, "value", "polarity") == [
        ("regenerate", "k4", ["k2", "k3"], None, None), ("thumb", "k2", [], -1.0, "negative"),
        ("thumb", "k3", [], 1.0, "positive")]
    assert left_out(found, "messages") == {"empty": 1, "no id": 1}
    assert counted(found, "messages", "in") == 8
