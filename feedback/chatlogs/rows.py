"""From conversations to rows of messages and signals: named by salted digests, scrubbed, each of them once."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

from feedback.chatlogs.days import days_of
from feedback.chatlogs.parts import Conversation, Signal, Turn
from feedback.chatlogs.tree import IN_A_CIRCLE, branches, depths
from privacy.names import Names
from privacy.people import Salt
from privacy.scrub import Scrub
from schemas.chat_messages import message_id
from schemas.feedback_events import ACTORS, EVENT_KINDS, POLARITIES, event_id
from schemas.ids import digest
from schemas.messages import ROLES

_NOTHING = (str, type(None))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a conversation was read, and the day of what the file does not date."""

    format: str
    source: str
    place: str
    undated: date | None


@dataclass(slots=True)
class Made:
    """What became of the conversations of one record; nothing of it counts until it is kept."""

    messages: list[tuple[Any, ...]] = field(default_factory=list)
    days: list[date | None] = field(default_factory=list)
    """The day of each message; see feedback.chatlogs.days."""
    signals: list[tuple[Any, ...]] = field(default_factory=list)
    signal_days: list[date | None] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    """What signals of other records call a message, and its msg_id."""
    characters: int = 0
    texts: dict[bytes, int] = field(default_factory=dict)
    """Each message's id, with what tells its text from another."""
    events: set[bytes] = field(default_factory=set)
    conversations: set[bytes] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_signals: Counter[str] = field(default_factory=Counter)
    dropped_conversations: Counter[str] = field(default_factory=Counter)


class Rows:
    """Makes the rows of one conversation after another, and knows those it has made."""

    def __init__(self, salt: Salt, forgotten: frozenset[str], scrubbed: bool, finder: Names | None = None):
        self._salt = salt
        self._forgotten = forgotten
        self._scrubbed = scrubbed
        self._finder = finder
        self._texts: dict[bytes, int] = {}
        self._events: set[bytes] = set()
        self._conversations: set[bytes] = set()

    def of(self, conversations: Iterable[Conversation], origin: Origin) -> Made:
        """The rows of a record's conversations; a value of a wrong type in them raises, and then nothing was added."""
        made = Made()
        for conversation in conversations:
            self._add(conversation, origin, made)
        self._texts.update(made.texts)
        self._events |= made.events
        self._conversations |= made.conversations
        return made

    def _add(self, conversation: Conversation, origin: Origin, made: Made) -> None:
        conv_id = conversation_id(self._salt, origin.format, conversation.key)
        user = None if conversation.user is None else self._salt.name("user", conversation.user)
        made.dropped += conversation.dropped
        made.dropped_signals += conversation.dropped_signals
        if conv_id in self._forgotten or user in self._forgotten:
            made.dropped["forgotten"] += len(conversation.turns)
            made.dropped_signals["forgotten"] += len(conversation.signals)
            made.dropped_conversations["forgotten"] += 1
            return
        name = bytes.fromhex(conv_id)
        if conversation.turns and name not in self._conversations:  # else a signal on one of another record
            made.conversations.add(name)
        one = _One(self._salt, conv_id, user, conversation, origin, Scrub(self._finder) if self._scrubbed else None)
        self._turns(one, made)
        self._signals(one, made)

    def _turns(self, one: "_One", made: Made) -> None:
        turns = one.conversation.turns
        deep, branch = depths(turns), branches(turns)
        days = days_of(turns, deep, one.origin.undated)
        for turn in turns:
            reason = _unusable(turn) or ("its parents lead in a circle" if deep[turn.key] == IN_A_CIRCLE else "")
            if reason:
                made.dropped[reason] += 1
                continue
            text, kinds = one.clean(turn.text)  # a repeated one too: placeholders are numbered as they are met
            msg_id = one.message(turn.key)
            made.names += ((one.other(*name), msg_id) for name in turn.names)
            name, mark = bytes.fromhex(msg_id), hash(turn.text)
            before = self._texts.get(name, made.texts.get(name))
            if before is not None:
                made.dropped["repeated" if before == mark else "repeated with another text"] += 1
                continue
            made.texts[name] = mark
            made.characters += len(text)
            made.messages.append(one.row(turn, msg_id, text, kinds, deep[turn.key], branch[turn.key]))
            made.days.append(days[turn.key])

    def _signals(self, one: "_One", made: Made) -> None:
        for signal in one.conversation.signals:
            actor = one.user if signal.actor is None else self._salt.name("user", signal.actor)
            reason = "forgotten" if actor in self._forgotten else _useless(signal)
            if reason:
                made.dropped_signals[reason] += 1
                continue
            row = one.signal(signal, actor)
            name = bytes.fromhex(row[0])
            if name in self._events or name in made.events:
                made.dropped_signals["repeated"] += 1
                continue
            made.events.add(name)
            made.signals.append(row)
            made.signal_days.append(one.origin.undated if signal.created_at is None else signal.created_at.date())


@dataclass(slots=True)
class _One:
    """A conversation on its way into rows."""

    salt: Salt
    conv_id: str
    user: str | None
    conversation: Conversation
    origin: Origin
    scrub: Scrub | None
    ids: dict[str, str] = field(default_factory=dict)

    def clean(self, text: str) -> tuple[str, frozenset[str]]:
        text.encode()  # half a surrogate pair stands in no table: UnicodeEncodeError
        return (text, frozenset()) if self.scrub is None else self.scrub.text(text)

    def word(self, text: str | None) -> str | None:
        return text if text is None or self.scrub is None else _word(text)

    def message(self, key: str) -> str:
        msg_id = self.ids.get(key)
        if msg_id is None:
            msg_id = self.ids[key] = named(self.salt, self.conv_id, key)
        return msg_id

    def other(self, conversation: str, key: str) -> str:
        """The id that a signal of another record points at, where it calls a message by this name."""
        return named(self.salt, conversation_id(self.salt, self.origin.format, conversation), key)

    def row(self, turn: Turn, msg_id: str, text: str, kinds: frozenset[str], depth: int,
            branch: int) -> tuple[Any, ...]:
        """The columns of CHAT_MESSAGES, in their order."""
        conversation, origin = self.conversation, self.origin
        return (
            msg_id, self.conv_id, None if turn.parent is None else self.message(turn.parent), depth, branch,
            turn.on_main_path, turn.role, text, self.json(turn.parts), self.word(turn.model), self.user,
            turn.created_at, self.word(turn.language), self.word(turn.finish_reason), turn.synthetic,
            self.words(turn.flags), sorted(kinds), origin.format, origin.source, origin.place,
            self.word(conversation.licence), conversation.redistributable,
        )

    def signal(self, signal: Signal, actor: str | None) -> tuple[Any, ...]:
        """The columns of SIGNALS, in their order."""
        target = self.message(signal.target)
        evidence = None if signal.evidence is None else self.message(signal.evidence)
        what = self.salt.name("signal", signal.what) if signal.what else ""
        text = None if signal.text is None else self.clean(signal.text)[0]
        return (
            event_id(self.conv_id, target, evidence, signal.kind, "log", what, actor or ""), self.conv_id, target,
            evidence, sorted(self.message(key) for key in signal.compared), signal.kind, _real(signal.value),
            _real(signal.scale_min), _real(signal.scale_max), self.words(signal.labels), text, None,
            signal.polarity or _polarity(signal), None, [], None, "structural", None, None, False, "log",
            _version(self.origin.format), None, None, None, actor, signal.actor_kind, signal.created_at,
            self.origin.format, self.origin.place,
        )

    def json(self, parts: Sequence[Mapping[str, Any]]) -> str | None:
        if not parts:
            return None
        value = list(parts) if self.scrub is None else self.scrub.value(list(parts))
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def words(self, texts: Sequence[str]) -> list[str]:
        return sorted({text if self.scrub is None else _word(text) for text in texts}) if texts else []


def conversation_id(salt: Salt, format: str, key: str) -> str:
    """The id of a conversation; the log's own name for it is in it, and cannot be read from it without the salt."""
    return salt.name("conversation", f"{format} {key}")


def named(salt: Salt, conv_id: str, key: str) -> str:
    """The id of a message. Salted too: where a log has no names, the key is a digest of what was said."""
    return message_id(conv_id, salt.name("message", key))


def _unusable(turn: Turn) -> str:
    """Why a turn cannot be a row; empty where it can. Readers pass on what logs hold, and logs hold anything."""
    if not isinstance(turn.text, str):
        return "no text"
    if turn.role not in ROLES:
        return "unknown role"
    words = (turn.parent, turn.model, turn.language, turn.finish_reason)
    sound = all(isinstance(word, _NOTHING) for word in words) and _time(turn.created_at) and (
        type(turn.synthetic) is type(turn.on_main_path) is bool)
    return "" if sound else "a value of a wrong type"


def _useless(signal: Signal) -> str:
    """Why a signal cannot be a row; empty where it can."""
    if signal.kind not in EVENT_KINDS or signal.actor_kind not in ACTORS:
        return "unknown kind"
    if signal.polarity is not None and signal.polarity not in POLARITIES:
        return "unknown polarity"
    numbers = [number for number in (signal.value, signal.scale_min, signal.scale_max) if number is not None]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        return "no finite value"
    return "" if isinstance(signal.text, _NOTHING) and _time(signal.created_at) else "a value of a wrong type"


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _time(value: object) -> bool:
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)


def _polarity(signal: Signal) -> str | None:
    """What a thumb or a vote says by its sign."""
    if signal.kind not in ("thumb", "vote") or not signal.value:
        return None
    return "positive" if signal.value > 0 else "negative"


@lru_cache(4096)
def _word(text: str) -> str:
    """A short text that stands in many rows, scrubbed for itself."""
    return Scrub().text(text)[0]


@lru_cache(64)
def _version(format: str) -> str:
    return digest("log", format)
