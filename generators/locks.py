"""Locks that the kernel drops when their process dies: claims on requests, who has a store open, who still writes."""

import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import HeldError, StoreError

_OFD_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", None)


class Claims:
    """Claims on keys among the processes of one machine: one byte of one file locked for each key.

    On Linux the lock belongs to the open file (open file description locks), so that two stores in one process exclude
    each other too; elsewhere it belongs to the process.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._held: set[int] = set()

    def take(self, key: int) -> bool:
        """Claim a 62-bit key; False when anyone holds it, this object included."""
        if key in self._held or not self._set(key, fcntl.F_WRLCK):
            return False
        self._held.add(key)
        return True

    def drop(self, key: int) -> None:
        """Give a key back; one we do not hold is ignored."""
        if key in self._held:
            self._held.discard(key)
            self._set(key, fcntl.F_UNLCK)

    def close(self) -> None:
        """Give all keys back."""
        os.close(self._fd)
        self._held.clear()

    def _set(self, key: int, kind: int) -> bool:
        try:
            if _OFD_SETLK is not None:
                fcntl.fcntl(self._fd, _OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, key, 1, 0))
            else:
                unlock = kind == fcntl.F_UNLCK
                fcntl.lockf(self._fd, fcntl.LOCK_UN if unlock else fcntl.LOCK_EX | fcntl.LOCK_NB, 1, key)
        except (BlockingIOError, PermissionError):
            return False
        return True


class Presence:
    """That this process has a store open: a shared lock on `lock`, and a locked file in `open/` that tells our pid."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "open"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _flock(self._lock, fcntl.LOCK_SH):
            os.close(self._lock)
            raise HeldError(f"the reply store {root} is being pruned by {self._others()}; try again when it is done")
        self._sweep()
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._fd = locked_file(self._path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else opens the store meanwhile; HeldError names the pids of those who have it open now."""
        if not _flock(self._lock, fcntl.LOCK_EX):
            _flock(self._lock, fcntl.LOCK_SH)
            raise HeldError(f"the reply store {self._folder.parent} is open in {self._others()}; wait or stop it")
        try:
            yield
        finally:
            _flock(self._lock, fcntl.LOCK_SH)

    def close(self) -> None:
        """No longer here."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)
        os.close(self._lock)

    def _others(self) -> str:
        own = getattr(self, "_path", None)
        pids = {p.name.split("-")[0] for p in self._folder.iterdir() if p != own and p.name[0] != "." and is_locked(p)}
        return f"process {', '.join(sorted(pids))}" if pids else "another process"

    def _sweep(self) -> None:
        for path in self._folder.iterdir():
            if path.name[0] != "." and not is_locked(path):
                path.unlink(missing_ok=True)


def locked_file(path: Path) -> int:
    """A new file that is locked before anyone can see it under its name; the open file descriptor."""
    hidden = path.with_name(f".{path.name}")
    try:
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except OSError as error:
        raise StoreError(f"cannot create {path}: {error.strerror}; make the folder writable or free space") from error
    _flock(fd, fcntl.LOCK_EX)
    hidden.replace(path)
    return fd


def is_locked(path: Path) -> bool:
    """Whether the process that made the file with `locked_file` still lives; False when the file is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
