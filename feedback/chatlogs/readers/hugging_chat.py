"""HuggingChat (chat-ui): conversations whose messages name those before them; a score of 1 or -1 is a thumb, 0 is none.

A conversation without a tree is a list, each message following the one before. An empty system message begins the tree,
as a rule. The log does not say which of two answers was shown last: the newest is taken.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.said import content, first, listing, mapping, speaker, word
from feedback.chatlogs.times import moment
from feedback.chatlogs.tree import lifted, path_to
from generators.records import Broken, Record

Message = Mapping[str, Any]


def _fits(fields: Mapping[str, Any]) -> bool:
    messages = fields.get("messages")
    return isinstance(messages, list) and any(
        isinstance(message, Mapping) and "from" in message and "content" in message for message in messages[:4])


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    key, rows = _id(fields.get("_id"), fields.get("id")), fields.get("messages")
    if key is None or not isinstance(rows, list):
        raise Broken(record.place, "no conversation", "names no conversation: _id is a text, messages a list")
    dropped: Counter[str] = Counter()
    kept: dict[str, Message] = {}
    parents: dict[str, str | None] = {}
    before: str | None = None
    for row in rows:
        name = _id(row.get("id")) if isinstance(row, Mapping) else None
        reason = "no id" if name is None else "repeated" if name in parents else _unusable(row)
        if reason:
            dropped[reason] += 1
        if name is None or name in parents:
            continue
        ancestors = listing(row.get("ancestors"))
        parents[name] = word(ancestors[-1]) if ancestors else before if "ancestors" not in row else None
        before = name
        if not reason:
            kept[name] = row
    above = lifted(parents, kept)
    main = path_to(next(reversed(list(kept)), None), above)
    turns = [_turn(name, row, above[name], name in main, word(fields.get("model"))) for name, row in kept.items()]
    yield Conversation(key=key, user=_id(fields.get("userId"), fields.get("sessionId")), turns=turns, dropped=dropped,
                       signals=[signal for name, row in kept.items() for signal in _score(name, row)])


def _turn(name: str, message: Message, above: str | None, main: bool, model: str | None) -> Turn:
    role = speaker(message.get("from")) or ""
    text, parts = content(message.get("content"))
    files = (file for file in listing(message.get("files")) if isinstance(file, Mapping))
    return Turn(key=name, parent=above, role=role, text=text or "", parts=(*parts, *files),
                model=model if role == "assistant" else None, created_at=moment(message.get("createdAt")),
                flags=("unfinished",) if message.get("interrupted") is True else (), on_main_path=main)


def _unusable(message: Message) -> str:
    if speaker(message.get("from")) is None:
        return "unknown role"
    text, parts = content(message.get("content"))
    return "" if (text and text.strip()) or parts else "empty"


def _score(name: str, message: Message) -> Iterator[Signal]:
    score = message.get("score")
    if score in (1, -1) and type(score) is int:
        yield Signal(kind="thumb", target=name, value=float(score), scale_min=-1.0, scale_max=1.0,
                     created_at=moment(message.get("updatedAt")))


def _id(*values: Any) -> str | None:
    """The first name there is; MongoDB writes its own as {"$oid": ...}."""
    return first(*(mapping(value).get("$oid") if isinstance(value, Mapping) else value for value in values))


FORMAT = Format(name="hugging_chat", fits=_fits, read=_read, siblings=True)
