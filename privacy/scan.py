"""The second scan: over what is about to leave, whoever made it, by what it looks like now.

The first pass saw what came in; since then models wrote, rows were joined, and a recipe may have left the first one
out. What stands here is told by its kind and its row, never by its text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from privacy.find import found as search
from privacy.finding import Finding

_SHORTEST = 5
"""The shortest text that can hold anything: a@b.cd."""
_KNOWN = 4096
_ID = re.compile(r"[0-9a-f]{24}")
"""An id of ours; of so many, some begin like an account of a country and have, one in 97, the right checksum."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A row that holds what must not leave."""

    row: str
    """Its id."""
    column: str
    kind: str


def found(text: str) -> list[Finding]:
    """What must not leave in a text, from left to right, no two overlapping."""
    return search(text)


def alarms(rows: Iterable[Mapping[str, Any]], key: str) -> Iterator[Alarm]:
    """Each kind that stands in a column of a row, lists and structures included; `key` is the column of the ids."""
    known: dict[str, frozenset[str]] = {}
    for row in rows:
        for column, value in row.items():
            for kind in sorted({kind for text in _texts(value) for kind in _kinds(text, known)}):
                yield Alarm(str(row[key]), column, kind)


def _kinds(text: str, known: dict[str, frozenset[str]]) -> frozenset[str]:
    """What stands in a text; a prompt is the same in many rows."""
    if len(text) < _SHORTEST or _ID.fullmatch(text):
        return frozenset()
    kinds = known.get(text)
    if kinds is None:
        if len(known) >= _KNOWN:
            known.clear()
        kinds = known[text] = frozenset(finding.kind for finding in found(text))
    return kinds


def in_words(alarms: Iterable[Alarm], most: int = 3) -> str:
    """`2 EMAIL (prompt of p1, chosen of p2)`: how many rows of each kind, and where the first stand."""
    by_kind: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        by_kind.setdefault(alarm.kind, []).append(alarm)
    return "; ".join(
        f"{len(those):,} {kind} ({', '.join(f'{one.column} of {one.row}' for one in those[:most])}"
        + (", ...)" if len(those) > most else ")")
        for kind, those in sorted(by_kind.items()))


def counted(alarms: Iterable[Alarm]) -> Counter[str]:
    """How many places of each kind there are."""
    return Counter(alarm.kind for alarm in alarms)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
