"""OpenTelemetry's GenAI conventions: messages as JSON, as structured values, as events; evaluations."""

import json
from datetime import UTC, datetime

from feedback.chatlogs.readers.otel_genai import FORMAT
from tests.chatlogs.flat import broken, conversations, of, said, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "otel_genai.jsonl"


def test_messages_are_read_from_attributes_from_log_records_and_from_the_events_of_a_span() -> None:
    found = read(LOG)
    assert conversations(found) == [
        ["Be brief.", "Name a sea", "The Baltic.", ""],  # the second call of the conversation, by structured values
        ["Be kind.", "Hello", "Hi!"],
        ["Tick", "Tock"],
    ]
    assert ("Name a sea", "assistant", "The Baltic.", "gpt-4o-2024", "stop") in said(found, "model", "finish_reason")
    assert ("Name a sea", "assistant", "", None, "tool_call") in said(found, "model", "finish_reason")
    assert ("Tick", "assistant", "Tock", "gpt-4o", "stop") in said(found, "model", "finish_reason")
    assert json.loads(of(found, "parts")["The Baltic."]) == [{"type": "reasoning", "content": "A short one."}]
    assert of(found, "created_at")["The Baltic."] == datetime(2024, 7, 1, 11, 0, 2, tzinfo=UTC)


def test_a_call_whose_content_was_not_captured_is_counted() -> None:
    found = read(LOG)
    assert counted(found, "messages", "in") == 12
    assert left_out(found, "messages") == {"no content was captured": 1, "repeated": 2}
    assert left_out(found, "records") == {"no span": 1}


def test_evaluations_find_their_span_or_their_response() -> None:
    assert told(read(LOG), "value", "labels", "text", "actor_kind") == [
        ("flag", "The Baltic.", [], None, ["none", "toxicity"], None, "code"),
        ("score", "The Baltic.", [], 0.75, ["relevance", "relevant"], "It is a sea.", "code"),
    ]


def test_a_batch_of_nothing_says_what_to_write() -> None:
    assert broken(FORMAT, {"resourceSpans": []}) == (
        "holds no spans and no log records; write OTLP as JSON, a batch a line")
