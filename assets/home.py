"""Where things lie on disk: WINNOW_HOME holds store/, dagster/ and builds/<dataset>/<build>/<table>/."""

import fcntl
import json
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from schemas import TABLES
from schemas.errors import ConfigError, HeldError
from schemas.table import Table

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]{0,99}")
BROKEN, BETWEEN = "broken records", " | "
"""The key of run.json under which a stage tells the places of records that it could not read, and what parts them."""
_held: dict[Path, int] = {}
"""The builds this process holds: lock file to file descriptor, kept open until the process ends."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything Winnow writes."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        """WINNOW_HOME, or ./data."""
        return cls(Path(os.environ.get("WINNOW_HOME", "data")).resolve())

    @property
    def store(self) -> Path:
        """The reply store."""
        return self.root / "store"

    @property
    def runs(self) -> Path:
        """What programs gave in the sandbox: each was run once, for all builds."""
        return self.root / "runs"

    @property
    def dagster(self) -> Path:
        """The Dagster instance."""
        return self.root / "dagster"

    def build(self, dataset: str, name: str) -> "Build":
        """One build of a dataset; ConfigError where a name would lead out of the builds' folder."""
        return Build(self.root / "builds" / _folder_name(dataset) / _folder_name(name))

    def builds(self, dataset: str | None = None) -> list["Build"]:
        """Every build, or every build of one dataset, oldest first."""
        if dataset is not None:
            _folder_name(dataset)
        found = (self.root / "builds").glob(f"{dataset or '*'}/*/")
        return sorted((Build(path) for path in found), key=lambda build: (build.path.stat().st_mtime, build.name))


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a dataset: a folder with one folder a table."""

    path: Path

    @property
    def name(self) -> str:
        """The build's name: its date, the name it was given, or a digest."""
        return self.path.name

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.path.parent.name

    @property
    def folder(self) -> Path:
        """The exported dataset folder."""
        return self.path / "dataset"

    def file(self, table: str) -> Path:
        """The Parquet file of a table."""
        return self.path / table / f"{table}.parquet"

    def write(self, name: str, table: Table, rows: pl.DataFrame | Iterable[pl.DataFrame]) -> Path:
        """Check the rows, write them, and say where; offending rows go to quarantine/ and raise SchemaError.

        Of rows that come in pieces few are in memory at a time.
        """
        aside = self.path / "quarantine" / f"{name}.parquet"
        if isinstance(rows, pl.DataFrame):
            table.write(rows.to_arrow(), self.file(name), quarantine=aside)
        else:
            table.write_pieces((piece.to_arrow() for piece in rows), self.file(name), quarantine=aside)
        return self.file(name)

    def read(self, name: str) -> pl.DataFrame:
        """A table of this build."""
        return pl.DataFrame(pl.from_arrow(self._known(name).read(self.file(name))))

    def read_pieces(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The same in pieces, in their order, for who needs little of a large table."""
        return self._known(name).read_pieces(self.file(name), columns)

    def _known(self, name: str) -> Table:
        if not self.file(name).exists():
            raise ConfigError(f"{self.dataset}/{self.name} has no table '{name}' yet; build it first")
        return TABLES.get(name) or _SAME_SCHEMA[name]

    def funnel(self, stages: Collection[str] | None = None) -> pl.DataFrame:
        """What every step so far took in, gave out, dropped and failed.

        Of `stages` only, if given: an older recipe may have left others under the same name.
        """
        paths = sorted(self.path.glob("*/funnel.parquet"))
        parts = [pl.from_arrow(TABLES["funnel"].read(path)) for path in paths
                 if stages is None or path.parent.name in stages]
        return pl.concat([pl.DataFrame(part) for part in parts]) if parts else _empty("funnel")

    def note_run(self, entry: dict[str, Any]) -> None:
        """Add what one run did (ids, times, spend) to run.json, the only file here that depends on the clock."""
        path = self.path / "run.json"
        told = json.loads(path.read_text()) if path.exists() else []
        beside = path.with_suffix(".json.new")
        beside.write_text(json.dumps([*told, entry], indent=1))
        beside.replace(path)

    def broken(self) -> list[str]:
        """Places of records that the last run could not read, as far as run.json tells them."""
        path = self.path / "run.json"
        runs = json.loads(path.read_text()) if path.exists() else []
        reading = [run for run in runs if run["stage"] == "messages"]
        told = str(reading[-1].get(BROKEN, "")) if reading else ""
        return [place for place in told.split(BETWEEN) if place]

    def hold(self) -> None:
        """Make this process the only one that writes this build, until it ends; HeldError names another holder."""
        lock = self.path / ".lock"
        if lock in _held:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 200, 0).decode() or "a process that has not said its name"
            os.close(file)
            raise HeldError(
                f"{self.dataset}/{self.name} is being built by {holder}. Wait for it, stop it, "
                "or build beside it under another --name; both share the reply store."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        _held[lock] = file

    def release(self) -> None:
        """Let other processes write this build."""
        if (file := _held.pop(self.path / ".lock", None)) is not None:
            os.close(file)


_SAME_SCHEMA = {"judge_completions": TABLES["completions"], "test_completions": TABLES["completions"],
                "true_cases": TABLES["test_cases"], "true_outcomes": TABLES["outcomes"], "kept": TABLES["preferences"],
                "unpaired_dropped": TABLES["dropped"], "lists_dropped": TABLES["dropped"],
                "step_completions": TABLES["completions"], "rollouts": TABLES["responses"],
                "rollout_executions": TABLES["executions"], "rollout_outcomes": TABLES["outcomes"],
                "test_smells": TABLES["measurements"], "mutation": TABLES["measurements"],
                "hints": TABLES["critiques"],
                "tutored": TABLES["critiques"], "hint_completions": TABLES["completions"],
                "hint_repairs": TABLES["responses"], "hint_programs": TABLES["programs"],
                "hint_executions": TABLES["executions"], "hint_outcomes": TABLES["outcomes"],
                "true_steps": TABLES["steps"], "repairs": TABLES["responses"],
                "repair_completions": TABLES["completions"], "repair_programs": TABLES["programs"],
                "repair_executions": TABLES["executions"], "repair_outcomes": TABLES["outcomes"],
                "correct": TABLES["responses"], "detect_completions": TABLES["completions"],
                "validate_completions": TABLES["completions"], "recall": TABLES["measurements"],
                "summary_completions": TABLES["completions"], "again_completions": TABLES["completions"],
                "inference_completions": TABLES["completions"], "summaries": TABLES["criteria"]}
"""Tables that share another table's schema."""


def _folder_name(name: str) -> str:
    """The name, if it is one of a folder: it must not climb out of the builds, nor be a pattern."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a build or dataset: write up to 100 letters, digits and _ . = + -, "
                          "and begin with a letter or digit")
    return name


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(TABLES[name].rows([])))
