"""WildChat: people behind shared addresses, times on answers only, languages and flags of each message."""

from datetime import UTC, datetime

from feedback.chatlogs.readers.wildchat import FORMAT
from generators.records import Record
from tests.chatlogs.flat import broken, conversations, of, said
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "wildchat.jsonl"


def test_each_message_has_its_language_flags_and_time() -> None:
    found = read(LOG)
    asked, insult = "Écris un poème", "Write to <PRESIDIO_ANONYMIZED_EMAIL_ADDRESS>, idiot"
    assert said(found, "language", "flags", "model", "created_at") == [
        ("La lune.", "user", insult, "en", ["redacted", "toxic"], None, None),
        ("Name a bird", "assistant", "The wren.", "en", [], "gpt-4", datetime(2023, 5, 1, 8, tzinfo=UTC)),
        (insult, "assistant", "", None, [], "gpt-3.5-turbo-0301", datetime(2023, 4, 9, 0, 4, 10, tzinfo=UTC)),
        (asked, "assistant", "La lune.", "fr", [], "gpt-3.5-turbo-0301", datetime(2023, 4, 9, 0, 2, 53, tzinfo=UTC)),
        (None, "user", "Hi", "la", [], None, None),
        (None, "user", "Name a bird", "en", [], None, None),
        (None, "user", asked, "fr", [], None, None),
    ]
    assert set(found.messages["licence"]) == {"odc-by"}
    assert counted(found, "messages", "in") == 8
    assert left_out(found, "messages") == {"no text": 1}
    assert left_out(found, "records") == {"no conversation": 1}
    assert len(conversations(found)) == 3


def test_one_address_with_two_browsers_is_two_people() -> None:
    users = of(read(LOG), "user_hash")
    assert users["Écris un poème"] == users["La lune."]
    assert users["Hi"] not in (None, users["La lune."])
    assert users["Name a bird"] is None


def test_a_user_is_address_language_and_browser_together() -> None:
    def user(address: str, spoken: str, browser: str) -> str | None:
        header = {"accept-language": spoken, "user-agent": browser}
        message = {"role": "user", "content": "Hi", "hashed_ip": address, "header": header}
        conversation, = FORMAT.read(Record({"conversation_hash": "h", "conversation": [message]}, "here", "log"))
        return conversation.user

    known = [user("ip", "de", "Firefox"), user("ip", "de", "Safari"), user("ip", "en", "Safari"),
             user("ap", "en", "Safari")]
    assert len(set(known)) == 4
    assert user("ip", "de", "Firefox") == known[0]


def test_a_conversation_that_is_no_list_says_what_it_should_be() -> None:
    assert broken(FORMAT, {"conversation_hash": "h", "conversation": "x"}) == (
        "holds no conversation: conversation_hash is a text, conversation a list of messages")
