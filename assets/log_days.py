"""Which days new or changed logs speak of: each file's days with a digest of what was said and judged on them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from feedback.chatlogs.files import found_files
from feedback.chatlogs.gather import stream
from feedback.chatlogs.imports import first_days
from feedback.chatlogs.logs import ChatLogs
from feedback.chatlogs.tally import Tally
from privacy.people import Salt
from schemas.errors import BucketError, InputError
from schemas.ids import digest

Seen = dict[str, dict[str, Any]]
"""By a salted digest of each file's name: what changes when its bytes do, and the digest of each of its days."""


def changed_days(logs: ChatLogs, home: Path, cursor: str | None) -> tuple[dict[str, str], str]:
    """The days that changed since `cursor` was given, each with a digest of all that the logs hold of it; a new cursor.

    Only files whose size or time has changed are read; one that cannot be read now counts as it was, and is looked at
    again the next time. Raises BucketError where a bucket cannot be listed: then nothing is known to have changed.
    """
    before: Seen = json.loads(cursor) if cursor else {}
    now: Seen = {}
    salt = Salt.find(home)
    for file in found_files(logs.found):
        name, stamp = salt.name("log file", file.name), None if file.stamp is None else list(file.stamp)
        known = before.get(name)
        if known and stamp is not None and known["stamp"] == stamp:
            now[name] = known
        elif (days := _days(replace(logs, paths=(file.name,)), home)) is not None:
            now[name] = {"stamp": stamp, "days": days}
        elif known:
            now[name] = known
    old, new = _by_day(before), _by_day(now)
    changed = {day: told for day, told in new.items() if old.get(day) != told}
    return changed, json.dumps(now, sort_keys=True)


def gone_days(before: str | None, after: str) -> list[str]:
    """The days that logs spoke of when the first cursor was given, and speak of no more: files were removed."""
    old: Seen = json.loads(before) if before else {}
    return sorted(_by_day(old).keys() - _by_day(json.loads(after)).keys())


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
    except (InputError, BucketError, OSError):
        return None
    return {day: digest("file", sorted(found))[:12] for day, found in sorted(names.items())}


def _dated(rows: pl.DataFrame, name: str) -> Iterator[tuple[str, str]]:
    yield from rows.select(pl.col("day").dt.to_string(), name).drop_nulls().iter_rows()
