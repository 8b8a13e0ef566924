"""Runs a dataset's job in this process, on the instance that the UI shows. Loading Dagster takes a while."""

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
    told = [f"  {row['step']}: {row['count']:,} {row['unit']} {row['fate']}{_because(row['reason'])}"
            for row in rows.to_dicts()]
    return "\n".join([f"{dataset.slug}/{place.name}: no pair is kept, so that there is nothing to write", *told,
                      f"loosen what drops them, or add data; the tables so far are in {place.path}"])


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
