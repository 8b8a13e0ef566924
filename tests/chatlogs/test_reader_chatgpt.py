"""The ChatGPT export: hidden nodes, thoughts, edited questions, answers asked for again, thumbs and comparisons."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chatlogs.reading import FIXTURES, counted, left_out, messages, names, read, signals

FOLDER = FIXTURES / "chatgpt"
KEYS = ("u1", "a1", "u1-edited", "a2", "a3", "u2", "code", "out", "a4")
CALLED = names("chatgpt", "conv-1", KEYS) | names("chatgpt", "conv-3", ["b1"])


def test_the_tree_becomes_messages_without_its_hidden_nodes() -> None:
    found = read(FOLDER / "conversations.json")
    assert messages(found, CALLED, "role", "text", "depth", "branch", "on_main_path", "model") == {
        "u1": (None, "user", "When is high tide?", 0, 0, False, None),
        "a1": ("u1", "assistant", "Where do you sail?", 1, 0, False, "gpt-4"),
        "u1-edited": (None, "user", "When is high tide in this harbour?", 0, 1, True, None),
        "a2": ("u1-edited", "assistant", "At 14:10.", 1, 0, False, "gpt-4"),
        "a3": ("u1-edited", "assistant", "In Dover at 13:55.", 1, 1, True, "o3"),
        "u2": ("a3", "user", "Thanks. Plot the week, and write to me at <EMAIL_1>", 2, 0, True, None),
        "code": ("u2", "assistant", "plot(week)", 3, 0, True, "o3"),
        "out": ("code", "tool", "<Figure>", 4, 0, True, None),
        "a4": ("out", "assistant", "Here is the week.", 5, 0, True, "o3"),
        "b1": (None, "user", "Hello?\nAnyone?", 0, 0, True, None),
    }
    assert counted(found, "messages", "in") == 17
    assert left_out(found, "messages") == {
        "a node without a message": 1, "hidden": 1, "custom instructions": 1, "empty": 1,
        "thoughts, kept with their answer": 1, "its parents lead in a circle": 2}
    assert left_out(found, "records") == {"no conversation": 1}
    assert [told.partition("conversations.json")[2] for told in found.told] == [
        ", record 2: names no conversation: id is a text, mapping an object"]


def test_pictures_thoughts_flags_and_times_are_kept_apart_from_the_text() -> None:
    rows = {CALLED[row["msg_id"]]: row for row in read(FOLDER / "conversations.json").messages.to_dicts()}
    picture = json.loads(rows["u1-edited"]["parts"])
    assert [part["asset_pointer"] for part in picture] == ["file-service://file-abc"]
    assert json.loads(rows["a3"]["parts"])[0]["thoughts"][0]["content"] == "The quay says Dover."
    assert rows["a3"]["text"] == "In Dover at 13:55."
    assert {key: row["flags"] for key, row in rows.items() if row["flags"]} == {
        "code": ["tool call"], "a4": ["unfinished", "weightless"]}
    assert {key: row["placeholders"] for key, row in rows.items() if row["placeholders"]} == {"u2": ["EMAIL"]}
    assert rows["u1"]["created_at"] == datetime(2023, 11, 14, 22, 13, 30, tzinfo=UTC)
    assert rows["b1"]["created_at"] is None
    assert rows["a1"]["finish_reason"] == "stop"


EXPECTED = [
    ("edit", "a1", [], None, None),
    ("regenerate", "a3", ["a2"], None, "positive"),
    ("thumb", "a2", [], -1.0, "negative"),
    ("thumb", "a3", [], 1.0, "positive"),
    ("vote", "a3", ["a2"], 1.0, "positive"),
]


def test_thumbs_and_comparisons_of_other_files_find_their_answers() -> None:
    found = read(*sorted(FOLDER.glob("*.json")))
    assert signals(found, CALLED, "value", "polarity") == EXPECTED
    assert counted(found, "signals", "in") == 8
    assert left_out(found, "signals") == {
        "repeated": 1, "its message is in no log": 1, "the other answer is not named": 1}
    down = found.signals.filter(kind="thumb", value=-1.0).to_dicts()[0]
    assert (down["labels"], down["text"]) == (["false", "not-helpful"], "Which harbour? ask <EMAIL_1>")
    assert down["actor_hash"] is not None
    edit = found.signals.filter(kind="edit").to_dicts()[0]
    assert CALLED[edit["evidence_msg_id"]] == "u1-edited"
    assert left_out(found, "records") == {"no conversation": 1, "holds no conversation": 1}


def test_the_zip_of_an_export_reads_as_its_files_do(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in FOLDER.glob("*.json"):
            archive.write(file, file.name)
        archive.writestr("chat.html", "<html></html>")
        archive.writestr("user_settings.json", '[{"theme": "dark"}]')
    found = read(path)
    assert signals(found, CALLED, "value", "polarity") == EXPECTED
    assert found.messages.height == 10
    assert left_out(found, "records") == {"no conversation": 1, "holds no conversation": 1, "no chat log": 1}


@pytest.mark.parametrize("current", ["a1", "a2", "a4", None])
def test_the_main_path_is_that_of_the_current_node(current: str | None, tmp_path: Path) -> None:
    conversation = json.loads((FOLDER / "conversations.json").read_text())[0] | {"current_node": current}
    (tmp_path / "conversations.json").write_text(json.dumps([conversation]))
    found = read(tmp_path / "conversations.json").messages
    paths = {"a1": {"u1", "a1"}, "a2": {"u1-edited", "a2"}}
    whole = {"u1-edited", "a3", "u2", "code", "out", "a4"}
    assert {CALLED[key] for key in found.filter("on_main_path")["msg_id"]} == paths.get(current or "", whole)
