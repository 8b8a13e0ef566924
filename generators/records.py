"""Records of a source, each with the place it stands at: JSON Lines, JSON, CSV, Parquet, zip archives, datasets."""

import csv
import glob
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
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

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

    `path` is a file, a glob, a folder that `datasets` reads, or `hf:org/name`; of a zip archive, its JSON files. Raises
    InputError for what is wrong with a whole file: it is missing, cut off, or of no known format.
    """
    if path.startswith("hf:") or Path(path).is_dir():
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


def each_file(path: str) -> Iterator[File]:
    """The files that `path` means, in the order of their names, each opened as it is read; a dataset is one file."""
    if path.startswith("hf:"):
        yield File(path, _dataset(path, None, None))
        return
    found = files_of(path)
    if not found and Path(path).is_dir():
        raise InputError(f"{path}: the folder is empty; put the files there, or name another folder")
    if not found:
        raise InputError(f"{path}: there is no such file (looked from {Path.cwd()}); check the path")
    for name in found:
        with _readable(name), name.open("rb") as file:
            archive = file.read(4) == b"PK\x03\x04"
        yield from _members(name) if archive else [File(str(name), _file(name))]


def files_of(path: str) -> list[Path]:
    """The files of this machine that `path` means, by name; none for a dataset of the Hub."""
    if Path(path).is_file():
        return [Path(path)]
    pattern = f"{glob.escape(path)}/**" if Path(path).is_dir() else path
    named = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207 - path may be absolute
    return [name for name in named if name.is_file() or pattern == path]


def _members(path: Path) -> Iterator[File]:
    """The JSON files of an archive, in the order of their names; pages and pictures beside them are no records."""
    with _readable(path), zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if MEMBERS.search(name))
    for name in names:
        yield File(f"{path}/{name}", _member(path, name), in_archive=True)


def _member(path: Path, name: str) -> Iterator[Record | Broken]:
    with _readable(path / name), zipfile.ZipFile(path) as archive, archive.open(name) as file:
        yield from _text(path / name, file)


def _file(path: Path) -> Iterator[Record | Broken]:
    with _readable(path):
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            yield from _parquet(path)
            return
        with _open(path, head) as file:
            yield from _text(path, file)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a whole file into an InputError."""
    try:
        yield
    except CutOff as error:
        told = "begins like a JSON array, but is none (cut off, or its brackets do not match)"
        raise InputError(f"{path}: {told}; mend it, or write one object a line") from error
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read ({error}); is it whole, and yours to read?") from error


def _open(path: Path, head: bytes) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if head.startswith(b"\x1f\x8b") else path.open("rb")


def _text(path: Path, file: IO[bytes]) -> Iterator[Record | Broken]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
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


def _json_lines(path: Path, file: IO[bytes]) -> Iterator[Record | Broken]:
    name = str(path)
    for number, line in enumerate(lines(file), 1):
        if line is None:
            yield _too_long(f"{name}, line {number}")
            continue
        bare = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if bare:
            yield _json_record(bare, path, f"{name}, line {number}")


def _json_values(path: Path, file: IO[bytes]) -> Iterator[Record | Broken]:
    for number, value in enumerate(values(file), 1):
        place = f"{path}, record {number}"
        yield _too_long(place) if value is None else _json_record(value, path, place)


def _too_long(place: str) -> Broken:
    told = f"is longer than {LONGEST >> 20} MB, and was passed over; split it"
    return Broken(place, "too long", told)


def _json_record(line: bytes, path: Path, place: str) -> Record | Broken:
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


def _csv(path: Path, file: IO[bytes], delimiter: str) -> Iterator[Record | Broken]:
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


def _csv_record(names: list[str], values: list[str], path: Path, place: str) -> Record | Broken:
    if len(values) != len(names):
        told = f"has {len(values)} fields, the header {len(names)}; quote fields that hold a comma or a line break"
        return Broken(place, "wrong number of fields", told)
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return Broken(place, "not UTF-8", "holds bytes that are not UTF-8; save the file as UTF-8")
    return Record(dict(zip(names, values, strict=True)), place, source_name(path))


def _parquet(path: Path) -> Iterator[Record]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
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
def source_name(path: Path) -> str:
    """The file's name without the suffixes we read."""
    return SUFFIXES.sub("", path.name) or path.name


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
