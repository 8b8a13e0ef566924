"""Runs that were made, kept: each result is one appended, checksummed line, so that kill -9 loses what was in flight.

A run is known by program, input, environment and its number, never by the response it was made for. Every process
appends to a file of its own; a torn last line is what was in flight, and is run again.
"""

import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from feedback.testcases.sandbox.job import Ran, Status
from generators.segments import SUFFIX, decode, encode, lines
from schemas.errors import StoreError
from schemas.ids import digest, text_digest


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to, under its key."""

    key: str
    status: Status
    output: str | None
    detail: str | None
    cpu_ms: float


class Runs:
    """The runs of one environment in a folder; a context that holds the file it appends to."""

    def __init__(self, folder: Path, environment: str) -> None:
        self._folder = folder / digest("environment", environment)
        self._environment = environment
        self._fd: int | None = None

    def __enter__(self) -> "Runs":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def key(self, program_id: str, kind: str, value: str, number: int) -> str:
        """The key of a run: its program, its input, this environment, and which of the repeats it is."""
        return digest("run", program_id, kind, text_digest(value), self._environment, number)

    def known(self, wanted: Iterable[str]) -> dict[str, Run]:
        """Those of the wanted runs that were made before; of two with one key the one that is read first."""
        asked, found = set(wanted), dict[str, Run]()
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            for _, line in lines(path.read_bytes()):
                record = decode(line)
                if record is not None and record["key"] in asked:
                    found.setdefault(record["key"], Run(**record))
        return found

    def keep(self, keys: Iterable[str], rans: Iterable[Ran]) -> list[Run]:
        """The results as runs; each is kept once this returns, but for sandbox errors, which are tried another time."""
        made = [Run(key, ran.status, ran.output, ran.detail, ran.cpu_ms) for key, ran in zip(keys, rans, strict=True)]
        told = b"".join(encode(asdict(run)) for run in made if run.status != "sandbox_error")
        if told:
            self._write(told)
        return made

    def _write(self, data: bytes) -> None:
        try:
            if self._fd is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                own = self._folder / f"{os.getpid()}-{secrets.token_hex(6)}{SUFFIX}"
                self._fd = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            while data:
                data = data[os.write(self._fd, data):]
        except OSError as error:
            raise StoreError(f"{self._folder}: a run cannot be written ({error.strerror}); is the disk full?"
                             ) from error
