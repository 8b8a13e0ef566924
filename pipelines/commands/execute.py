"""Runs a dataset's job in this process, on the instance that the UI shows. Loading Dagster takes a while."""

from typing import Any

import dagster as dg
import polars as pl
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError
from rich.console import Console

from assets.checks import NOTHING_KEPT
from assets.dataset import PreferenceDataset
from assets.graph import assets_of, builds_of, job_of
from assets.home import Build, Home
from assets.publishing import PRIVATE, SCAN
from assets.runs import bury_dead_runs, open_instance, process_tag
from assets.show import cut
from exports.leaving import LeakError, read_found, why_refused
from feedback.chatlogs.imports import day_of
from pipelines.commands.terminal import TerminalWatcher
from schemas.errors import SchemaError

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(dataset: PreferenceDataset, place: Build, console: Console) -> None:
    """Make every table of the build; SchemaError where a check that guards the labels fails."""
    with open_instance(Home.find().dagster) as instance:
        for buried in bury_dead_runs(instance):
            console.print(f"run {buried[:8]} was killed earlier: marked as failed, its pool slots are free again")
        instance.add_dynamic_partitions(builds_of(dataset.slug).name or "", [place.name])
        _run(dataset, place, instance, console)


def _run(dataset: PreferenceDataset, place: Build, instance: dg.DagsterInstance, console: Console) -> None:
    with TerminalWatcher(console) as watcher:
        defs = dg.Definitions(assets=assets_of(dataset), jobs=[job_of(dataset)], resources={"watcher": watcher},
                              executor=dg.in_process_executor)
        try:
            defs.resolve_job_def(dataset.slug).execute_in_process(
                instance=instance, partition_key=place.name, tags=process_tag(), run_config=_QUIET)
        except DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        except DagsterAssetCheckFailedError as error:
            if PRIVATE in str(error):
                raise LeakError(why_refused(read_found(place.path / "audit" / SCAN))) from None
            if NOTHING_KEPT in str(error):
                raise SchemaError(_why_nothing(dataset, place)) from None
            raise SchemaError(f"{error}\nThe build stops here, because wrong labels could pass. The tables so far are "
                              f"in {place.path}; `winnow why ROW` walks a row back to its votes.") from None


def _why_nothing(dataset: PreferenceDataset, place: Build) -> str:
    """Why no pair is left, from the funnel: what went into the last steps, and what took it."""
    day = day_of(place.name) if dataset.messages is not None else None
    if day is not None and place.read("messages").is_empty():
        return (f"{dataset.slug}/{place.name}: the logs hold nothing that was said or judged on {day}; build another "
                "day, or leave --name out to have all days in one build")
    rows = place.funnel(("preferences", "kept")).filter(pl.col("count") > 0)
    told = [*_tested(dataset, place), *(_told(row) for row in rows.to_dicts())]
    return "\n".join([f"{dataset.slug}/{place.name}: no pair is kept, so that there is nothing to write", *told,
                      f"loosen what drops them, or add data; the tables so far are in {place.path}"])


def _tested(dataset: PreferenceDataset, place: Build) -> list[str]:
    """What the steps before pairs lost where tests make the labels, the first empty table, and why runs failed."""
    if dataset.outcomes is None:
        return []
    names = [name for name in ("programs", "test_inputs", "executions", "test_cases", "outcomes")
             if name != "programs" or dataset.programs]
    lost = pl.concat([place.funnel((name,)) for name in names]).filter(  # a stage counts under other names too
        pl.col("fate").is_in(["dropped", "failed"]) & (pl.col("count") > 0))
    runs = place.read("executions").filter(pl.col("status") != "ran")
    refused = [place.read("test_completions").filter(pl.col("status") == "error")] if dataset.writers else []
    empty = next((name for name in names if place.read(name).is_empty()), None)
    return [*map(_told, lost.to_dicts()),
            *(line for table in refused for line in _commonest(table, "error", "requests for tests that failed")),
            *_commonest(runs, "detail", "runs without an output"),
            *([f"  {empty} is the first table that is empty: {_REMEDIES[empty]}"] if empty else [])]


def _commonest(table: pl.DataFrame, column: str, what: str) -> list[str]:
    """What most of the rows say, in a line; none where there is no row."""
    said = table.group_by(column).len().sort("len", column, descending=[True, False]).head(1)
    return [f"  of {table.height:,} {what} {count:,} say: {cut(str(text), _SAID)}" for text, count in said.iter_rows()]


_SAID = 200
_REMEDIES = {
    "programs": "no answer holds code that programs() finds; look at the answers",
    "test_inputs": "no prompt has anything to run on; an engine that writes inputs must keep to a JSON schema, and "
                   "given(...) must name a field that the prompts have",
    "executions": "no program met an input of its prompt",
    "test_cases": "nobody could say what is expected; look at what came out, and at min_voters and share",
    "outcomes": "no run met a test case",
}
"""What to look at where a table of tests is empty."""


def _told(row: dict[str, Any]) -> str:
    return f"  {row['step']}: {row['count']:,} {row['unit']} {row['fate']}{_because(row['reason'])}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
