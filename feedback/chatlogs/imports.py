"""When a log was first imported: the day of what a log itself does not date, kept so that it never changes."""

import fcntl
import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from feedback.chatlogs.files import digest_of, found_files, names_in

LEDGER = "imported.json"
"""In WINNOW_HOME: the SHA-256 of a file, and the day on which it was first imported."""


def first_days(paths: Iterable[str], home: Path, day: date) -> dict[str, date]:
    """The day on which each file (or member of an archive) was first imported, by its name; new ones get `day`.

    A file is known by its bytes: renamed, it keeps its day; grown, it is a new one.
    """
    found = [(file, digest_of(file)) for file in found_files(paths)]
    known = _noted(home, {digest for _, digest in found}, day)
    return {name: known[digest] for file, digest in found for name in names_in(file)}


def day_of(build: str) -> date | None:
    """The day that a build's name is; None where it is another name."""
    try:
        return date.fromisoformat(build) if len(build) == len("2026-01-31") else None
    except ValueError:
        return None


def _noted(home: Path, digests: set[str], day: date) -> dict[str, date]:
    """The days of these files, once those that are new are in the ledger; one process at a time."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / LEDGER
    with (home / f".{LEDGER}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        new = {digest: day.isoformat() for digest in digests if digest not in told}
        if new:
            beside = path.with_name(f".{LEDGER}.{os.getpid()}")
            beside.write_text(json.dumps({**told, **new}, indent=0, sort_keys=True))
            beside.replace(path)
    return {digest: date.fromisoformat({**told, **new}[digest]) for digest in digests}
