"""Pseudonyms: who is in a log is known by salted digests only, and the salt stays on this machine."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import ConfigError

FILE = "salt"
_BYTES = 32
_HEX = 24


@dataclass(frozen=True, slots=True)
class Salt:
    """The key of the digests: whoever has it can try names, whoever lacks it cannot."""

    key: bytes = field(repr=False)

    @classmethod
    def find(cls, home: Path) -> "Salt":
        """The salt of this home, made on first use and readable by its owner alone; of two makers one wins.

        Raises ConfigError where the file is there and no salt: with another one nobody would be recognised again.
        """
        path = home / FILE
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            _make(path)
        text = path.read_text("ascii", "replace").strip()
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) < _BYTES:
            raise ConfigError(f"{path}: is no salt ({2 * _BYTES} hex digits); put the old file back from a copy, or "
                              "delete it: then users of earlier builds are not recognised, and cannot be forgotten")
        return cls(key)

    def name(self, kind: str, raw: str) -> str:
        """24 hex digits in place of a name; the same for the same kind and name, and different under another salt."""
        message = f"{kind}\0{raw}".encode("utf-8", "surrogatepass")
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()[:_HEX]


def _make(path: Path) -> None:
    """Write a new salt beside the file and link it into place, unless another process was first."""
    beside = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
