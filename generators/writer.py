"""The one segment that this process writes to: one write a record, whole or not at all."""

import os
import secrets
import time
from pathlib import Path

from generators.locks import locked_file
from generators.segments import SUFFIX, Found, read_from, scan, write_sidecar
from schemas.errors import StoreError


class Writer:
    """A new segment, locked for as long as we write to it, so that others know that it may still grow."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}{SUFFIX}"
        self.fd = locked_file(self.path)
        self.born = time.monotonic()
        self.found = Found(end=0)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.found.end

    def append(self, data: bytes) -> int:
        """Write the lines and return their offset; StoreError, and the file as before, when the disk is full."""
        glue = self._settle()
        start = self.found.end + len(glue)
        try:
            self._write(glue + data if glue else data)
        except OSError as error:
            self._settle()
            raise StoreError(
                f"cannot write to {self.path}: {error.strerror}; free space there (or move WINNOW_HOME to a larger "
                "disk) and run the same command again: every reply stored so far is kept"
            ) from error
        self.found.end = start + len(data)
        return start

    def seal(self) -> None:
        """Write the sidecar, so that others need not scan, and give up the lock; nothing is appended afterwards."""
        try:
            self._settle()
            write_sidecar(self.path, self.found)
        except OSError:
            pass  # the sidecar only spares time; whoever opens the store next scans instead
        finally:
            os.close(self.fd)

    def _write(self, data: bytes) -> None:
        written = os.write(self.fd, data)
        while written < len(data):
            written += os.write(self.fd, data[written:])

    def _settle(self) -> bytes:
        """Make what we know of the file true after a write that failed or was interrupted.

        Whole lines count, part of a line is cut off. Where it cannot be cut off, the newline is returned that the next
        record must begin with.
        """
        size = os.lseek(self.fd, 0, os.SEEK_END)
        if size == self.found.end:
            return b""
        more = scan(read_from(self.fd, self.found.end), self.found.end)
        self.found.rows.extend(more.rows)
        self.found.forgets.extend(more.forgets)
        self.found.damaged += more.damaged
        self.found.end = more.end
        try:
            os.ftruncate(self.fd, more.end)
        except OSError:
            if more.end < size:
                self.found.damaged.append(more.end)
                self.found.end = size
                return b"\n"
        return b""
