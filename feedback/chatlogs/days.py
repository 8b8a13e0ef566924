"""The day of each message: its own time; else that of the first thing said after it, else of what came before."""

from collections.abc import Mapping, Sequence
from datetime import date

from feedback.chatlogs.parts import Turn


def days_of(turns: Sequence[Turn], deep: Mapping[str, int], undated: date | None) -> dict[str, date | None]:
    """The day (UTC) of each turn, given how deep each stands; `undated` where nothing near it has a time.

    WildChat times answers only: a question was asked on the day of its answer, not on that of the answer before it.
    """
    days = {turn.key: None if turn.created_at is None else turn.created_at.date() for turn in turns}
    if None not in days.values():
        return days
    deepest_last = sorted(turns, key=lambda turn: deep[turn.key])
    first_below: dict[str, date] = {}
    for turn in reversed(deepest_last):
        day = days[turn.key] = days[turn.key] or first_below.get(turn.key)
        if day is not None and turn.parent is not None:
            first_below[turn.parent] = min(day, first_below.get(turn.parent, day))
    for turn in deepest_last:
        if days[turn.key] is None:
            days[turn.key] = (None if turn.parent is None else days.get(turn.parent)) or undated
    return days
