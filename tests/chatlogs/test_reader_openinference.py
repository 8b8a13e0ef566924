"""OpenInference: flat, nested, tabular and OTLP attributes give the same messages; annotations find their spans."""

import json

from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.readers.openinference import FORMAT
from generators.records import Record
from tests.chatlogs.flat import broken, conversations, of, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "openinference.jsonl"


def test_spans_of_a_session_are_one_conversation_in_the_order_of_their_numbers() -> None:
    found = read(LOG)
    assert conversations(found) == [
        ["Are we there?", "Soon."], ["Be brief.", "Name a moon", "Io.", "And this?", ""], ["Bye"]]
    assert of(found, "model")["Io."] == "gpt-4o"
    parts = json.loads(of(found, "parts")["And this?"])
    assert parts == [{"image.image.url": "https://example.org/moon.png", "type": "image"}]
    assert json.loads(of(found, "parts")[""])[0]["call"]["function.name"] == "look"
    assert left_out(found, "messages") == {"no output was captured": 1, "repeated": 3}
    assert left_out(found, "records") == {"holds no conversation": 1}  # the chain
    assert counted(found, "conversations", "out") == 3


def test_annotations_say_who_gave_them_and_find_the_span_or_the_trace() -> None:
    found = read(LOG)
    assert told(found, "value", "labels", "text", "actor_kind") == [
        ("comment", "Soon.", [], None, ["note"], "Too slow.", "human"),
        ("score", "", [], 1.0, ["correct", "correctness"], "It looks.", "llm"),
        ("score", "Io.", [], 0.9, ["good", "quality"], None, "human"),
    ]
    assert left_out(found, "signals") == {"about a session, not an answer": 1}


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1, max_size=5)), min_size=1,
                max_size=14))
def test_flat_and_nested_attributes_are_the_same_messages(history: list[tuple[str, str]]) -> None:
    flat = {f"llm.input_messages.{place}.message.{field}": value for place, (role, text) in enumerate(history)
            for field, value in (("role", role), ("content", text))}
    nested = {"llm": {"input_messages": [{"message": {"role": role, "content": text}} for role, text in history]}}
    read = []
    for attributes in (flat, nested):
        span = {"context": {"trace_id": "t", "span_id": "s"}, "span_kind": "LLM", "attributes": attributes}
        conversation, = FORMAT.read(Record(span, "here", "log"))
        read.append([(turn.role, turn.text, turn.key) for turn in conversation.turns])
    assert read[0] == read[1]
    assert [(role, text) for role, text, _ in read[0]] == history


def test_what_is_no_span_says_what_to_export() -> None:
    assert broken(FORMAT, {"name": "x"}) == "is no span and no annotation; export spans with their attributes"
