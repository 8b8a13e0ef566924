"""Records of a source, each with the place it stands at: JSON Lines, JSON, CSV, Parquet, zip archives, datasets."""

import csv
import gzip
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePath
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from generators.buckets import is_url, shown
from generators.files import Found, files_of
from generators.json_stream import LONGEST, CutOff, lines, values
from schemas.errors import InputError

SUFFIXES = re.compile(r"(\.(jsonl|ndjson|json|csv|tsv|parquet|pq))?(\.gz)?$")
MEMBERS = re.compile(r"\.(json|jsonl|ndjson)$", re.IGNORECASE)
"""The files of an archive that are read."""
_BOM = "\ufeff"
_COLUMN = re.compile(r"[^\W\d][\w.$:-]{0,39}")
"""What is the name of a column as a rule; of a table without a header the first row's texts would be names."""


class Broken(InputError):
    """A record that cannot be used: where it stands, what is wrong, what to do; `reason` counts it in a funnel."""

    def __init__(self, place: str, reason: str, told: str):
        super().__init__(f"{place}: {told}")
        self.place = place
        self.reason = reason
        self.told = told


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a source."""

    fields: dict[str, Any]
    place: str
    """Where it stands, for messages: file and line."""
    source: str
    """The file's name without its suffixes, or the dataset's name."""

    def get(self, name: str) -> Any:
        """The value of a column; `turns.0` also reaches into nested values. Raises Broken where there is none."""
        if name in self.fields:
            return self.fields[name]
        value: Any = self.fields
        for part in name.split("."):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise self._missing(name)
        return value

    def _missing(self, name: str) -> Broken:
        near = get_close_matches(name, filter(_COLUMN.fullmatch, self.fields), n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else "name one of these"
        hint += ', as in read(..., text="question")' if name == "prompt" else ""
        return Broken(self.place, f"no column {name}",
                      f"there is no column '{name}'; the columns are {_named(self.fields)}; {hint}")


def records(path: str, config: str | None = None, split: str | None = None) -> Iterator[Record | Broken]:
    """Every record of the files that `path` means, files in the order of their names; a broken one comes as Broken.

    `path` is a file, a glob, a folder that `datasets` reads, `hf:org/name`, or the URL of a bucket; of a zip archive,
    its JSON files. Raises InputError for what is wrong with a whole file: it is missing, cut off, or of no known
    format; BucketError where a bucket fails.
    """
    if _of_hub(path) or Path(path).is_dir():
        yield from _dataset(path, config, split)
        return
    for file in each_file(path):
        yield from file.records


@dataclass(frozen=True, slots=True)
class File:
    """A file of records, or one of those in an archive."""

    name: str
    records: Iterator[Record | Broken]
    in_archive: bool = False
    archive: str = ""
    """The archive that it lies in."""


def each_file(path: str) -> Iterator[File]:
    """The files that `path` means, in the order of their names, each opened as it is read; a dataset is one file."""
    if _of_hub(path):
        yield File(path, _dataset(path, None, None))
        return
    found = files_of(path)
    if not found and Path(path).is_dir():
        raise InputError(f"{path}: the folder is empty; put the files there, or name another folder")
    if not found and is_url(path):
        raise InputError(f"{shown(path)}: there is no such object; check the bucket, the name and the pattern")
    if not found:
        raise InputError(f"{path}: there is no such file (looked from {Path.cwd()}); check the path")
    for file in found:
        yield from files_in(file)


def files_in(found: Found) -> Iterator[File]:
    """The file itself, opened as it is read; of a zip archive its JSON files, in the order of their names.

    Pages and pictures beside them are no records.
    """
    members = _members(found)
    if members is None:
        yield File(found.name, _file(found))
    for name in members or ():
        yield File(f"{found.name}/{name}", _member(found, name), in_archive=True, archive=found.name)


def _members(found: Found) -> list[str] | None:
    """The JSON files of an archive; None where it is none."""
    with _readable(found.name), found.open() as file:
        if file.read(4) != b"PK\x03\x04":
            return None
        with zipfile.ZipFile(file) as archive:
            return sorted(name for name in archive.namelist() if MEMBERS.search(name))


def _of_hub(path: str) -> bool:
    return path.startswith("hf:") and not is_url(path)


def _member(found: Found, name: str) -> Iterator[Record | Broken]:
    place = f"{found.name}/{name}"
    with _readable(place), found.open() as whole, zipfile.ZipFile(whole) as archive, archive.open(name) as file:
        yield from _text(place, file)


def _file(found: Found) -> Iterator[Record | Broken]:
    with _readable(found.name), found.open() as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PAR1":
            yield from _parquet(found.name, file)
        elif head.startswith(b"\x1f\x8b"):
            yield from _text(found.name, cast(IO[bytes], gzip.GzipFile(fileobj=file)))
        else:
            yield from _text(found.name, file)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Turns what goes wrong with a whole file into an InputError."""
    try:
        yield
    except CutOff as error:
        told = "begins like a JSON array, but is none (cut off, or its brackets do not match)"
        raise InputError(f"{path}: {told}; mend it, or write one object a line") from error
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read ({error}); is it whole, and yours to read?") from error


def _text(path: str, file: IO[bytes]) -> Iterator[Record | Broken]:
    suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    start = file.read(1 << 16)
    file.seek(0)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is UTF-16; save it as UTF-8")
    if ".csv" in suffixes or ".tsv" in suffixes:
        yield from _csv(path, file, "\t" if ".tsv" in suffixes else ",")
        return
    first = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"[" or (first == b"{" and _spread(start)):
        yield from _json_values(path, file)
    elif first in (b"{", b"") or {".jsonl", ".ndjson", ".json"} & set(suffixes):
        yield from _json_lines(path, file)
    else:
        raise InputError(f"{path}: its format is not known; name it .jsonl, .json, .csv, .tsv or .parquet")


def _spread(start: bytes) -> bool:
    """Whether an object is spread over lines: its first line opens it, its second is no object."""
    first, _, second = start.removeprefix(_BOM.encode()).lstrip().partition(b"\n")
    return first.rstrip().endswith((b"{", b"[", b",")) and not second.lstrip().startswith(b"{")


def _json_lines(name: str, file: IO[bytes]) -> Iterator[Record | Broken]:
    for number, line in enumerate(lines(file), 1):
        if line is None:
            yield _too_long(f"{name}, line {number}")
            continue
        bare = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if bare:
            yield _json_record(bare, name, f"{name}, line {number}")


def _json_values(path: str, file: IO[bytes]) -> Iterator[Record | Broken]:
    for number, value in enumerate(values(file), 1):
        place = f"{path}, record {number}"
        yield _too_long(place) if value is None else _json_record(value, path, place)


def _too_long(place: str) -> Broken:
    told = f"is longer than {LONGEST >> 20} MB, and was passed over; split it"
    return Broken(place, "too long", told)


def _json_record(line: bytes, path: str, place: str) -> Record | Broken:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _not_json(line, place)
    if not isinstance(value, dict):
        told = f'is {_kind(value)}, not an object; write {{"prompt": "..."}}'
        return Broken(place, "not an object", told)
    return Record(value, place, source_name(path))


def _not_json(line: bytes, place: str) -> Broken:
    try:
        orjson.loads(line.decode())
    except UnicodeDecodeError as error:
        return Broken(place, "not UTF-8", f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
    except orjson.JSONDecodeError as error:
        told = f"is not JSON ({error.msg} at character {error.pos + 1}); mend or delete the line"
        return Broken(place, "not JSON", told)
    return Broken(place, "not JSON", "is not JSON; mend or delete the line")


def _csv(path: str, file: IO[bytes], delimiter: str) -> Iterator[Record | Broken]:
    csv.field_size_limit(sys.maxsize)  # the module's own limit, 128 kB, is shorter than a long document
    # Bytes that are not UTF-8 become lone surrogates here, and are found again in the record they stand in.
    lines = (line.decode("utf-8", "surrogateescape") for line in file)
    reader = csv.reader((line.removeprefix(_BOM) for line in lines), delimiter=delimiter, strict=True)
    try:
        names = next(reader, [])
        if twice := {name for name in names if names.count(name) > 1}:
            raise InputError(f"{path}, line 1: the header names {_named(sorted(twice))} twice; rename one")
        start = reader.line_num + 1
        for values in reader:
            if values:
                yield _csv_record(names, values, path, f"{path}, line {start}")
            start = reader.line_num + 1
    except csv.Error as error:
        told = f"{path}, line {reader.line_num}: is not CSV ({error}); quote the field and double the quotes in it"
        raise InputError(told) from error


def _named(columns: Iterable[str]) -> str:
    """The names of columns; what is no plain name may be anybody's words, and is counted."""
    names = list(columns)
    plain = [name for name in names if _COLUMN.fullmatch(name)]
    others = len(names) - len(plain)
    return ", ".join([*plain, *([f"{others} that are no plain names (is the first line a header?)"] if others else [])]
                     ) or "(none)"


def _csv_record(names: list[str], values: list[str], path: str, place: str) -> Record | Broken:
    if len(values) != len(names):
        told = f"has {len(values)} fields, the header {len(names)}; quote fields that hold a comma or a line break"
        return Broken(place, "wrong number of fields", told)
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return Broken(place, "not UTF-8", "holds bytes that are not UTF-8; save the file as UTF-8")
    return Record(dict(zip(names, values, strict=True)), place, source_name(path))


def _parquet(path: str, file: IO[bytes]) -> Iterator[Record]:
    number = 0
    with pq.ParquetFile(file) as rows:
        for batch in rows.iter_batches(batch_size=1024):
            for fields in batch.to_pylist():
                number += 1
                yield Record(fields, f"{path}, row {number}", source_name(path))


def _dataset(path: str, config: str | None, split: str | None) -> Iterator[Record]:
    import datasets

    name = path.removeprefix("hf:")
    folder = Path(name)
    source = folder.name if folder.is_dir() else name
    try:
        if (folder / "state.json").exists() or (folder / "dataset_dict.json").exists():
            loaded = datasets.load_from_disk(name)
        else:
            loaded = datasets.load_dataset(name, config, streaming=True)  # streaming keeps no copy in a cache
        rows, chosen = _split(loaded, path, split)
        for number, fields in enumerate(rows, 1):
            yield Record(dict(fields), f"{name}[{chosen}], row {number}", source)
    except InputError:
        raise
    except Exception as error:  # what datasets raises is not one family
        told = f"{path}: datasets cannot read it ({error}); check the name, the config and the network"
        raise InputError(told) from error


def _split(loaded: Any, path: str, split: str | None) -> tuple[Any, str]:
    if not isinstance(loaded, dict):
        return loaded, "all"
    chosen = split or ("train" if "train" in loaded else next(iter(loaded)) if len(loaded) == 1 else None)
    if chosen not in loaded:
        raise InputError(f"{path}: say which split to read, split='...', one of {', '.join(loaded)}")
    return loaded[chosen], str(chosen)


@lru_cache(64)
def source_name(path: str) -> str:
    """The file's name without the suffixes we read."""
    name = PurePath(path).name
    return SUFFIXES.sub("", name) or name


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
