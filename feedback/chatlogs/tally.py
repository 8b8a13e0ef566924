"""What became of everything that was read from chat logs, by format, and where broken records stand."""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from privacy.scrub import Scrub
from schemas.funnel import Count, check_balance, summed

TOLD = 1000
"""How many broken records are told by their place; all are counted."""
STEPS = {"records": "messages", "conversations": "messages", "messages": "messages", "signals": "signals"}
"""What is counted, and in the step of which table."""


@dataclass(slots=True)
class Tally:
    """Grows while logs are read; what went in is counted where it is read, what came out where rows are made."""

    fates: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """By format, unit, fate and reason."""
    told: list[str] = field(default_factory=list)
    """The first broken records: file, line, what is wrong and what to do; nothing of what they hold."""

    def add(self, format: str, unit: str, fate: str, number: int = 1, reason: str = "") -> None:
        """Count some units of a format that met one fate."""
        if number:
            self.fates[format, unit, fate, _clean(reason)] += number

    def dropped(self, format: str, unit: str, reasons: Counter[str]) -> None:
        """Count what was left out, by reason."""
        for reason, number in reasons.items():
            self.add(format, unit, "dropped", number, reason)

    def broken(self, format: str, reason: str, told: str) -> None:
        """Count a record that cannot be used, and tell where it stands."""
        self.add(format, "records", "failed", reason=reason)
        if len(self.told) < TOLD:
            self.told.append(Scrub().text(told)[0])  # it may name the columns of a record

    def gain(self, unit: str, rows: pl.DataFrame) -> None:
        """Rows that were made of others, not read."""
        for format, number in _by_format(rows):
            self.add(format, unit, "in", number)
            self.add(format, unit, "out", number)

    def lose(self, unit: str, rows: pl.DataFrame, reason: str) -> None:
        """Rows that had been counted as out, and are left out after all."""
        for format, number in _by_format(rows):
            self.add(format, unit, "out", -number)
            self.add(format, unit, "dropped", number, reason)

    def of(self, format: str) -> list[Count]:
        """The funnel rows of one format; raises SchemaError where they do not balance."""
        return _balanced([Count(STEPS[unit], unit, fate, reason, number)
                          for (name, unit, fate, reason), number in self.fates.items() if name == format])

    @property
    def formats(self) -> list[str]:
        """The names of the formats that were met."""
        return sorted({format for format, _, _, _ in self.fates})

    @property
    def counts(self) -> list[Count]:
        """The funnel rows of all formats together."""
        rows = [Count(step, unit, fate, "", 0) for unit, step in STEPS.items() for fate in ("in", "out")]
        return _balanced(rows + [row for format in self.formats for row in self.of(format)])


@lru_cache(4096)
def _clean(reason: str) -> str:
    """A reason as it is told: a reader of one's own may put words of the log into it."""
    return Scrub().text(reason)[0]


def _by_format(rows: pl.DataFrame) -> list[tuple[str, int]]:
    return sorted(rows.group_by("source_format").len().rows())


def _balanced(rows: list[Count]) -> list[Count]:
    check_balance(rows)
    return summed(rows)
