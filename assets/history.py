"""What Dagster remembers of a build: its events hold samples of rows, which must go with the rows.

A sample is text without ids, cut to fit a cell, so nobody can tell whose it is: runs that built a build go whole. The
runs of other builds stay, and with them what is shown of their assets.
"""

import shutil
import sqlite3
from collections.abc import Collection
from pathlib import Path

import dagster as dg
from dagster import RunsFilter
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_PARTITION = "dagster/partition"


def runs_of(instance: dg.DagsterInstance, builds: Collection[tuple[str, str]]) -> list[str]:
    """The ids of the runs that built these builds (dataset, name)."""
    return [run.run_id for dataset, name in sorted(builds)
            for run in instance.get_runs(RunsFilter(job_name=dataset, tags={_PARTITION: name}))]


def forget_builds(instance: dg.DagsterInstance, folder: Path, builds: Collection[tuple[str, str]]) -> int:
    """Delete the runs of these builds (dataset, name), and what is shown of them; how many runs these were.

    SQLite keeps what was deleted until a database is written anew, so that is done too. `folder` is the instance's.
    """
    runs = runs_of(instance, builds)
    shown = {event.dagster_event.asset_key for run_id in runs for event in instance.all_logs(run_id)
             if event.dagster_event is not None and event.dagster_event.asset_key is not None}
    for run_id in runs:
        instance.delete_run(run_id)
        shutil.rmtree(folder / "storage" / run_id, ignore_errors=True)
    _forget_checks(instance, runs)
    for asset in sorted(shown, key=str):
        _show_another(instance, asset)
    for database in sorted(folder.rglob("*.db")):
        with sqlite3.connect(database) as connection:
            connection.execute("VACUUM")
        connection.close()
    return len(runs)


def _show_another(instance: dg.DagsterInstance, asset: dg.AssetKey) -> None:
    """The asset's latest event is kept apart from its run: put that of another build in its place, or none."""
    storage, left = instance.event_log_storage, instance.fetch_materializations(asset, limit=1).records
    if left and isinstance(storage, SqlEventLogStorage):
        storage.store_asset_event(left[0].event_log_entry, left[0].storage_id)
    else:
        instance.wipe_assets([asset])


def _forget_checks(instance: dg.DagsterInstance, runs: Collection[str]) -> None:
    """What checks said in these runs; Dagster deletes a run without them."""
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            gone = AssetCheckExecutionsTable.c.run_id.in_(list(runs))
            connection.execute(AssetCheckExecutionsTable.delete().where(gone))
