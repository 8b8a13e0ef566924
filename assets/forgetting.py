"""Forgetting a person: the rows of a build that are theirs, or made of theirs, found by id and taken out.

Whatever names a gone row goes too, table by table, until nothing new is found: a message, the events that speak of it,
the prompt and the answers it became, the pairs of these. A prompt that two people wrote in the same words goes with the
first of them; building again brings it back for the other.
"""

import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.home import Build
from feedback.chatlogs.answers import logged
from feedback.chatlogs.induce import RUBRIC
from feedback.chatlogs.sniff import FORMATS
from feedback.chatlogs.summaries import WISHES
from schemas import CHAT_MESSAGES, RESPONSES, TABLES
from schemas.table import footer

_EXPORTS = sorted(format.name for format in FORMATS if format.one_person)
_LISTED = "evidence"
"""Of a criterion, the ids of many events in one text."""
_SHARED = frozenset(("group", "source_format", "place", "source", "detector_version"))
"""Columns whose values many people's rows have."""
_FOLDERS = ("dataset", ".dataset.old", ".dataset.staging", "audit")
"""Made of all tables: they go whole, and the next build makes them."""


_KEPT_LONGEST = ("feedback_events", "signals", "messages")


@dataclass(slots=True)
class Gone:
    """What is to go from one build, or has gone."""

    build: Build
    ids: set[str]
    """Of the person, and of everything made of what they said."""
    rows: Counter[str] = field(default_factory=Counter)
    """By table."""
    conversations: set[str] = field(default_factory=set)
    """Those of an export that names nobody: it might be read from another place, and so as another person's."""
    rubrics: set[str] = field(default_factory=set)
    """Texts that a model made of what users said, and that requests about others hold: rubrics of many users' words,
    theirs among them, and wishes, which steer answers in a person's other conversations too."""


def gone(build: Build, names: Collection[str]) -> Gone:
    """What of a build is of these people, or conversations; nothing is changed."""
    found = Gone(build, set(names))
    tables = {path: pq.read_table(path) for path in _tables(build)}
    before = -1
    while before < len(found.ids):
        before = len(found.ids)
        for path, table in tables.items():
            hit = _hit(table, found.ids)
            if pc.any(hit).as_py():
                found.ids |= _named(path, table.filter(hit))
        found.ids |= _answers(tables, build, found.ids)
    for path, table in tables.items():
        found.rubrics |= _rubrics(table, found.ids)
        if footer(path)[0] == CHAT_MESSAGES.name:
            found.conversations |= _exported(table, names)
        if count := pc.sum(_hit(table, found.ids)).as_py():
            found.rows[str(path.parent.name if path.parent.name == "quarantine" else path.stem)] += count
    return found


def remove(found: Gone) -> None:
    """Take the rows out, and what is made of whole tables; each file is replaced whole.

    Messages go last: for as long as they are there, the rest can be found again.
    """
    if not found.rows:
        return
    for name in _FOLDERS:
        shutil.rmtree(found.build.path / name, ignore_errors=True)
    for path in sorted(_tables(found.build), key=_last_first):
        table = pq.read_table(path)
        hit = _hit(table, found.ids)
        if pc.any(hit).as_py():
            _replace(path, table.filter(pc.invert(hit)))


def _tables(build: Build) -> Iterator[Path]:
    """Every Parquet file of a build's tables and of its quarantine."""
    for path in sorted(build.path.glob("*/*.parquet")):
        if path.parent.name not in _FOLDERS:
            yield path


def _last_first(path: Path) -> int:
    return _KEPT_LONGEST.index(path.stem) if path.stem in _KEPT_LONGEST else -1


def _hit(table: pa.Table, ids: Collection[str]) -> pa.Array:
    """Which rows hold one of the ids."""
    known = pa.array(sorted(ids), pa.string())
    hit = pa.array([False] * table.num_rows, pa.bool_())
    for field_ in table.schema:
        if field_.name not in _SHARED:
            column = table[field_.name].combine_chunks()
            found = _lists(column, known) if field_.name == _LISTED else _holds(column, known)
            hit = hit if found is None else pc.or_(hit, found)
    return hit


def _holds(column: pa.Array, known: pa.Array) -> pa.Array | None:
    """Which values are one of the ids, or lists that hold one; None for a column of something else."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if _is_text(column.type):
        return pc.is_in(column, value_set=known.cast(column.type))
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return None
    inside = column.flatten()
    if pa.types.is_struct(inside.type) and inside.type.get_field_index("id") >= 0:
        inside = inside.field("id")
    if not _is_text(inside.type):
        return None
    rows = pc.list_parent_indices(column).filter(pc.is_in(inside, value_set=known.cast(inside.type)))
    return pc.is_in(pa.array(range(len(column)), pa.int64()), value_set=rows.cast(pa.int64()))


def _lists(column: pa.Array, known: pa.Array) -> pa.Array | None:
    """The same of a text that lists ids; of a column of lists too."""
    if not _is_text(column.type):
        return _holds(column, known)
    return _holds(pc.split_pattern_regex(column, "[ ,]+"), known)


def _rubrics(table: pa.Table, ids: Collection[str]) -> set[str]:
    """The texts of the gone rows that are rubrics or wishes."""
    if not {"criterion_id", "kind", "text"} <= set(table.column_names):
        return set()
    told = pc.is_in(table["kind"].combine_chunks(), value_set=pa.array([RUBRIC, WISHES]))
    return {text for text in table.filter(pc.and_(_hit(table, ids), told))["text"].to_pylist() if text.strip()}


def _exported(messages: pa.Table, names: Collection[str]) -> set[str]:
    """The conversations of these people that stand in what one person exported."""
    mine = pc.and_(pc.is_in(messages["user_hash"], pa.array(sorted(names), pa.string())),
                   pc.is_in(messages["source_format"], pa.array(_EXPORTS)))
    return set(messages.filter(mine)["conv_id"].to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _named(path: Path, rows: pa.Table) -> set[str]:
    """What others may call these rows by: their key, where it is an id."""
    name = footer(path)[0]
    known = TABLES.get(name)
    more = {CHAT_MESSAGES.name: "conv_id", RESPONSES.name: "request_id"}
    keys = {known.key[0], more.get(name, known.key[0])} if known else set()
    return {value for key in keys if key.endswith("_id") and key in rows.column_names
            for value in rows[key].to_pylist() if value is not None}


def _answers(tables: dict[Path, pa.Table], build: Build, ids: Collection[str]) -> set[str]:
    """The prompts and answers that gone messages became; no column says so, their ids do."""
    parts = [tables.get(build.file(name)) for name in ("messages", "feedback_events")]
    if parts[0] is None or parts[1] is None:
        return set()
    messages, events = (pl.DataFrame(pl.from_arrow(part)) for part in parts)
    named = pl.col("conv_id").is_in(list(ids))
    found = logged(licensed_only=False).answers(messages.filter(named), events.filter(named))
    return {name for answer in found.all() for name in (answer.prompt_id, answer.response_id)}


def _replace(path: Path, rows: pa.Table) -> None:
    beside = path.with_name(f".{path.name}.new")
    pq.write_table(rows, beside, compression="zstd")
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
