"""What a reader makes of a record: conversations of turns and signals, named as the log names them.

Nothing here is scrubbed or hashed yet; it lives for one record, between a reader and `feedback.chatlogs.gather`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from generators.records import Record
from schemas.ids import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message as the log holds it."""

    key: str
    """The log's own name for it, unique in its conversation; where logs have none, see `chained`."""
    parent: str | None
    """The key of the message it follows."""
    role: str
    """One of schemas.messages.ROLES."""
    text: str
    parts: Sequence[Mapping[str, Any]] = ()
    """What is no text, as the log holds it."""
    model: str | None = None
    created_at: datetime | None = None
    """With a time zone."""
    language: str | None = None
    finish_reason: str | None = None
    synthetic: bool = False
    flags: tuple[str, ...] = ()
    on_main_path: bool = True
    names: tuple[tuple[str, str], ...] = ()
    """What signals of other records call it: pairs of a Conversation.key and a Signal.target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A vote, thumb, score, rank, copy, ... as the log holds it; fields as in the feedback_events table."""

    kind: str
    target: str
    """The key of the assistant's turn that is meant."""
    evidence: str | None = None
    """The key of the user's turn that says so."""
    compared: tuple[str, ...] = ()
    """The keys of the answers that the target was compared with."""
    value: float | None = None
    scale_min: float | None = None
    scale_max: float | None = None
    labels: tuple[str, ...] = ()
    text: str | None = None
    polarity: str | None = None
    actor: str | None = None
    """Who gave it, as the log names them; None: the conversation's user."""
    actor_kind: str = "human"
    created_at: datetime | None = None
    what: str = ""
    """Tells it from others of its kind at its target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation, or the part of one that a record holds: parts of the same key are put together."""

    key: str
    """The log's own name for the conversation, the same in every record and file that speaks of it."""
    user: str | None = None
    turns: Sequence[Turn] = ()
    signals: Sequence[Signal] = ()
    """May name turns that another record holds."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Messages of the record that are not in `turns`, by reason: in = turns + dropped."""
    dropped_signals: Counter[str] = field(default_factory=Counter)
    """The same of signals."""
    licence: str | None = None
    redistributable: bool = True


@dataclass(frozen=True, slots=True)
class Format:
    """A log format."""

    name: str
    fits: Callable[[Mapping[str, Any]], bool]
    """Whether a record, as parsed JSON, is of this format: by its fields, never by a file's name."""
    read: Callable[[Record], Iterator[Conversation]]
    """The conversations of a record; raises generators.records.Broken for one that cannot be used."""
    siblings: bool = False
    """Whether two answers to one message mean that the user asked again, and two questions that one was edited."""
    one_person: bool = False
    """Whether a log is what one person exported, so that conversations that name nobody are that person's."""


def chained(turns: Iterable[Turn], before: str | None = None) -> list[Turn]:
    """The turns of a log without ids, each following the one before, named by all that was said up to it.

    A log that repeats the history in every record so names the same message the same each time. `before` is the key of
    the turn that the first of them follows.
    """
    named: list[Turn] = []
    for turn in turns:
        key = digest("turn", before, turn.role, turn.text)
        named.append(replace(turn, key=key, parent=before))
        before = key
    return named

