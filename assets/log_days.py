"""Which days new or changed logs speak of: each file's days with a digest of what was said and judged on them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from feedback.chatlogs.gather import stream
from feedback.chatlogs.imports import first_days
from feedback.chatlogs.logs import ChatLogs
from feedback.chatlogs.tally import Tally
from generators.records import files_of
from privacy.people import Salt
from schemas.errors import InputError
from schemas.ids import digest

Seen = dict[str, dict[str, Any]]
"""Of each file: its size and time of change, and the digest of each of its days."""


def changed_days(logs: ChatLogs, home: Path, cursor: str | None) -> tuple[dict[str, str], str]:
    """The days that changed since `cursor` was given, each with a digest of all that the logs hold of it; a new cursor.

    Only files whose size or time has changed are read; one that cannot be read now is looked at again the next time.
    """
    before: Seen = json.loads(cursor) if cursor else {}
    now: Seen = {}
    for file in dict.fromkeys(str(found) for path in logs.found for found in files_of(path)):
        stamp = _stamp(Path(file))
        known = before.get(file)
        if known and known["stamp"] == stamp:
            now[file] = known
        elif (days := _days(replace(logs, paths=(file,)), home)) is not None:
            now[file] = {"stamp": stamp, "days": days}
    old, new = _by_day(before), _by_day(now)
    changed = {day: told for day, told in new.items() if old.get(day) != told}
    return changed, json.dumps(now, sort_keys=True)


def _by_day(seen: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The digest of each day over all files, whatever they are called."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for file in seen.values():
        for day, content in file["days"].items():
            told[day].add(content)
    return {day: digest("day", sorted(contents))[:12] for day, contents in told.items()}


def _days(logs: ChatLogs, home: Path) -> dict[str, str] | None:
    """The days that a file speaks of, with a digest of what it holds of each; None where it cannot be read."""
    try:
        undated = first_days(logs.found, home, datetime.now(UTC).date())
        names: defaultdict[str, set[str]] = defaultdict(set)
        for batch in stream(logs.found, Salt.find(home), Tally(), undated=undated, scrubbed=False, reader=logs.reader):
            for day, name in (*_dated(batch.messages, "msg_id"), *_dated(batch.signals, "event_id")):
                names[day].add(name)
    except (InputError, OSError):
        return None
    return {day: digest("file", sorted(found))[:12] for day, found in sorted(names.items())}


def _dated(rows: pl.DataFrame, name: str) -> Iterator[tuple[str, str]]:
    yield from rows.select(pl.col("day").dt.to_string(), name).drop_nulls().iter_rows()


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
