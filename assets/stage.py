"""A stage: one step of a build, as a plain function from tables to tables, before Dagster sees it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from assets.home import Build, Home
from generators.budget import Purse
from generators.engines import Engine
from generators.made import Made
from generators.progress import Progress
from generators.serve import Start
from generators.store import ReplyStore
from schemas.funnel import Count
from schemas.table import Table

Tables = Mapping[str, pl.DataFrame]
Read = Callable[[Sequence[str] | None], Iterator[pa.Table]]
"""Reads a table in pieces, some of its columns or all."""
Narrow = Callable[[Read, Tables], pa.Table]
"""What a stage needs of a large table: fewer columns, rows or texts, found by what its other tables hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a stage may use besides its input tables."""

    engines: Mapping[str, Engine]
    store: ReplyStore
    runs: Path
    """Where runs of programs are kept, for all builds."""
    build: str = ""
    """The build's name: of one from chat logs, the day that it holds."""
    home: Path = field(default_factory=lambda: Home.find().root)
    """WINNOW_HOME, where the salt of names is kept."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    """The day that logs which date nothing are imported on."""
    budget: Purse | None = None
    """What the whole run may still spend."""
    progress: Callable[[Progress], None] | None = None
    started: Callable[[Start], None] | None = None
    """Hears of the servers that are started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a stage made: its tables, by name, and the funnel rows that account for every row it saw."""

    tables: Mapping[str, pl.DataFrame]
    counts: Sequence[Count] = ()
    pieces: Mapping[str, Iterable[pl.DataFrame]] = field(default_factory=dict)
    """Of its tables those that may be too large for memory, as rows in pieces, to be written in that way."""
    spent: Mapping[str, float | int | str | None] = field(default_factory=dict)
    """What it cost, for run.json: measurements, which must not make two builds differ."""

    @classmethod
    def of(cls, name: str, made: Made) -> "Output":
        """The output of a stage that makes one table."""
        return cls(tables={name: made.table}, counts=made.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A statement about a build that a person wants to see green."""

    name: str
    passed: bool
    note: str
    """What was counted, in a few words and numbers."""
    figures: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A check that a stage will report: blocking where wrong labels would pass, else a warning."""

    name: str
    meaning: str
    blocking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a build: what it needs, what it writes, how it is made, shown and checked."""

    name: str
    meaning: str
    """What it makes, in one sentence; shown in the UI."""
    writes: Mapping[str, Table]
    """The tables it writes, with their schemas; empty for a stage that writes a folder of its own."""
    needs: tuple[str, ...]
    """The tables it reads."""
    narrow: Mapping[str, Narrow] = field(default_factory=dict)
    """Of large tables what it needs, and shows, of them; without an entry it is given the whole table."""
    after: tuple[str, ...] = ()
    """Other stages that must have run."""
    make: Callable[[Means, Tables], Output] | None = None
    write_folder: Callable[[Build, Tables], Mapping[str, Any]] | None = None
    """For a stage without tables: writes into the build and gives metadata."""
    show: Mapping[str, Callable[[Tables], Mapping[str, Any]]] = field(default_factory=dict)
    """For each table, what the UI shows of it, from all the stage needs and made: texts, numbers, small tables."""
    checks: tuple[CheckSpec, ...] = ()
    check: Callable[[Tables], Sequence[Check]] | None = None
    """From all tables it needs and made."""
    engines: frozenset[str] = frozenset()
    """The engines it calls."""
    counts_rows: bool = True
    """Whether it accounts for rows in a funnel."""
