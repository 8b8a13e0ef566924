"""When a log says something happened: seconds, milliseconds and ISO texts become one moment in UTC."""

import math
from datetime import UTC, datetime
from typing import Any

_FIRST = datetime(1990, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_UNITS = (1.0, 1e3, 1e6, 1e9)


def moment(value: Any) -> datetime | None:
    """The moment that a log's value names, in UTC; None where it names none between 1990 and 2200.

    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, whichever falls into those years: logs
    mix them in one file. Texts are ISO 8601 or such a number; without a zone they are UTC. `{"$date": ...}` is how
    MongoDB writes them.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return _known(value)
    return moment(value["$date"]) if isinstance(value, dict) and isinstance(value.get("$date"), str | int) else None


def _number(value: float) -> datetime | None:
    if abs(value) > 1e19 or not math.isfinite(value):  # whole numbers of any size are compared without rounding
        return None
    for unit in _UNITS:
        seconds = value / unit
        if _FIRST.timestamp() <= seconds < _LAST.timestamp():
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _text(value: str) -> datetime | None:
    bare = value.strip()
    if len(bare) > 40:  # longer than any moment; int() and float() take their time over long digits
        return None
    try:
        return _known(datetime.fromisoformat(bare))
    except ValueError:
        pass
    try:
        return _number(float(bare))
    except ValueError:
        return None


def _known(value: datetime) -> datetime | None:
    try:
        there = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return there if _FIRST <= there < _LAST else None
