"""Open WebUI: exported chats, and the export of feedback with a snapshot of the chat it speaks of.

Messages are a map, `history.messages`, and `history.currentId` the last on the path that is shown. Times are seconds in
chats and milliseconds in some snapshots. The same rating stands in the message and in the feedback export, and is read
once. Answers of several models to one message stand side by side (`modelIdx`); in the arena a rating is a vote between
them. An answer that the user edited keeps the model's words in `originalContent`: those are the message, what the user
made of them is an edit. A thought block at the head of an answer goes apart from its text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.readers.open_webui_feedback import is_feedback, rated
from feedback.chatlogs.said import content as spoken
from feedback.chatlogs.said import first, mapping, word
from feedback.chatlogs.siblings import SIDE_BY_SIDE
from feedback.chatlogs.times import moment
from feedback.chatlogs.tree import lifted, path_to
from generators.records import Broken, Record
from schemas.messages import ROLES

_THOUGHT = re.compile(r"\s*<details type=\"reasoning\"[^>]*>(.*?)</details>\s*", re.DOTALL)

Message = Mapping[str, Any]


def _fits(fields: Mapping[str, Any]) -> bool:
    return is_feedback(fields) or (_history(fields.get("chat")) is not None or _history(fields) is not None)


def _history(chat: Any) -> Mapping[str, Any] | None:
    history = chat.get("history") if isinstance(chat, dict) else None
    return history if isinstance(history, dict) and isinstance(history.get("messages"), dict) else None


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    row = mapping(mapping(fields.get("snapshot")).get("chat")) if is_feedback(fields) else fields
    history = _history(row) or _history(row.get("chat")) or {"messages": {}}
    meta = mapping(fields.get("meta")) if is_feedback(fields) else {}
    key = first(meta.get("chat_id"), row.get("id"), mapping(row.get("chat")).get("id"))
    if key is None:
        raise Broken(record.place, "no conversation", "names no chat; id does, and meta.chat_id in feedback")
    yield _chat(key, first(row.get("user_id"), fields.get("user_id")), history, fields)


def _chat(key: str, user: str | None, history: Mapping[str, Any], fields: Mapping[str, Any]) -> Conversation:
    messages = {name: message for name, message in history["messages"].items() if isinstance(message, dict)}
    dropped = Counter({"not an object": len(history["messages"]) - len(messages)})
    left_out = {name: reason for name, message in messages.items() if (reason := _unusable(message))}
    dropped.update(left_out.values())
    parents = {name: word(message.get("parentId")) for name, message in messages.items()}
    kept = {name: message for name, message in messages.items() if name not in left_out}
    above = lifted(parents, kept)
    beside = _beside(kept, above)
    main = path_to(_current(history, messages), parents)
    turns = [_turn(name, message, above[name], name in main, name in beside) for name, message in kept.items()]
    signals, unread = rated(fields, kept, above)
    return Conversation(key=key, user=user, turns=turns, signals=[*signals, *_edits(kept)], dropped=+dropped,
                        dropped_signals=unread)


def _turn(name: str, message: Message, above: str | None, main: bool, beside: bool) -> Turn:
    text, parts = _said(message, "originalContent" if _edited(message) else "content")
    files = message.get("files")
    told = {SIDE_BY_SIDE: beside, "edited": _edited(message), "error": bool(message.get("error")),
            "unfinished": message.get("done") is False}
    model = first(message.get("selectedModelId"), message.get("model"), message.get("modelName"))
    return Turn(
        key=name, parent=above, role=message["role"], text=text,
        parts=[*parts, *(file for file in files if isinstance(file, dict))] if isinstance(files, list) else parts,
        model=model if message["role"] == "assistant" else None, created_at=moment(message.get("timestamp")),
        on_main_path=main, flags=tuple(flag for flag, holds in told.items() if holds))


def _unusable(message: Message) -> str:
    if message.get("role") not in ROLES:
        return "unknown role"
    text, parts = _said(message, "content")
    return "" if text.strip() or parts or message.get("files") or _edited(message) else "empty"


def _said(message: Message, key: str) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The words of a message, and its thoughts and pictures apart."""
    said, parts = spoken(message.get(key))
    text = said or ""
    thought = _THOUGHT.match(text) if message.get("role") == "assistant" else None
    if thought is None:
        return text, parts
    return text[thought.end():], ({"type": "reasoning", "text": thought[1].strip()}, *parts)


def _edited(message: Message) -> bool:
    original = message.get("originalContent")
    return isinstance(original, str) and message.get("role") == "assistant" and original != message.get("content")


def _edits(kept: Mapping[str, Message]) -> Iterator[Signal]:
    for name, message in kept.items():
        if _edited(message) and isinstance(message.get("content"), str):
            yield Signal(kind="edit", target=name, text=_said(message, "content")[0])


def _beside(kept: Mapping[str, Message], above: Mapping[str, str | None]) -> set[str]:
    """The answers that several models gave to one message."""
    answers: defaultdict[str | None, dict[str, Any]] = defaultdict(dict)
    for name, message in kept.items():
        if message["role"] == "assistant" and type(message.get("modelIdx")) is int:
            answers[above[name]][name] = message["modelIdx"]
    return {name for group in answers.values() if len(set(group.values())) > 1 for name in group}


def _current(history: Mapping[str, Any], messages: Mapping[str, Message]) -> str | None:
    current = word(history.get("currentId"))
    return current if current in messages else next(reversed(list(messages)), None)


FORMAT = Format(name="open_webui", fits=_fits, read=_read, siblings=True)
