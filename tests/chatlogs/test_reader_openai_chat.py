"""Requests of a proxy: growing prefixes, several choices, streams, failures, tool calls, LiteLLM, batches."""

import json
from datetime import UTC, datetime
from pathlib import Path

from feedback.chatlogs.readers.openai_chat import FORMAT
from generators.records import Record
from tests.chatlogs.flat import broken, conversations, of, said
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "openai_chat.jsonl"


def test_a_growing_prefix_is_one_conversation_and_several_choices_are_siblings() -> None:
    found = read(LOG)
    river = found.messages.filter(conv_id=of(found, "conv_id")["The Rhine."])
    assert [(row["role"], row["text"], row["depth"], row["on_main_path"], row["flags"])
            for row in river.to_dicts()] == [
        ("system", "Be brief.", 0, True, []),
        ("user", "Name a river", 1, True, []),
        ("assistant", "The Rhine.", 2, True, []),
        ("user", "Is this it?", 3, True, []),
        ("assistant", "Yes.", 4, True, ["side by side"]),
        ("assistant", "No, the Elbe.", 4, False, ["side by side"]),
    ]
    assert found.signals.is_empty()  # choices made for one asking are no regeneration
    assert of(found, "finish_reason")["No, the Elbe."] == "length"
    assert of(found, "model")["The Rhine."] == "small-0613"
    assert of(found, "created_at")["Is this it?"] == datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)


def test_streams_failures_tool_calls_and_refusals_are_read_for_what_they_are() -> None:
    found = read(LOG)
    assert ("Count", "assistant", "One, two.") in said(found)  # from chunks
    assert ["Count", "One, two.", "Go on"] in conversations(found)  # the session of the metadata names it
    assert ["Ping", "Pong"] in conversations(found)  # LiteLLM
    calls = json.loads(found.messages.filter(role="assistant", text="")["parts"].item())
    assert calls[0]["call"]["function"]["name"] == "clock"
    assert of(found, "flags")["I may not say."] == ["refusal"]
    picture = json.loads(of(found, "parts")["Is this it?"])
    assert picture == [{"type": "image_url", "image_url": {"url": "(304 encoded characters left out)"}}]
    assert counted(found, "messages", "in") == 26
    assert left_out(found, "messages") == {"repeated": 5, "the request failed": 2}
    assert left_out(found, "records") == {"no messages": 1}


def test_users_come_from_the_request_the_metadata_or_the_end_user() -> None:
    users = of(read(LOG), "user_hash")
    assert len({users["The Rhine."], users["One, two."], users["Pong"]} - {None}) == 3
    assert users["Pong"] == users["Ping again"]
    assert users["Hello!"] is None


def test_two_people_who_say_the_same_are_two_conversations_and_a_session_beats_the_words() -> None:
    def request(user: str | None, **more: object) -> dict[str, object]:
        answer = {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
        return {"user": user, "messages": [{"role": "user", "content": "Hi"}], "response": answer, **more}

    def key(fields: dict[str, object]) -> str:
        return next(FORMAT.read(Record(fields, "here", "log"))).key

    assert key(request("ann")) == key(request("ann"))
    assert key(request("ann")) != key(request("bob"))
    assert key(request("ann", metadata={"session_id": "s"})) == "s"
    assert key({"conversation_id": "c", "messages": request(None)["messages"]}) == "c"


def test_the_files_of_a_batch_are_joined_by_custom_id(tmp_path: Path) -> None:
    lines = (FIXTURES / "openai_chat_batch.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "asked.jsonl").write_text("".join(lines[:2]), encoding="utf-8")
    (tmp_path / "done.jsonl").write_text("".join(lines[2:]), encoding="utf-8")
    found = read(tmp_path / "done.jsonl", tmp_path / "asked.jsonl")
    assert said(found, "depth", "model") == [
        ("Be brief.", "user", "Name a lake", 1, None),
        ("Name a lake", "assistant", "Lake Constance.", 2, "small-0613"),
        (None, "system", "Be brief.", 0, None),
        (None, "user", "Name a hill", 0, None),
    ]
    assert left_out(found, "messages") == {"the request failed": 1}


def test_a_request_without_messages_says_what_to_write() -> None:
    assert broken(FORMAT, {"request": {"messages": 3}}) == "holds no messages; a request holds messages as a list"
