"""TOLD: a message as labels look at it, without its text, so that those of large logs can be held at once."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl


class Told(NamedTuple):
    """What CHAT_MESSAGES tells of a message."""

    place: int
    """Its row, where its text stands."""
    msg_id: str
    conv_id: str
    parent_id: str | None
    role: str
    model: str | None
    user_hash: str | None
    created_at: datetime | None
    on_main_path: bool
    branch: int
    synthetic: bool
    flags: tuple[str, ...]
    source: str
    licence: str | None
    language: str | None
    redistributable: bool
    finish_reason: str | None


def told_of(messages: pl.DataFrame) -> Iterator[Told]:
    """The messages in the order of their rows; what stands in many of them (a user, a model) is held once."""
    held: dict[Any, Any] = {}
    for place, values in enumerate(messages.select(Told._fields[1:]).iter_rows()):
        known = (tuple(value) if isinstance(value, list) else value for value in values)
        yield Told(place, *(held.setdefault(value, value) if isinstance(value, str | tuple) else value
                            for value in known))
