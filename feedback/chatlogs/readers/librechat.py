"""LibreChat: exported conversations, messages in a list or a tree of `children`, and rows of its messages collection.

Who speaks is `isCreatedByUser`, or `sender` where that is missing. What was said is `text`, or the parts of `content`:
texts, thoughts, tool calls. A first message follows the id of zeros. A row that tells an error is the server speaking,
not the model, and is dropped; an unfinished answer is kept and says so. The export does not say which of two answers
was shown last: the newest is taken. Edits of an answer overwrite it, so there is nothing to read of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.said import content, first, listing, mapping, word
from feedback.chatlogs.times import moment
from feedback.chatlogs.tree import lifted, path_to
from generators.records import Broken, Record

_THUMBS = {"thumbsUp": 1.0, "thumbsDown": -1.0}

Message = Mapping[str, Any]


def _fits(fields: Mapping[str, Any]) -> bool:
    if "conversationId" not in fields:
        return False
    return "messageId" in fields or any(isinstance(fields.get(key), list) for key in ("messages", "messagesTree"))


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    key = word(fields.get("conversationId"))
    if key is None:
        raise Broken(record.place, "no conversation", "names no conversation; conversationId does")
    found: Any = [fields] if "messageId" in fields else fields.get("messagesTree") or fields.get("messages")
    if not isinstance(found, list):
        raise Broken(record.place, "no conversation", "holds no messages; messages or messagesTree is a list of them")
    rows = list(_flat(found))
    dropped = Counter({"not an object": len(rows) - sum(isinstance(row, Mapping) for row, _ in rows)})
    messages: dict[str, Message] = {}
    parents: dict[str, str | None] = {}
    for row, above in rows:
        name = word(row.get("messageId")) if isinstance(row, Mapping) else None
        if name is None or name in messages:
            dropped["repeated" if name else "no messageId"] += isinstance(row, Mapping)
            continue
        messages[name], parents[name] = row, first(row.get("parentMessageId"), above)
    yield _conversation(key, fields, messages, parents, dropped)


def _conversation(key: str, fields: Mapping[str, Any], messages: Mapping[str, Message],
                  parents: Mapping[str, str | None], dropped: Counter[str]) -> Conversation:
    left_out = {name: reason for name, message in messages.items() if (reason := _unusable(message))}
    dropped.update(left_out.values())
    kept = {name: message for name, message in messages.items() if name not in left_out}
    above = lifted(parents, kept)
    main = path_to(_newest(kept), above)
    user = first(fields.get("user"), *(message.get("user") for message in messages.values()))
    # A row of the collection is one message: what it follows stands in another record.
    turns = [_turn(name, message, above[name] if len(messages) > 1 else _real(parents[name]), name in main)
             for name, message in kept.items()]
    unread = Counter({"neither up nor down": sum(_unread(message) for message in messages.values())})
    signals = [signal for name, message in kept.items() for signal in _feedback(name, message)]
    return Conversation(key=key, user=user, turns=turns, signals=signals, dropped=+dropped, dropped_signals=+unread)


def _flat(rows: list[Any]) -> Iterator[tuple[Any, str | None]]:
    """Every message of a list or a tree, with the one it stands under, parents first."""
    waiting: list[tuple[Any, str | None]] = [(row, None) for row in reversed(rows)]
    while waiting:
        row, above = waiting.pop()
        yield row, above
        if isinstance(row, Mapping):
            name = word(row.get("messageId"))
            waiting += [(child, name) for child in reversed(listing(row.get("children")))]


def _turn(name: str, message: Message, above: str | None, main: bool) -> Turn:
    role = _role(message)
    text, parts = _said(message)
    return Turn(key=name, parent=above, role=role, text=text, parts=parts,
                model=word(message.get("model")) if role == "assistant" else None,
                created_at=moment(message.get("createdAt")), finish_reason=word(message.get("finish_reason")),
                flags=("unfinished",) if message.get("unfinished") is True else (), on_main_path=main)


def _role(message: Message) -> str:
    by_user = message.get("isCreatedByUser")
    if not isinstance(by_user, bool):
        by_user = str(message.get("sender")).lower() == "user"
    return "user" if by_user else "assistant"


def _unusable(message: Message) -> str:
    if message.get("error") is True:
        return "an error"
    text, parts = _said(message)
    return "" if text.strip() or parts else "empty"


def _said(message: Message) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The words of a message, from its text or the parts of its content, and its thoughts, tool calls and files."""
    said, parts = content([_plain(part) for part in listing(message.get("content"))])
    text = message.get("text")
    files = tuple(file for file in listing(message.get("files")) if isinstance(file, Mapping))
    return (text if isinstance(text, str) and text else said or ""), (*parts, *files)


def _plain(part: Any) -> Any:
    """A part of content; some versions write the text of one as an object with a value."""
    text = part.get("text") if isinstance(part, Mapping) else None
    return {**part, "text": text.get("value")} if isinstance(text, Mapping) else part


def _feedback(name: str, message: Message) -> Iterator[Signal]:
    told = mapping(message.get("feedback"))
    value = _THUMBS.get(str(told.get("rating")))
    if value is not None:
        tag = told.get("tag")
        label = first(tag, mapping(tag).get("key"))
        yield Signal(kind="thumb", target=name, value=value, scale_min=-1.0, scale_max=1.0, text=word(told.get("text")),
                     labels=(label,) if label else (), created_at=moment(message.get("updatedAt")))


def _unread(message: Message) -> bool:
    told = message.get("feedback")
    return isinstance(told, Mapping) and str(told.get("rating")) not in _THUMBS


def _newest(messages: Mapping[str, Message]) -> str | None:
    times = {name: moment(message.get("createdAt")) for name, message in messages.items()}
    known = {name: time for name, time in times.items() if time is not None}
    if len(known) < len(times):
        return next(reversed(list(messages)), None)
    return max(known, key=known.__getitem__, default=None)


def _real(parent: str | None) -> str | None:
    """A parent, but the id of zeros that a first message follows."""
    return parent if parent and parent.strip("0-") else None


FORMAT = Format(name="librechat", fits=_fits, read=_read, siblings=True)
