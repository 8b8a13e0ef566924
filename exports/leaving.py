"""The second scan of a dataset: every text of every row that is about to leave, and what is told of it."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from exports.trl import Config
from privacy.scan import Alarm, alarms, in_words
from schemas.errors import ExportError

_KEYS = ("pair_id", "row_id", "judgment_id", "response_id", "prompt_id")
"""What names a row of a config, the most exact first."""


class LeakError(ExportError):
    """The second scan found personal data or secrets where none may be."""


def leaving(configs: Sequence[Config]) -> list[Alarm]:
    """What the second scan finds in the rows of a dataset: kind, column and row, never the text."""
    return [Alarm(f"{config.name}/{alarm.row}", alarm.column, alarm.kind)
            for config in configs for alarm in alarms(config.rows.iter_rows(named=True), _key(config.rows.columns))]


def leaving_folder(folder: Path) -> list[Alarm]:
    """The same of a dataset folder that is written."""
    found = []
    for path in sorted(folder.glob("*/*.parquet")):
        rows = pl.read_parquet(path, glob=False)
        found += [Alarm(f"{path.parent.name}/{alarm.row}", alarm.column, alarm.kind)
                  for alarm in alarms(rows.iter_rows(named=True), _key(rows.columns))]
    return found


def refuse(found: Sequence[Alarm]) -> None:
    """Raise LeakError where the second scan found anything: what and where, and what to do."""
    if found:
        raise LeakError(why_refused(found))


def why_refused(found: Sequence[Alarm]) -> str:
    """What and where, and what to do."""
    return (f"the second scan found personal data or secrets: {in_words(found)}. Nothing was written: scrub what the "
            "recipe adds to the logs, or drop these rows, and build again")


def write_found(found: Sequence[Alarm], path: Path) -> None:
    """Keep every place the second scan found, beside the report of a build."""
    path.write_text(json.dumps([dataclasses.asdict(alarm) for alarm in found], indent=1))


def read_found(path: Path) -> list[Alarm]:
    """What `write_found` wrote."""
    return [Alarm(**alarm) for alarm in json.loads(path.read_text())]


def _key(columns: Sequence[str]) -> Any:
    return next(name for name in _KEYS if name in columns)
