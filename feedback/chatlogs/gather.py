"""Chat logs into messages and signals: read, recognised, named by salted digests, scrubbed, each thing once.

What a log says of a person never leaves this room as it was: names of people and conversations become digests that only
the salt can repeat, texts are scrubbed before a row exists, and what cannot be read is told by its place alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa

from feedback.chatlogs.files import log_files
from feedback.chatlogs.parts import Conversation, Format
from feedback.chatlogs.rows import Made, Origin, Rows
from feedback.chatlogs.settle import settle
from feedback.chatlogs.siblings import siblings
from feedback.chatlogs.sniff import FORMATS, UNKNOWN, recognised
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


@dataclass(frozen=True, slots=True)
class Gathered:
    """The messages and signals of some logs, and what became of everything that was read."""

    messages: pl.DataFrame
    """CHAT_MESSAGES, conversations together, each in the order it was read."""
    signals: pl.DataFrame
    """SIGNALS: those the logs hold, and those their trees tell."""
    counts: list[Count]
    """Of records, conversations, messages and signals."""
    told: list[str]
    """The first broken records: file, line, what is wrong and what to do."""
    formats: dict[str, list[Count]]
    """The same counts for each format that was found."""


def gather(paths: Sequence[str], salt: Salt, *, forgotten: frozenset[str] = frozenset(), day: date | None = None,
           undated: Undated = None, scrubbed: bool = True, reader: str | Format | None = None,
           finder: Names | None = None) -> Gathered:
    """The messages and signals of all files that `paths` mean (files, globs, folders, zip archives).

    With `day`, a conversation with a message or signal of that day is given as it stood at the day's end, and of
    signals those of the day only. `forgotten` are salted digests of users, or conv_ids, whose rows are left out.
    `reader` reads every file as this format instead of looking; `finder` finds names of people as well. Raises
    InputError for a path without files, a file that no reader knows, or one that cannot be opened, BucketError where a
    bucket fails, also in the middle of an object; a broken record is counted and told, and reading goes on.
    """
    tally = Tally()
    batches = list(stream(paths, salt, tally, forgotten=forgotten, undated=undated, scrubbed=scrubbed, reader=reader,
                          finder=finder))
    read = pl.concat([_frame([], [], CHAT_MESSAGES), *(batch.messages for batch in batches)])
    logged = pl.concat([_frame([], [], SIGNALS), *(batch.signals for batch in batches)])
    names = pl.concat([_names([]), *(batch.names for batch in batches)])
    del batches
    if day is not None:  # what comes later has not happened yet: no branch, no main path, no regeneration
        read = _until(day, read, "messages", tally)
        logged = _until(day, logged, "signals", tally)
    messages = settle(read)
    tally.lose("messages", read.join(messages, on="msg_id", how="anti"), "its parents lead in a circle")
    del read
    trees = [format.name for format in (*FORMATS, reader) if isinstance(format, Format) and format.siblings]
    told = siblings(messages.filter(pl.col("source_format").is_in(trees)))
    tally.gain("signals", told)
    signals = _aimed(pl.concat([_called(logged, names, messages), told]), messages, tally)
    if day is not None:
        messages, signals = _of_day(day, messages, signals, tally)
    return Gathered(messages.drop("day").sort("conv_id", maintain_order=True), signals.drop("day").sort("event_id"),
                    tally.counts, tally.told, {format: tally.of(format) for format in tally.formats})


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


def _called(signals: pl.DataFrame, names: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """The signals, those that call a message by another name pointed at the message and its conversation."""
    if names.is_empty():
        return signals
    # Several calls of a trace share its name: what is said of the trace is said of the last.
    meant = names.unique("target_msg_id", keep="last", maintain_order=True).join(
        messages.select("msg_id", into="conv_id"), left_on="meant", right_on="msg_id", how="inner")
    return signals.join(meant, on="target_msg_id", how="left", maintain_order="left").with_columns(
        target_msg_id=pl.coalesce("meant", "target_msg_id"), conv_id=pl.coalesce("into", "conv_id"),
    ).select(signals.columns)


def _rows_of(file: File, rows: Rows, undated: date | None, tally: Tally, reader: str | Format | None) -> Iterator[Made]:
    """The rows of each record of a file; one that cannot be used is counted and told."""
    name = Scrub().text(file.name)[0]
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
        try:
            found = list(format.read(item))
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


def _aimed(signals: pl.DataFrame, messages: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    """The signals that point at an answer we have; of what they were compared with, the answers that we have."""
    answers = messages.filter(pl.col("role") == "assistant").select("msg_id")
    nowhere = signals.join(messages, left_on="target_msg_id", right_on="msg_id", how="anti")
    tally.lose("signals", nowhere, "its message is in no log")
    kept = signals.join(answers, left_on="target_msg_id", right_on="msg_id", how="semi")
    questions = signals.join(nowhere, on="event_id", how="anti").join(kept, on="event_id", how="anti")
    tally.lose("signals", questions, "its message is no answer")
    compared = kept.select("event_id", "compared").explode("compared").join(
        answers, left_on="compared", right_on="msg_id", how="semi").group_by("event_id").agg(pl.col("compared").sort())
    found = kept.drop("compared").join(compared, on="event_id", how="left", maintain_order="left").with_columns(
        pl.col("compared").fill_null(pl.lit([], pl.List(pl.String))))
    here = messages.select(evidence_msg_id="msg_id", here="msg_id")
    return found.join(here, on="evidence_msg_id", how="left", maintain_order="left").with_columns(
        evidence_msg_id="here").select(signals.columns)


def _until(day: date, rows: pl.DataFrame, unit: str, tally: Tally) -> pl.DataFrame:
    tally.lose(unit, rows.filter(pl.col("day").is_null()), "of no day")
    tally.lose(unit, rows.filter(pl.col("day") > day), "of another day")
    return rows.filter(pl.col("day") <= day)


def _of_day(day: date, messages: pl.DataFrame, signals: pl.DataFrame,
            tally: Tally) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The conversations that someone spoke in or judged on the day, as they stood at its end."""
    today = signals.filter(pl.col("day") == day)
    touched = pl.concat([messages.filter(pl.col("day") == day)["conv_id"], today["conv_id"]]).unique()
    then = messages.filter(pl.col("conv_id").is_in(touched.implode()))
    tally.lose("messages", messages.join(then, on="msg_id", how="anti"), "of another day")
    tally.lose("signals", signals.join(today, on="event_id", how="anti"), "of another day")
    others = messages.join(then, on="conv_id", how="anti").unique("conv_id")
    tally.lose("conversations", others, "of another day")
    return then, _aimed(today, then, tally)
