"""Parquet shards: plain features, deterministic bytes, and a footer that `datasets` reads its features from.

Polars' own Parquet carries large lists of large strings and categories, which come back as features no trainer knows.
Here every column is plain: string, number, boolean, list, struct.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

SHARD_ROWS = 50_000
"""Rows in a shard, unless told."""
_GROUP_ROWS = 5_000
"""Rows in a row group: what the Hub's viewer reads at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a dataset folder."""

    path: str
    """Relative to the folder, with forward slashes."""
    config: str | None
    split: str | None
    rows: int | None
    bytes: int
    sha256: str


def write_shards(root: Path, config: str, rows: pl.DataFrame, shard_rows: int = SHARD_ROWS) -> list[File]:
    """Write `<config>/<split>-00000-of-N.parquet` for each value of the column `split`, in the order of the rows."""
    files = []
    for split in ("train", "test"):
        part = rows.filter(pl.col("split") == split).drop("split")
        total = -(-part.height // shard_rows)
        for number in range(total):
            path = f"{config}/{split}-{number:05d}-of-{total:05d}.parquet"
            shard = part.slice(number * shard_rows, shard_rows)
            _write(shard, root / path)
            files.append(describe(root, path, config=config, split=split, rows=shard.height))
    return files


def describe(root: Path, path: str, *, config: str | None = None, split: str | None = None,
             rows: int | None = None) -> File:
    """A file as the manifest names it."""
    with (root / path).open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    size = (root / path).stat().st_size
    return File(path=path, config=config, split=split, rows=rows, bytes=size, sha256=checksum)


def plain(kind: pa.DataType) -> pa.DataType:
    """The type without large offsets, views or dictionaries, at every depth."""
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in kind])
    return kind


def features(schema: pa.Schema) -> dict[str, Any]:
    """The columns in the words of the `datasets` library; a TypeError for a type that is not plain."""
    return {field.name: _feature(field.type) for field in schema}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    names = {"double": "float64", "float": "float32"}
    if pa.types.is_string(kind) or pa.types.is_primitive(kind):
        return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}
    raise TypeError(f"{kind} is not a plain type")


def _write(rows: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [pa.field(field.name, plain(field.type)) for field in rows.head(0).to_arrow().schema]
    told = json.dumps({"info": {"features": features(pa.schema(fields))}})
    schema = pa.schema(fields, metadata={"huggingface": told})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True,
                          use_content_defined_chunking=True) as writer:
        for group in _groups(rows):
            writer.write_table(group.to_arrow().cast(schema), row_group_size=_GROUP_ROWS)


def _groups(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Slices of one row group each: casting a slice keeps 32-bit offsets from overflowing on long texts."""
    return (rows.slice(start, _GROUP_ROWS) for start in range(0, rows.height, _GROUP_ROWS))
