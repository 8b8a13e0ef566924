"""Buckets: objects at any fsspec URL (s3://, gs://, hf://, ...), listed, and read in blocks; no copy is kept here."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from schemas.errors import BucketError, ConfigError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*://")
_PASSWORD = re.compile(r"//[^/@\s]*@")
_SIGNED = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")
_PATTERN = re.compile(r"[*?\[]")
_BLOCK = 4 << 20
_STAMPS = ("generation", "ETag", "etag", "md5Hash", "content_md5", "blob_id", "mtime", "LastModified", "last_modified",
           "Last-Modified", "updated", "created")
"""What file systems call the version of an object, else the time it was written; the first one that is there counts."""


def is_url(path: str) -> bool:
    """Whether a path is a URL."""
    return bool(_URL.match(path))


def shown(text: str) -> str:
    """A URL, or a text with URLs, as it may be told: without passwords and signatures."""
    return _SIGNED.sub(r"\1", _PASSWORD.sub("//", text))


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it; ConfigError where it has none here, with what to install."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    protocol = url.partition("://")[0]
    if "::" in url:
        raise ConfigError(f"{shown(url)}: URLs in URLs are not read, for some keep copies; name the bucket alone")
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or error.name or "what it names"
        raise ConfigError(f"{shown(url)}: {protocol}:// needs a package that is not installed here ({error}); "
                          f"pip install {package}") from None
    except ValueError as error:
        raise ConfigError(f"{shown(url)}: {shown(str(error))}; write a URL of a protocol that fsspec knows, such as "
                          "s3://bucket/logs/*.jsonl") from None
    return fs, str(path)


class Object:
    """An object of a bucket."""

    def __init__(self, fs: Any, path: str, told: dict[str, Any]) -> None:
        self._fs = fs
        self._path = path
        self.name = shown(str(fs.unstrip_protocol(path)))
        self.stamp = _stamp(told)
        """What changes when its bytes do; None where the file system does not tell."""

    def open(self) -> IO[bytes]:
        """The object as a file that is read in blocks; whatever goes wrong on the way is a BucketError."""
        told = self.told()
        with _told(self.name, "opened"):
            file = self._fs.open(self._path, "rb", block_size=_BLOCK)
        return io.BufferedReader(_Reader(self, file, told), 1 << 20)

    def told(self) -> dict[str, Any]:
        """What the file system tells of it now."""
        with _told(self.name, "looked at"):
            self._fs.invalidate_cache()
            return dict(self._fs.info(self._path))


def objects(url: str) -> list[Object]:
    """The objects that a URL means (one, a glob, or all below a folder), by name; hidden ones are left out."""
    fs, path = file_system(url)
    with _told(shown(url), "listed"):
        fs.invalidate_cache()
        found = _listed(fs, path)
    files = {name: told for name, told in found.items() if told.get("type") == "file" and not name.endswith("/")}
    return [Object(fs, name, files[name]) for name in sorted(files)
            if name == path or not name.rpartition("/")[2].startswith(".")]


def _listed(fs: Any, path: str) -> dict[str, dict[str, Any]]:
    """What a file system tells of each object; of web servers a page of links tells names alone, and each is asked."""
    try:
        told = fs.info(path)
    except FileNotFoundError:
        found = dict(fs.glob(path, detail=True)) if _PATTERN.search(path) else {}
    else:
        found = {path: told} if told.get("type") == "file" else dict(fs.find(path, detail=True))
    return {name: told if _stamp(told) or told.get("type") != "file" else fs.info(name)
            for name, told in found.items()}


def _stamp(told: dict[str, Any]) -> tuple[str, ...] | None:
    mark = next((f"{name} {told[name]}" for name in _STAMPS if told.get(name)), None)
    return None if mark is None else (str(told.get("size")), mark)


class _Reader(io.RawIOBase):
    """Reads an object, and sees when it ends too early, or is another one at its end than at its beginning."""

    def __init__(self, of: Object, file: Any, told: dict[str, Any]) -> None:
        self._of, self._file, self._at_first = of, file, told

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _told(self._of.name, "read"):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _told(self._of.name, "read"):
            read = self._file.read(len(buffer))
            if not read and len(buffer):
                self._at_end()
        buffer[:len(read)] = read
        return len(read)

    def _at_end(self) -> None:
        at, size = self.tell(), self._at_first.get("size")
        if size is not None and at < size:
            raise BucketError(f"{self._of.name}: ended after {at:,} of {size:,} bytes; run the command again")
        if _stamp(self._of.told()) != _stamp(self._at_first):
            raise BucketError(f"{self._of.name}: was written anew while it was read; run the command again when "
                              "whoever writes it is done")

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    try:
        yield
    except BucketError:
        raise
    except Exception as error:  # every file system has errors of its own; what they chain may hold a signed URL
        raise BucketError(f"{name}: cannot be {what} ({type(error).__name__}: {shown(str(error))}); check the name, "
                          "the network and that you may read it, then run the command again") from None
