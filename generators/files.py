"""Files that a path means: of this machine, or objects of a bucket; each with its name, its stamp and its bytes."""

import glob
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from generators.buckets import is_url, objects

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A file that can be opened."""

    name: str
    """As places name it: a path or a URL."""
    stamp: tuple[str, ...] | None
    """What changes when its bytes do, so that a file with the same stamp need not be read again; None: not known."""
    open: Callable[[], IO[bytes]]

    def sha256(self) -> str:
        """The digest of its bytes."""
        told = hashlib.sha256()
        with self.open() as file:
            while block := file.read(_BLOCK):
                told.update(block)
        return told.hexdigest()


def files_of(path: str) -> list[Found]:
    """The files that a path (one file, a glob, a folder) or URL means, by name; none for a dataset of the Hub.

    Raises ConfigError for a URL that nothing here can open, BucketError for one that cannot be listed.
    """
    if is_url(path):
        return [Found(one.name, one.stamp, one.open) for one in objects(path)]
    if Path(path).is_file():
        return [_local(Path(path))]
    pattern = f"{glob.escape(path)}/**" if Path(path).is_dir() else path
    named = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207 - path may be absolute
    return [_local(name) for name in named if name.is_file() or pattern == path]


def _local(path: Path) -> Found:
    status = path.stat() if path.exists() else None
    stamp = (str(status.st_size), str(status.st_mtime_ns)) if status else None
    return Found(str(path), stamp, lambda: path.open("rb"))
