"""LMSYS-Chat-1M: conversations with many models, without users and times; its licence forbids passing the texts on.

A record is a conversation. Names of people were replaced by placeholders before the release, which `redacted` tells.
What moderation said of the turns (`openai_moderation`) is not read. The texts are marked as not redistributable:
exports hold ids and labels only.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from feedback.chatlogs.languages import language
from feedback.chatlogs.parts import Conversation, Format, chained
from feedback.chatlogs.said import turns, word
from generators.records import Broken, Record


def _fits(fields: Mapping[str, Any]) -> bool:
    return ("conversation_id" in fields and "model" in fields and "timestamp" not in fields
            and "conversation_hash" not in fields and isinstance(fields.get("conversation"), list))


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    key, messages = word(fields.get("conversation_id")), fields.get("conversation")
    if key is None or not isinstance(messages, list):
        raise Broken(record.place, "no conversation",
                     "holds no conversation: conversation_id is a text, conversation a list of messages")
    dropped: Counter[str] = Counter()
    model, spoken = word(fields.get("model")), language(fields.get("language"))
    flags = ("redacted",) if fields.get("redacted") is True else ()
    read = [replace(one, model=model if one.role == "assistant" else None, language=spoken, flags=(*one.flags, *flags))
            for one in turns(messages, dropped)]
    yield Conversation(key=key, turns=chained(read), dropped=dropped, licence="lmsys-chat-1m", redistributable=False)


FORMAT = Format(name="lmsys", fits=_fits, read=_read)
