"""Where each record of the reply store lies: 24 bytes an entry in sorted arrays, the newest in a dictionary."""

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Columns = tuple[Words, Words, Words]
"""Groups, keys, locations; the i-th of each are one entry."""

_FRESH = 8192
_TWO_WORDS = struct.Struct(">QQ")


class Locations:
    """A multimap from (group, key) to locations; group and key are 64-bit digests, together 128 bits of one name.

    All entries of a group can be listed, which is how the replies of a request and the requests of a prompt are found.
    Equal keys may have many locations, so that the content never depends on the order of adding.
    """

    def __init__(self) -> None:
        self._fresh: dict[int, list[tuple[int, int]]] = {}
        self._fresh_count = 0
        self._settle(columns_of([]))

    def __len__(self) -> int:
        return len(self._groups) + self._fresh_count

    def add(self, group: int, key: int, location: int) -> None:
        """Remember one entry."""
        self._fresh.setdefault(group, []).append((key, location))
        self._fresh_count += 1
        if self._fresh_count > max(_FRESH, len(self._groups) >> 6):
            self.extend([])

    def extend(self, more: Sequence[Columns]) -> None:
        """Remember many entries, and move the newest into the arrays."""
        fresh = columns_of([word for row in self._fresh_rows() for word in row])
        self._fresh, self._fresh_count = {}, 0
        new = _joined([fresh, *more])
        order = np.lexsort((new[1], new[0]))
        at = np.searchsorted(self._columns[0], new[0][order], side="right")
        groups, keys, locations = (  # one column after the other, for they may be large
            np.insert(column, at, come[order]) for column, come in zip(self._columns, new, strict=True))
        self._settle((groups, keys, locations))

    def find(self, group: int, key: int) -> list[int]:
        """The locations of one key."""
        found = [location for k, location in self._fresh.get(group, ()) if k == key]
        start, end = self._span(group)
        if start < end:
            low, high = bisect_left(self._keys, key, start, end), bisect_right(self._keys, key, start, end)
            found += self._locations[low:high]
        return found

    def group(self, group: int) -> list[tuple[int, int]]:
        """The (key, location) entries of one group, in no order."""
        start, end = self._span(group)
        old = zip(self._keys[start:end], self._locations[start:end], strict=True)
        return [*self._fresh.get(group, ()), *old]

    def _span(self, group: int) -> tuple[int, int]:
        start = bisect_left(self._groups, group)
        if start == len(self._groups) or self._groups[start] != group:
            return 0, 0
        return start, bisect_right(self._groups, group, start)

    def _settle(self, columns: Columns) -> None:
        """Take columns that are sorted by their first part; order the second within the groups that need it."""
        groups, keys, locations = columns
        unsorted = groups[1:][(groups[1:] == groups[:-1]) & (keys[1:] < keys[:-1])]
        if len(unsorted):
            mixed = np.flatnonzero(np.isin(groups, unsorted))
            order = mixed[np.lexsort((keys[mixed], groups[mixed]))]
            keys[mixed], locations[mixed] = keys[order], locations[order]
        self._columns = columns
        self._groups, self._keys, self._locations = (column.data for column in columns)

    def _fresh_rows(self) -> Iterator[tuple[int, int, int]]:
        for group, entries in self._fresh.items():
            for key, location in entries:
                yield group, key, location


def columns_of(entries: Sequence[int]) -> Columns:
    """Columns from a flat sequence: group, key, location, group, key, ..."""
    table = np.array(entries, dtype=np.uint64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _joined(parts: Sequence[Columns]) -> Columns:
    groups, keys, locations = zip(*parts, strict=True)
    return np.concatenate(groups), np.concatenate(keys), np.concatenate(locations)


def words(name: str) -> tuple[int, int]:
    """The first two 64-bit words of a name's SHA-256."""
    group, key = _TWO_WORDS.unpack_from(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())
    return group, key
