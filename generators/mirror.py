"""The remote copy of the reply store's sealed segments, at any fsspec URL."""

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generators.buckets import file_system, shown
from generators.segments import SUFFIX
from schemas.errors import StoreError

_GONE = ".gone"
_WHOLE_OR_NOT_AT_ALL = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}


class Mirror:
    """Segments at a URL. A segment that was pruned leaves a `.gone` mark, so that no machine brings it back."""

    def __init__(self, url: str) -> None:
        self.url = shown(url)
        with self._told("open"):
            self._fs, path = file_system(url)
            self._folder = f"{path.rstrip('/')}/segments"
            self._fs.makedirs(self._folder, exist_ok=True)

    def sizes(self) -> tuple[dict[str, int], set[str]]:
        """Size in bytes of each segment there, and the names of those that were pruned."""
        with self._told("list"):
            self._fs.invalidate_cache()
            entries = self._fs.ls(self._folder, detail=True)
        listed = {str(entry["name"]).rsplit("/", 1)[-1]: int(entry["size"] or 0) for entry in entries}
        gone = {name.removesuffix(_GONE) for name in listed if name.endswith(_GONE)}
        return {name: n for name, n in listed.items() if name.endswith(SUFFIX) and name not in gone}, gone

    def fetch(self, name: str, size: int, to: Path) -> None:
        """Copy a segment here, whole or not at all."""
        hidden = to.with_name(f".{name}.{secrets.token_hex(4)}")
        try:
            with self._told(f"read {name} from"):
                self._fs.get_file(f"{self._folder}/{name}", str(hidden))
            if hidden.stat().st_size < size:
                raise StoreError(f"reply store: {name} from {self.url} is cut short; run the command again")
            hidden.replace(to)
        finally:
            hidden.unlink(missing_ok=True)

    def send(self, path: Path) -> None:
        """Copy a sealed segment there; returns only when size (and MD5, where the remote tells it) are confirmed."""
        goal = f"{self._folder}/{path.name}"
        with self._told(f"copy {path.name} to"):
            if self._protocols() & _WHOLE_OR_NOT_AT_ALL:
                self._fs.put_file(str(path), goal)
            else:
                part = f"{goal}.{secrets.token_hex(4)}.part"
                self._fs.put_file(str(path), part)
                self._fs.mv(part, goal)
            self._fs.invalidate_cache()
            info = self._fs.info(goal)
        if info["size"] != path.stat().st_size or _md5_told(info) not in ("", _md5(path)):
            raise StoreError(f"reply store: the copy of {path} at {self.url} is not what was sent; the local one stays")

    def withdraw(self, name: str) -> None:
        """Delete a segment there and mark it as gone."""
        with self._told(f"delete {name} from"):
            self._fs.pipe_file(f"{self._folder}/{name}{_GONE}", b"pruned\n")
            if self._fs.exists(f"{self._folder}/{name}"):
                self._fs.rm_file(f"{self._folder}/{name}")

    def _protocols(self) -> set[str]:
        protocol = self._fs.protocol
        return {protocol} if isinstance(protocol, str) else set(protocol)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # every file system has errors of its own; what they chain may hold a signed URL
            raise StoreError(
                f"reply store: cannot {what} {self.url}: {shown(str(error))}; the replies here are kept and copied "
                "next time") from None


def _md5_told(info: dict[str, Any]) -> str:
    told = str(info.get("ETag", "")).strip('"').lower()
    return told if re.fullmatch(r"[0-9a-f]{32}", told) and not info.get("SSEKMSKeyId") else ""


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
