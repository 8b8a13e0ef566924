"""Chat logs into messages and signals: read, recognised, named by salted digests, scrubbed, each thing once.

What a log says of a person never leaves this room as it was: names of people and conversations become digests that only
the salt can repeat, texts are scrubbed before a row exists, and what cannot be read is told by its place alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from feedback.chatlogs.drawers import Drawers
from feedback.chatlogs.files import log_files
from feedback.chatlogs.joining import Joined
from feedback.chatlogs.owners import owner_of
from feedback.chatlogs.parts import Conversation, Format
from feedback.chatlogs.rows import Made, Origin, Rows
from feedback.chatlogs.sniff import UNKNOWN, recognised
from feedback.chatlogs.tally import Tally
from generators.records import Broken, File, Record
from privacy.names import Names
from privacy.people import Salt
from privacy.scrub import Scrub
from schemas.chat_messages import CHAT_MESSAGES
from schemas.errors import BucketError, InputError
from schemas.feedback_events import SIGNALS
from schemas.funnel import Count
from schemas.table import Table

Undated = date | Mapping[str, date] | None
"""The day of what a log does not date, for all files or by the path of each."""
_ROWS, _CHARACTERS = 8192, 8 << 20  # a batch is full at whichever comes first


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows; what one record holds of a conversation stands in one batch."""

    messages: pl.DataFrame
    """CHAT_MESSAGES, and `day`: see feedback.chatlogs.days."""
    signals: pl.DataFrame
    """SIGNALS, and `day`."""
    names: pl.DataFrame
    """What signals of other records call some messages: `target_msg_id`, and the msg_id that is `meant`."""


@dataclass(frozen=True)
class Gathered:
    """The messages and signals of some logs, and what became of everything that was read."""

    drawers: Drawers
    """The messages, and `day`, each conversation in the order it was read."""
    signals: pl.DataFrame
    """SIGNALS: those the logs hold, and those their trees tell."""
    counts: list[Count]
    """Of records, conversations, messages and signals."""
    told: list[str]
    """The first broken records: file, line, what is wrong and what to do."""
    formats: dict[str, list[Count]]
    """The same counts for each format that was found."""

    def pieces(self) -> Iterator[pl.DataFrame]:
        """CHAT_MESSAGES by conv_id, each conversation in the order it was read; pieces of any size, in order."""
        for piece in self.drawers.pieces():
            yield piece.drop("day").sort("conv_id", maintain_order=True)

    @cached_property
    def messages(self) -> pl.DataFrame:
        """The same in memory."""
        return pl.concat(self.pieces())


def gather(paths: Sequence[str], salt: Salt, *, forgotten: frozenset[str] = frozenset(), day: date | None = None,
           undated: Undated = None, scrubbed: bool = True, reader: str | Format | None = None,
           finder: Names | None = None, folder: Path | None = None) -> Gathered:
    """The messages and signals of all files that `paths` mean (files, globs, folders, zip archives, buckets).

    With `day`, a conversation with a message or signal of that day is given as it stood at the day's end, and of
    signals those of the day only. `forgotten` are salted digests of users, or conv_ids, whose rows are left out.
    `reader` reads every file as this format instead of looking; `finder` finds names of people as well. More messages
    than memory should hold lie in `folder` meanwhile. Raises InputError for a path without files, a file that no reader
    knows, or one that cannot be opened, BucketError where a bucket fails, also in the middle of an object; a broken
    record is counted and told, and reading goes on.
    """
    tally = Tally()
    read = Drawers(folder)
    read.put(_frame([], [], CHAT_MESSAGES))
    logged, names = [_frame([], [], SIGNALS)], [_names([])]
    for batch in stream(paths, salt, tally, forgotten=forgotten, undated=undated, scrubbed=scrubbed, reader=reader,
                        finder=finder):
        # What comes after the day has not happened yet: no branch, no main path, no regeneration.
        read.put(batch.messages if day is None else _until(day, batch.messages, "messages", tally))
        logged.append(batch.signals if day is None else _until(day, batch.signals, "signals", tally))
        names.append(batch.names)
    whole = Joined(read, pl.concat(logged), pl.concat(names), tally, reader, folder)
    kept = whole.messages if day is None else whole.of_day(day)
    return Gathered(kept, whole.signals.drop("day").sort("event_id"), tally.counts, tally.told,
                    {format: tally.of(format) for format in tally.formats})


def stream(paths: Sequence[str], salt: Salt, tally: Tally, *, forgotten: frozenset[str] = frozenset(),
           undated: Undated = None, scrubbed: bool = True, reader: str | Format | None = None,
           finder: Names | None = None) -> Iterator[Batch]:
    """The same in batches, for logs of any size; see `gather`.

    A conversation that several records hold may come in several batches, each with depth, branch and main path as its
    record has them; signals that name messages of other records, and those of siblings, are the caller's to join.
    """
    rows = Rows(salt, forgotten, scrubbed, finder)
    batch = _Filling()
    for path in paths:
        for file in log_files(path):
            day = undated.get(file.name) if isinstance(undated, Mapping) else undated
            for made in _rows_of(file, rows, day, tally, reader):
                batch.take(made)
                if batch.full:
                    yield batch.done()
                    batch = _Filling()
    if batch.messages or batch.signals:
        yield batch.done()


class _Filling:
    """A batch as it fills."""

    def __init__(self) -> None:
        self.messages: list[tuple[Any, ...]] = []
        self.days: list[date | None] = []
        self.signals: list[tuple[Any, ...]] = []
        self.signal_days: list[date | None] = []
        self.names: list[tuple[str, str]] = []
        self._characters = 0

    def take(self, made: Made) -> None:
        self.messages += made.messages
        self.days += made.days
        self.signals += made.signals
        self.signal_days += made.signal_days
        self.names += made.names
        self._characters += made.characters

    @property
    def full(self) -> bool:
        return len(self.messages) + len(self.signals) >= _ROWS or self._characters >= _CHARACTERS

    def done(self) -> Batch:
        return Batch(_frame(self.messages, self.days, CHAT_MESSAGES), _frame(self.signals, self.signal_days, SIGNALS),
                     _names(self.names))


def _frame(rows: list[tuple[Any, ...]], days: list[date | None], table: Table) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(table.columns)
    arrays = [pa.array(values, type=column.type) for values, column in zip(columns, table.columns, strict=True)]
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_arrays(arrays, schema=table.schema)))
    return frame.with_columns(pl.Series("day", days, pl.Date))


def _names(names: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(names, {"target_msg_id": pl.String, "meant": pl.String}, orient="row")


def _rows_of(file: File, rows: Rows, undated: date | None, tally: Tally, reader: str | Format | None) -> Iterator[Made]:
    """The rows of each record of a file; one that cannot be used is counted and told."""
    name, owner = Scrub().text(file.name)[0], None
    for format, item in _until_torn(file, tally, reader):
        known = format.name
        tally.add(known, "records", "in")
        if format is UNKNOWN and isinstance(item, Record):
            tally.add(known, "records", "dropped", reason="no chat log")
            continue
        place = name + item.place.removeprefix(file.name)
        if isinstance(item, Broken):
            tally.broken(known, item.reason, f"{place}: {item.told}")
            continue
        owner = owner or (owner_of(file) if format.one_person else None)
        try:
            found = [one if one.user else replace(one, user=owner) for one in format.read(item)]
            made = rows.of(found, Origin(known, Scrub().text(item.source)[0], place, undated))
        except Broken as broken:
            tally.broken(known, broken.reason, f"{place}: {broken.told}")
        except Exception as error:  # whatever a reader raises over a record; its text may hold what the log says
            tally.broken(known, f"not as {known} is", f"{place}: is not as {known} is ({type(error).__name__}); "
                         "look at the types of its values")
        else:
            _tell(found, made, known, tally)
            yield made


def _until_torn(file: File, tally: Tally, reader: str | Format | None) -> Iterator[tuple[Format, Record | Broken]]:
    """The records of a file; where the file breaks off after some, that is one broken record more."""
    format = None
    try:
        for format, item in recognised(file, reader):
            yield format, item
    except BucketError as error:  # nothing is known of the rest: what is half read must not pass for a log
        raise BucketError(Scrub().text(str(error))[0]) from None
    except InputError as error:
        if format is None:
            raise InputError(Scrub().text(str(error))[0]) from None
        tally.add(format.name, "records", "in")
        tally.broken(format.name, "the file breaks off", Scrub().text(str(error))[0])


def _tell(found: Sequence[Conversation], made: Made, format: str, tally: Tally) -> None:
    tally.add(format, "records", *(("out",) if found else ("dropped", 1, "holds no conversation")))
    tally.add(format, "conversations", "in", len(made.conversations) + made.dropped_conversations.total())
    tally.add(format, "conversations", "out", len(made.conversations))
    tally.dropped(format, "conversations", made.dropped_conversations)
    tally.add(format, "messages", "in", sum(len(one.turns) + one.dropped.total() for one in found))
    tally.add(format, "messages", "out", len(made.messages))
    tally.dropped(format, "messages", made.dropped)
    tally.add(format, "signals", "in", sum(len(one.signals) + one.dropped_signals.total() for one in found))
    tally.add(format, "signals", "out", len(made.signals))
    tally.dropped(format, "signals", made.dropped_signals)


def _until(day: date, rows: pl.DataFrame, unit: str, tally: Tally) -> pl.DataFrame:
    tally.lose(unit, rows.filter(pl.col("day").is_null()), "of no day")
    tally.lose(unit, rows.filter(pl.col("day") > day), "of another day")
    return rows.filter(pl.col("day") <= day)
