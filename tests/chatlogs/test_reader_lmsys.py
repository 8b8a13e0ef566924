"""LMSYS-Chat-1M: read like any other, and marked so that its texts never leave."""

from feedback.chatlogs.readers.lmsys import FORMAT
from tests.chatlogs.flat import broken, of, said
from tests.chatlogs.reading import FIXTURES, left_out, read

LOG = FIXTURES / "lmsys.jsonl"


def test_conversations_are_read_and_may_not_be_passed_on() -> None:
    found = read(LOG)
    assert said(found, "language", "flags", "model") == [
        ("A", "user", "Say B", None, [], None),
        ("Say A", "assistant", "A", None, [], "koala-13b"),
        ("Wie geht es NAME_1?", "assistant", "NAME_1 geht es gut.", "de", ["redacted"], "vicuna-13b"),
        (None, "user", "Say A", None, [], None),
        (None, "user", "Wie geht es NAME_1?", "de", ["redacted"], None),
    ]
    assert set(found.messages["redistributable"]) == {False}
    assert set(found.messages["licence"]) == {"lmsys-chat-1m"}
    assert set(of(found, "user_hash").values()) == {None}
    assert left_out(found, "messages") == {"no text": 1}
    assert left_out(found, "records") == {"no conversation": 1}


def test_a_conversation_without_a_name_says_what_it_should_be() -> None:
    assert broken(FORMAT, {"conversation_id": None, "model": "m", "conversation": []}) == (
        "holds no conversation: conversation_id is a text, conversation a list of messages")
