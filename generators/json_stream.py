"""JSON values that stand one after another in a file, found one by one in bounded memory.

Only brackets and quotes are looked at here; what stands between them is parsed, value by value, by whoever asked.
"""

import re
from collections.abc import Iterator
from typing import IO

LONGEST = 64 << 20
"""Bytes of the longest line or value that is read; a longer one is counted and passed over."""
_CHUNK = 1 << 20
_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?[\s]*+")
_GAP = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(rb'[^,\]\n]*+')
_OUTSIDE = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\\n]++|\\.)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_INSIDE = re.compile(rb'(?:[^"\\\n]++|\\.)*+', re.DOTALL)
_OPENED_BY = {ord("}"): ord("{"), ord("]"): ord("[")}


class CutOff(Exception):
    """The file ends before its values do."""


def lines(file: IO[bytes], longest: int = LONGEST) -> Iterator[bytes | None]:
    """Each line of the file; None for one too long."""
    while line := file.readline(longest + 1):
        if len(line) <= longest or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
            pass
        yield None


def values(file: IO[bytes], longest: int = LONGEST) -> Iterator[bytes | None]:
    """Each element of the file's array, or each of the values it holds one after another; None for one too long.

    A value whose brackets or quotes do not match is given up to the next line that begins as the values before it did,
    where there is one. Raises CutOff where the file ends within a value, or before its array does.
    """
    scan = _Scan(file, longest)
    scan.skip(_BEGIN)
    array = scan.next == b"["
    scan.at += array
    while True:
        scan.skip(_GAP)
        if not scan.next and not array:
            return
        if not scan.next:
            raise CutOff
        if array and scan.next == b"]":
            return
        yield scan.value()


class _Scan:
    """A place in a file, and the bytes since the start of the value that stands there."""

    def __init__(self, file: IO[bytes], longest: int):
        self._file = file
        self._longest = longest
        self._buffer = b""
        self._start = 0
        self._mark = b""
        """The line break and the spaces that values follow, where they begin lines."""
        self._quoted = False
        self._open = bytearray()
        self.at = 0

    @property
    def next(self) -> bytes:
        """The byte at this place; empty at the end of the file."""
        if self.at == len(self._buffer):
            self._more()
        return self._buffer[self.at:self.at + 1]

    def skip(self, pattern: re.Pattern[bytes]) -> None:
        """Go past all that matches, and see how the value that follows is set."""
        self._start = self.at
        self._past(pattern)
        line = self._buffer.rfind(b"\n", self._start, self.at)
        if line >= 0:
            self._mark = self._buffer[line:self.at]

    def value(self) -> bytes | None:
        """The value that begins at this place, which it goes past; None where it is too long."""
        self._start = self.at
        if self.next not in (b"{", b"["):
            self._past(_SCALAR)
            self.at += self.at == self._start  # a stray comma or bracket: never stand still
            return self._buffer[self._start:self.at]
        self._open, self._quoted = bytearray(), False
        whole = True
        while (ended := self._closed()) is None:
            if len(self._buffer) - self._start > self._longest:
                if self._next_marked():
                    return self._buffer[self._start:self.at]
                whole, self._start = False, self.at
            if not self._more():
                ended = False
                break
        if not ended and not self._next_marked():
            raise CutOff
        return self._buffer[self._start:self.at] if whole and self.at - self._start <= self._longest else None

    def _closed(self) -> bool | None:
        """Whether the value ends (True), cannot end (False), or goes on beyond the bytes that are here (None)."""
        buffer, at, end = self._buffer, self.at, len(self._buffer)
        while True:
            if self._quoted:
                at = _found(_INSIDE, buffer, at)
                if at == end or (at == end - 1 and buffer[at] == ord("\\")):
                    break
                if buffer[at] != ord('"'):
                    return False
                at, self._quoted = at + 1, False
            at = _found(_OUTSIDE, buffer, at)
            if at == end:
                break
            byte, at = buffer[at], at + 1
            if byte == ord('"'):
                self._quoted = True
            elif byte in b"{[":
                self._open.append(byte)
            elif self._open.pop() != _OPENED_BY[byte]:
                return False
            elif not self._open:
                self.at = at
                return True
        self.at = at
        return None

    def _next_marked(self) -> bool:
        """Go to the next line that begins as values do."""
        found = self._buffer.find(self._mark + b"{", self._start + 1) if self._mark else -1
        if found >= 0:
            self.at = found
        return found >= 0

    def _past(self, pattern: re.Pattern[bytes]) -> None:
        while self.next and (end := _found(pattern, self._buffer, self.at)) > self.at:
            self.at = end
            if end < len(self._buffer):
                return

    def _more(self) -> bool:
        """Read on, and forget what stands before the start."""
        read = self._file.read(max(_CHUNK, len(self._buffer) - self._start))
        self._buffer = self._buffer[self._start:] + read
        self.at -= self._start
        self._start = 0
        return bool(read)


def _found(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    """Where the pattern, which matches the empty string too, ends."""
    match = pattern.match(buffer, at)
    return at if match is None else match.end()
