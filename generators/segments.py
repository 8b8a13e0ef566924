"""Segments of the reply store: checksummed lines, reading past damage, and the sidecar that spares a second reading."""

import json
import os
import secrets
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from generators.locations import Columns, columns_of, words

SUFFIX = ".jsonl"
SIDECAR = ".index"
_PYTHON = "python_json"
_PAGE = 8192
_WORD = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15
OFFSET_BITS = 40
"""A location is a segment number above an offset of so many bits."""


def encode(record: Mapping[str, Any]) -> bytes:
    """One line: CRC-32 of the JSON in hex, a space, the JSON, a newline."""
    try:
        text = orjson.dumps(record)
    except TypeError:  # lone surrogates and integers beyond 64 bits are JSON, but not to orjson
        text = orjson.dumps({_PYTHON: json.dumps(record, allow_nan=False)})
    return b"%08x %b\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its newline; None when it is damaged."""
    text = line[9:]
    try:
        if line[8:9] != b" " or int(line[:8], 16) != zlib.crc32(text):
            return None
        record: dict[str, Any] = orjson.loads(text)
        return dict(json.loads(record[_PYTHON])) if _PYTHON in record else record
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def request_key(request_id: str) -> tuple[int, int]:
    """(group, key) of a request record; the group holds the request's replies too."""
    return words(f"request\x00{request_id}")


def reply_key(request_id: str, sample: int, attempt: int) -> tuple[int, int]:
    """(group, key) of a reply."""
    group, key = request_key(request_id)
    return group, (key + 1 + (sample << 24) + attempt) & _WORD


def link_key(prompt_id: str, request_id: str) -> tuple[int, int]:
    """(group, key) of a link record; the group holds all of the prompt's."""
    return prompt_group(prompt_id), words(f"link\x00{prompt_id}\x00{request_id}")[1]


@lru_cache(maxsize=1024)
def prompt_group(prompt_id: str) -> int:
    """The group of a prompt's links."""
    return words(f"prompt\x00{prompt_id}")[0]


def claim_number(request_id: str, sample: int, attempt: int) -> int:
    """A 62-bit number of a reply's key."""
    group, key = reply_key(request_id, sample, attempt)
    return (group ^ key * _ODD) & (1 << 62) - 1


@dataclass(slots=True)
class Found:
    """What a stretch of a segment holds."""

    end: int
    """Where the last complete line ends."""
    rows: "array[int]" = field(default_factory=lambda: array("Q"))
    """Group, key, offset of each request, link and reply, one after the other."""
    forgets: "array[int]" = field(default_factory=lambda: array("Q"))
    """Group, key, CRC-32 of each reply record that is to be forgotten, one after the other."""
    damaged: list[int] = field(default_factory=list)
    """Offsets of lines that are not what was written."""


def lines(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each complete line of the data with its offset; `offset` is where the data starts in the file."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        if end > start:
            yield offset + start, data[start:end]
        start = end + 1


def scan(data: bytes, offset: int) -> Found:
    """Find the records of the data, which starts at the offset of its file."""
    found = Found(end=offset + data.rfind(b"\n") + 1)
    for at, line in lines(data, offset):
        record = decode(line)
        kind = record and record["kind"]
        if record is None:
            found.damaged.append(at)
        elif kind == "reply":
            found.rows.extend((*reply_key(record["request_id"], record["sample"], record["attempt"]), at))
        elif kind == "request":
            found.rows.extend((*request_key(record["request_id"]), at))
        elif kind == "link":
            found.rows.extend((*link_key(record["prompt_id"], record["request_id"]), at))
        elif kind == "forget":
            key = reply_key(record["request_id"], record["sample"], record["attempt"])
            found.forgets.extend((*key, int(record["crc"], 16)))
    return found


def read_line(fd: int, offset: int) -> bytes:
    """The line that starts at the offset, without its newline; what there is, when the file ends before one."""
    size = _PAGE
    while True:
        data = os.pread(fd, size, offset)
        end = data.find(b"\n")
        if end >= 0 or len(data) < size:
            return data[:end] if end >= 0 else data
        size *= 8


def read_from(fd: int, offset: int) -> bytes:
    """All bytes of the file from the offset on."""
    parts, end = [], os.lseek(fd, 0, os.SEEK_END)
    while offset < end and (part := os.pread(fd, end - offset, offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def write_sidecar(segment: Path, found: Found) -> None:
    """Write what was found beside the segment, valid for as long as its length and time of change stay the same."""
    stat = segment.stat()
    body = found.rows.tobytes() + found.forgets.tobytes()
    head = {
        "length": stat.st_size, "mtime_ns": stat.st_mtime_ns, "end": found.end, "rows": len(found.rows) // 3,
        "damaged": found.damaged, "crc": zlib.crc32(body),
    }
    hidden = segment.with_name(f".{segment.stem}.{secrets.token_hex(4)}")
    try:
        hidden.write_bytes(orjson.dumps(head) + b"\n" + body)
        hidden.replace(segment.with_suffix(SIDECAR))
    finally:
        hidden.unlink(missing_ok=True)


def read_sidecar(segment: Path) -> Found | None:
    """The segment's sidecar; None when it is missing, damaged, or older than the segment."""
    try:
        head_line, _, body = segment.with_suffix(SIDECAR).read_bytes().partition(b"\n")
        stat, head = segment.stat(), orjson.loads(head_line)
    except (OSError, ValueError):
        return None
    if [head["length"], head["mtime_ns"], head["crc"]] != [stat.st_size, stat.st_mtime_ns, zlib.crc32(body)]:
        return None
    rows, forgets = array("Q"), array("Q")
    rows.frombytes(body[: head["rows"] * 24])
    forgets.frombytes(body[head["rows"] * 24:])
    return Found(head["end"], rows, forgets, head["damaged"])


def locations(found: Found, segment: int) -> Columns:
    """The rows of a scan as entries of the whole store; `segment` is the segment's number."""
    groups, keys, offsets = columns_of(found.rows)
    return groups, keys, offsets | np.uint64(segment << OFFSET_BITS)
