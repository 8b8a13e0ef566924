"""What a table is: columns with Arrow types and one line of meaning each, a key, rules; checked on every write.

A table file is Parquet whose footer names the schema and its version, so that a reader without Winnow's code can
refuse what it does not know.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import SchemaError
from schemas.no_pandas import spare_pandas

spare_pandas()


_NAME = b"winnow.table"
_VERSION = b"winnow.version"
_BLOCK = 4096
_GROUP = 65536
"""Rows of a group of a file."""
_PIECE = 8192
# Files are read by one thread: others would keep what they have freed, which is as much as the rows, or more.


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: pa.DataType
    meaning: str
    null: str = ""
    """When the value is null, in words; empty: never."""
    values: tuple[str, ...] = ()
    """The only values allowed, if there are few."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing every row of a table must satisfy."""

    name: str
    holds: Callable[[pa.Table], pa.ChunkedArray]
    """From the table, one boolean a row."""


@dataclass(frozen=True, slots=True)
class Violation:
    """How many rows break a rule of a table, with up to three of their ids."""

    table: str
    rule: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}: {self.count} row(s) break the rule '{self.rule}', for example {', '.join(self.examples)}"


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of table: what one row is, its columns, its key and its rules."""

    name: str
    version: int
    meaning: str
    """What one row is."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the table's name and version in its metadata."""
        fields = [pa.field(column.name, column.type) for column in self.columns]
        return pa.schema(fields, metadata={_NAME: self.name.encode(), _VERSION: str(self.version).encode()})

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """The rows as an Arrow table of this schema; a missing field is null, an unknown one an error."""
        names = {column.name for column in self.columns}
        batches, left = [], iter(rows)
        while block := list(islice(left, _BLOCK)):  # rows as dictionaries take ten times the memory of columns
            for row in block:
                if unknown := row.keys() - names:
                    raise SchemaError(f"{self.name}: no column is called {', '.join(sorted(unknown))}")
            arrays = [pa.array([row.get(column.name) for row in block], type=column.type) for column in self.columns]
            batches.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))
        return pa.Table.from_batches(batches, schema=self.schema)

    def conform(self, table: pa.Table) -> pa.Table:
        """The table with exactly our columns, in our order and types; a missing nullable column becomes null."""
        arrays = []
        for column in self.columns:
            if column.name in table.column_names:
                arrays.append(table[column.name].cast(column.type))
            elif column.null:
                arrays.append(pa.nulls(table.num_rows, column.type))
            else:
                raise SchemaError(f"{self.name}: column '{column.name}' is missing ({column.meaning})")
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def check(self, table: pa.Table) -> tuple[list[Violation], pa.ChunkedArray]:
        """Every violation, and one boolean a row: true where the row breaks at least one rule."""
        broken = pa.chunked_array([pa.array([False] * table.num_rows, pa.bool_())])
        violations = []
        for rule in self._all_rules():
            bad = pc.invert(pc.fill_null(rule.holds(table), False))
            count = pc.sum(bad).as_py() or 0
            if count:
                violations.append(Violation(self.name, rule.name, count, self._examples(table.filter(bad))))
                broken = pc.or_(broken, bad)
        return violations, broken

    def write(self, table: pa.Table, path: Path, quarantine: Path | None = None) -> None:
        """Check the rows and write them as one Parquet file, whole or not at all.

        Raises SchemaError when a rule is broken; the offending rows then lie in `quarantine` (default: beside `path`)
        with the rules they break, and `path` is not touched.
        """
        conformed = self.conform(table)
        violations, broken = self.check(conformed)
        if violations:
            aside = quarantine or path.with_name(f"{path.stem}.quarantine.parquet")
            _write(conformed.filter(broken), aside)
            told = "\n".join(map(str, violations))
            raise SchemaError(f"{told}\nThe offending rows are in {aside}")
        _write(conformed, path)

    def write_pieces(self, pieces: Iterable[pa.Table], path: Path, quarantine: Path | None = None) -> None:
        """The same for rows that come in pieces, of which few are in memory at a time; the file is the one of `write`.

        Rules are asked of each piece, but the key of all rows.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.pieces")
        keys: list[pa.Table] = []
        sound = True
        try:
            with pq.ParquetWriter(beside, self.schema, compression="zstd") as file:
                for rows in _grouped((self.conform(piece) for piece in pieces), self.schema.empty_table()):
                    keys.append(rows.select(self.key))
                    sound = sound and not self.check(rows)[0]
                    file.write_table(rows, row_group_size=_GROUP)
                    pa.default_memory_pool().release_unused()
            if not sound or not pc.all(_unique(self.key)(pa.concat_tables(keys))).as_py():
                self.write(pq.read_table(beside), path, quarantine)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def read(self, path: Path, columns: list[str] | None = None) -> pa.Table:
        """The rows of a file that we wrote; another table, or another version of this one, is a SchemaError."""
        self._refuse_others(path)
        return pq.read_table(path, columns=columns, use_threads=False)

    def read_pieces(self, path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The same rows in pieces, in their order; without any, one piece of no rows."""
        self._refuse_others(path)
        with pq.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                yield file.read(columns=columns)
            for batch in file.iter_batches(_PIECE, columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])

    def _refuse_others(self, path: Path) -> None:
        found = footer(path)
        if found != (self.name, self.version):
            raise SchemaError(f"{path} holds {found[0]} version {found[1]}, not {self.name} version {self.version}")

    def _all_rules(self) -> list[Rule]:
        filled = [Rule(f"{c.name} is filled", _filled(c.name)) for c in self.columns if not c.null]
        listed = [Rule(f"{c.name} is one of {', '.join(c.values)}", _one_of(c)) for c in self.columns if c.values]
        return [*filled, Rule(f"{', '.join(self.key)} is unique", _unique(self.key)), *listed, *self.rules]

    def _examples(self, rows: pa.Table) -> tuple[str, ...]:
        picked = rows.select(self.key).slice(0, 3).to_pylist()
        return tuple("/".join(str(value) for value in row.values()) for row in picked)


def footer(path: Path) -> tuple[str, int]:
    """The table name and version in a Parquet file's footer; ("unknown", 0) where a file was not written by us."""
    metadata = pq.read_schema(path).metadata or {}
    return metadata.get(_NAME, b"unknown").decode(), int(metadata.get(_VERSION, b"0"))


def _write(table: pa.Table, path: Path) -> None:
    """Write beside the goal, then rename: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, beside, compression="zstd", row_group_size=_GROUP)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _grouped(pieces: Iterable[pa.Table], none: pa.Table) -> Iterator[pa.Table]:
    """The rows in tables of one group each, whatever pieces they come in; without any, one table of no rows."""
    held, some = none, False
    for piece in pieces:
        held = pa.concat_tables([held, piece])
        while held.num_rows >= _GROUP:
            group, held, some = held.slice(0, _GROUP).combine_chunks(), held.slice(_GROUP), True
            yield group
    if held.num_rows or not some:
        yield held.combine_chunks()


def _filled(name: str) -> Callable[[pa.Table], pa.ChunkedArray]:
    return lambda table: pc.is_valid(table[name])


def _one_of(column: Column) -> Callable[[pa.Table], pa.ChunkedArray]:
    allowed = pa.array(column.values, pa.string())
    return lambda table: pc.or_(pc.is_null(table[column.name]), pc.is_in(table[column.name], value_set=allowed))


def _unique(key: tuple[str, ...]) -> Callable[[pa.Table], pa.ChunkedArray]:
    def holds(table: pa.Table) -> pa.ChunkedArray:
        keys = table.select(key).append_column("n", pa.array(range(table.num_rows), pa.int64()))
        first = keys.group_by(list(key)).aggregate([("n", "min")])["n_min"]
        return pa.chunked_array([pc.is_in(keys["n"].combine_chunks(), value_set=first.combine_chunks())])

    return holds
