"""A build with a planned model, made as the assets make it, without Dagster: its tables, its funnel and its checks."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from assets.dataset import PreferenceDataset
from assets.home import Build
from assets.recipe import build_stages
from assets.stage import Means
from generators.engines import Engine
from generators.store import ReplyStore
from pipelines.commands.why import History
from schemas.funnel import Count


class Walked:
    """A build, made as the assets make it, without Dagster: its tables, its funnel and its checks."""

    def __init__(self, dataset: PreferenceDataset, folder: Path, url: str, store: Path | None = None,
                 engine: str = "policy") -> None:
        self.build, self.store = Build(folder / "builds" / "later" / "one"), store or folder / "store"
        self.tables: dict[str, pl.DataFrame] = {}
        self.counts: dict[str, list[Count]] = {}
        self.failed: list[str] = []
        engines = {engine: Engine(name=engine, url=url, model="tiny")}
        with ReplyStore.open(self.store) as replies:
            for stage in build_stages(dataset):
                needs = {name: self.tables[name] for name in stage.needs}
                if stage.make is None:
                    assert stage.write_folder is not None
                    stage.write_folder(self.build, needs)
                    continue
                output = stage.make(Means(engines=engines, store=replies, runs=folder / "runs"), needs)
                self.tables |= output.tables
                self.counts[stage.name] = list(output.counts)
                for name, table in stage.writes.items():
                    self.build.write(name, table, output.tables[name])
                    if name in stage.show:
                        assert stage.show[name]({**needs, **output.tables}) or output.tables[name].is_empty()
                told = stage.check({**needs, **output.tables}) if stage.check else []
                self.failed += [one.name for one in told if not one.passed]

    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.build.path / "audit" / "report.json").read_text()))

    def why(self, table: str, row: int = 0) -> str:
        console = Console(width=400, file=StringIO())
        with ReplyStore.open(self.store) as store:
            console.print(History(self.build, store).tell(table, self.tables[table].to_dicts()[row]))
        assert isinstance(console.file, StringIO)
        return console.file.getvalue()


def fates(counts: list[Count], step: str, unit: str) -> dict[str, int]:
    return {row.reason or row.fate: row.count for row in counts if (row.step, row.unit) == (step, unit)}


def balanced(counts: list[Count]) -> bool:
    return sum(row.count if row.fate == "in" else -row.count for row in counts) == 0
