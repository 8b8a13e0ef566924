"""Who asked to be forgotten: salted digests, kept so that the same logs, read again, do not bring them back."""

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path

from schemas.errors import ConfigError

FILE = "forgotten"
_NAME = re.compile(r"[0-9a-f]{24}")


def forgotten(home: Path) -> frozenset[str]:
    """The digests of users, or of single conversations, whose rows are left out; raises ConfigError for a spoilt file.

    Rows are left out by this file alone, so it is never passed over when it cannot be read.
    """
    path = home / FILE
    names = frozenset(path.read_text("utf-8", "replace").split()) if path.exists() else frozenset[str]()
    if wrong := [name for name in names if not _NAME.fullmatch(name)]:
        raise ConfigError(f"{path}: {len(wrong)} line(s) are no digest of 24 hex digits; mend them, or put the file "
                          "back from a copy: who is not named here comes back with the next build")
    return names


def remember(home: Path, names: Iterable[str]) -> None:
    """Add digests to those that are left out; on disk once this returns."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / FILE
    with (home / f".{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = "".join(f"{name}\n" for name in sorted(forgotten(home) | set(names)))
        beside = path.with_name(f".{FILE}.new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
