"""Answers and their repairs: each has its tables, and what labels answers reads both."""

import polars as pl

from assets.dataset import PreferenceDataset
from assets.stage import Tables

REPAIRED = {"responses": "repairs", "programs": "repair_programs", "executions": "repair_executions",
            "outcomes": "repair_outcomes"}
"""For each table of answers, the one of their repairs."""


def repaired(dataset: PreferenceDataset, *names: str) -> tuple[str, ...]:
    """The tables that hold of repairs what those of these names hold of answers; none where nothing is repaired."""
    return tuple(REPAIRED[name] for name in names) if dataset.repairs else ()


def with_repairs(tables: Tables, name: str) -> pl.DataFrame:
    """The rows of the answers, and of their repairs where there are any."""
    return pl.concat([tables[name], tables[REPAIRED[name]]]) if REPAIRED[name] in tables else tables[name]
