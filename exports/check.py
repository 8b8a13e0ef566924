"""Does a dataset folder still hold what its manifest says, in a form that loads?"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exports.manifest import MANIFEST, read_manifest
from exports.shards import features
from schemas.errors import ExportError


def verify(folder: Path) -> list[str]:
    """Every problem of a dataset folder, in words; an empty list where it is what its manifest says.

    Looked for: missing, changed and strange files, wrong counts, columns whose types would not come back plain.
    """
    try:
        told = read_manifest(folder)
    except ExportError as error:
        return [str(error)]
    try:
        return [*_strange(folder, told), *_files(folder, told), *_counts(told)]
    except (KeyError, TypeError, AttributeError) as error:
        return [f"{folder / MANIFEST} is damaged ({error!r}); export the dataset again"]


def _strange(folder: Path, told: Mapping[str, Any]) -> Iterator[str]:
    named = {MANIFEST, *(file["path"] for file in told["files"])}
    for path in sorted(folder.rglob("*")):
        if not path.is_dir() and (name := path.relative_to(folder).as_posix()) not in named:
            yield f"{name} is not in the manifest"


def _files(folder: Path, told: Mapping[str, Any]) -> Iterator[str]:
    for file in told["files"]:
        path = folder / file["path"]
        if not path.is_file():
            yield f"{file['path']} is missing"
        elif path.stat().st_size != file["bytes"]:
            yield f"{file['path']} has {path.stat().st_size} bytes, not {file['bytes']}"
        elif _sha256(path) != file["sha256"]:
            yield f"{file['path']} has changed: its SHA-256 is not the manifest's"
        elif file["config"]:
            yield from _shard(path, file, told["configs"][file["config"]]["columns"])


def _shard(path: Path, file: Mapping[str, Any], columns: list[str]) -> Iterator[str]:
    try:
        found = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        yield f"{file['path']} is not Parquet ({error})"
        return
    with found:
        schema, rows = found.schema_arrow, found.metadata.num_rows
    if rows != file["rows"]:
        yield f"{file['path']} has {rows} rows, not {file['rows']}"
    if schema.names != columns:
        yield f"{file['path']} has the columns {', '.join(schema.names)}, not {', '.join(columns)}"
    try:
        expected = features(schema)
    except TypeError as error:
        yield f"{file['path']} would not load with plain features: {error}"
        return
    info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    if info.get("info", {}).get("features") != expected:
        yield f"{file['path']} does not name its features in its footer"


def _counts(told: Mapping[str, Any]) -> Iterator[str]:
    sums: Counter[tuple[str, str]] = Counter()
    for file in told["files"]:
        if file["config"]:
            sums[file["config"], file["split"]] += file["rows"]
    said = {(name, split): rows for name, config in told["configs"].items() for split, rows in config["splits"].items()}
    for place in sorted(sums.keys() | said.keys()):
        if sums[place] != said.get(place, 0):
            yield f"the files of {'/'.join(place)} hold {sums[place]} rows, not {said.get(place, 0)}"
    for name, config in told["configs"].items():
        if sum(config["splits"].values()) != config["rows"]:
            yield f"the splits of {name} do not add up to its {config['rows']} rows"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
