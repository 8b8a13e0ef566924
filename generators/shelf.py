"""The reading side of the reply store: all segments of a folder, an index over them, what others append."""

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators.locations import Columns, Locations
from generators.locks import is_locked
from generators.segments import (
    OFFSET_BITS,
    SIDECAR,
    SUFFIX,
    Found,
    decode,
    lines,
    locations,
    read_from,
    read_line,
    read_sidecar,
    reply_key,
    scan,
    write_sidecar,
)

_CLOCK_GRAIN_NS = 50_000_000
_OPEN_FILES = 128
_OFFSET = (1 << OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it lies in a segment."""

    segment: Path
    line: bytes
    """Without its newline."""
    record: dict[str, Any]
    forgotten: bool
    """Whether a forget record names it."""

    @property
    def crc(self) -> str:
        """The checksum, which with its key names a reply record exactly."""
        return self.line[:8].decode()


class Shelf:
    """The segments of a folder; what it answers depends on the set of records only, never on their order."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self.finished: list[Path] = []
        """Segments found sealed, or left behind by a dead writer."""
        self.index = Locations()
        self._folder = folder
        self._folder_fd = os.open(folder, os.O_RDONLY)
        self._segments: list[Path] = []
        self._known: set[str] = set()
        self._live: dict[int, tuple[int, int]] = {}
        """Segments of other writers that may still grow: number → file descriptor, end of what was read."""
        self._files: OrderedDict[int, int] = OrderedDict()
        self._forgotten: dict[tuple[int, int], set[int]] = {}
        self._unreadable: set[int] = set()
        self._look()

    def close(self) -> None:
        """Close all files."""
        for fd in [self._folder_fd, *self._files.values(), *(fd for fd, _ in self._live.values())]:
            os.close(fd)

    def refresh(self) -> None:
        """See new segments and what other writers appended; nearly free when nothing changed."""
        if self._stale or os.fstat(self._folder_fd).st_mtime_ns != self._seen_ns:
            self._look()
        for number, (fd, end) in self._live.items():
            if os.lseek(fd, 0, os.SEEK_END) > end:
                self._read_on(number)

    def enlist(self, path: Path) -> int:
        """The number of a segment that the caller writes, and tells us of by `add`."""
        self._segments.append(path)
        self._known.add(path.name)
        return len(self._segments) - 1

    def add(self, number: int, offset: int, group: int, key: int) -> None:
        """A record was written to an enlisted segment."""
        self.index.add(group, key, number << OFFSET_BITS | offset)

    def forget(self, group: int, key: int, crc: int) -> None:
        """The reply record of this key and checksum counts no more."""
        self._forgotten.setdefault((group, key), set()).add(crc)

    def has(self, group: int, key: int) -> bool:
        """Whether `find` would find something."""
        if self._unreadable or (group, key) in self._forgotten:
            return bool(self.find(group, key))
        return bool(self.index.find(group, key))

    def find(self, group: int, key: int) -> list[Stored]:
        """The records of a key that are neither damaged nor forgotten."""
        found = [stored for location in self.index.find(group, key) if (stored := self.read(location))]
        return [stored for stored in found if not stored.forgotten]

    def read(self, location: int) -> Stored | None:
        """The record at a location of the index; None, and a note, when it is damaged."""
        number, offset = location >> OFFSET_BITS, location & _OFFSET
        try:
            line = read_line(self._file(number), offset)
        except FileNotFoundError:
            line = b""
        if record := decode(line):
            return self._stored(self._segments[number], line, record)
        if location not in self._unreadable:
            self._unreadable.add(location)
            self.notes.append(f"{self._segments[number]}: the record at offset {offset} is damaged and was skipped")
        return None

    def segments(self) -> list[Path]:
        """All segments, in the order of their names."""
        return sorted(self._segments)

    def records(self, segment: Path) -> Iterator[Stored]:
        """Every undamaged record of one segment, in order."""
        fd = os.open(segment, os.O_RDONLY)
        try:
            data = read_from(fd, 0)
        finally:
            os.close(fd)
        for _, line in lines(data):
            if record := decode(line):
                yield self._stored(segment, line, record)

    def _stored(self, segment: Path, line: bytes, record: dict[str, Any]) -> Stored:
        if not self._forgotten or record["kind"] != "reply":
            return Stored(segment, line, record, False)
        crcs = self._forgotten.get(reply_key(record["request_id"], record["sample"], record["attempt"]), ())
        return Stored(segment, line, record, int(line[:8], 16) in crcs)

    def _file(self, number: int) -> int:
        if number in self._files:
            self._files.move_to_end(number)
        else:
            self._files[number] = os.open(self._segments[number], os.O_RDONLY)
            if len(self._files) > _OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])
        return self._files[number]

    def _look(self) -> None:
        """Look for new segments, and at who still writes.

        A look right after a change may miss another of the same tick of the file system's clock: it counts as stale.
        """
        self._seen_ns = os.fstat(self._folder_fd).st_mtime_ns
        self._stale = time.time_ns() - self._seen_ns < _CLOCK_GRAIN_NS
        names = sorted(path.name for path in self._folder.iterdir() if path.suffix == SUFFIX and path.name[0] != ".")
        if new := [self._load(self._folder / name) for name in names if name not in self._known]:
            self.index.extend(new)
        for number in [n for n in self._live if not is_locked(self._segments[n])]:
            self._retire(number)

    def _load(self, path: Path) -> Columns:
        number = self.enlist(path)
        found = read_sidecar(path)
        if found is None:
            live = is_locked(path)  # before reading: what is not locked now does not grow any more
            fd = os.open(path, os.O_RDONLY)
            found = scan(read_from(fd, 0), 0)
            if live:
                self._live[number] = (fd, found.end)
            else:
                os.close(fd)
                self._keep_sidecar(path, found)
        if number not in self._live:
            self.finished.append(path)
            self._note_torn(path, found.end)
        self._take_note(path, found)
        return locations(found, number)

    def _retire(self, number: int) -> None:
        """A live segment's writer sealed it or died."""
        path = self._segments[number]
        self._read_on(number)
        fd, end = self._live.pop(number)
        os.close(fd)
        if not path.with_suffix(SIDECAR).exists():
            self.finished.append(path)
            self._note_torn(path, end)

    def _read_on(self, number: int) -> None:
        fd, end = self._live[number]
        found = scan(read_from(fd, end), end)
        self._live[number] = (fd, found.end)
        self._take_note(self._segments[number], found)
        for group, key, offset in zip(found.rows[::3], found.rows[1::3], found.rows[2::3], strict=True):
            self.add(number, offset, group, key)

    def _take_note(self, path: Path, found: Found) -> None:
        for group, key, crc in zip(found.forgets[::3], found.forgets[1::3], found.forgets[2::3], strict=True):
            self.forget(group, key, crc)
        if found.damaged:
            shown = ", ".join(map(str, found.damaged[:10])) + (", ..." if len(found.damaged) > 10 else "")
            self.notes.append(f"{path}: {len(found.damaged)} damaged record(s) skipped, at offset {shown}")

    def _note_torn(self, path: Path, end: int) -> None:
        if (torn := path.stat().st_size - end) > 0:
            self.notes.append(f"{path}: the last record, at offset {end}, is torn ({torn} bytes) and was ignored")

    def _keep_sidecar(self, path: Path, found: Found) -> None:
        try:
            write_sidecar(path, found)
        except OSError as error:
            self.notes.append(f"{path}: no index was kept ({error.strerror}); it is scanned again at the next opening")
