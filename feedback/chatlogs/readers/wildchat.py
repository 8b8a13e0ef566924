"""WildChat: conversations of people with a free ChatGPT; answers have a time, every message a language and flags.

A record is a conversation, named by `conversation_hash` (by `conversation_id` in the first release). Many people may
share an address: a user is its hash together with the browser's language and name. Only answers have a time. What
moderation said of the turns (`openai_moderation`, `detoxify_moderation`) is not read: `toxic` and `redacted` sum it up.
A conversation that went on is logged again under another hash: finding near duplicates is left to the filters.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from feedback.chatlogs.languages import language
from feedback.chatlogs.parts import Conversation, Format, Turn, chained
from feedback.chatlogs.said import first, turn, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_FLAGS = ("redacted", "toxic")


def _fits(fields: Mapping[str, Any]) -> bool:
    named = "conversation_hash" in fields or ("conversation_id" in fields and "timestamp" in fields)
    return named and isinstance(fields.get("conversation"), list)


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    key = first(fields.get("conversation_hash"), fields.get("conversation_id"))
    messages = fields.get("conversation")
    if key is None or not isinstance(messages, list):
        raise Broken(record.place, "no conversation",
                     "holds no conversation: conversation_hash is a text, conversation a list of messages")
    dropped: Counter[str] = Counter()
    model = word(fields.get("model"))
    turns = chained(one for message in messages if (one := _turn(message, model, dropped)) is not None)
    if turns and turns[-1].role == "assistant" and turns[-1].created_at is None:  # the first release times no messages
        turns[-1] = replace(turns[-1], created_at=moment(fields.get("timestamp")))
    user = next((name for message in messages if (name := _user(message)) is not None), None)
    yield Conversation(key=key, user=user, turns=turns, dropped=dropped, licence="odc-by")


def _turn(message: Any, model: str | None, dropped: Counter[str]) -> Turn | None:
    read = turn(message)
    if isinstance(read, str):
        dropped[read] += 1
        return None
    return replace(read, model=model if read.role == "assistant" else None, language=language(message.get("language")),
                   created_at=moment(message.get("timestamp")),
                   flags=(*read.flags, *(flag for flag in _FLAGS if message.get(flag) is True)))


def _user(message: Any) -> str | None:
    address = word(message.get("hashed_ip")) if isinstance(message, Mapping) else None
    if address is None:
        return None
    header = message.get("header")
    header = header if isinstance(header, Mapping) else {}
    return "\n".join((address, word(header.get("accept-language")) or "", word(header.get("user-agent")) or ""))


FORMAT = Format(name="wildchat", fits=_fits, read=_read)
