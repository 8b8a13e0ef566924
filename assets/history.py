"""What Dagster remembers of a build: its events hold samples of rows, which must go with the rows."""

import shutil
import sqlite3
from collections.abc import Collection
from pathlib import Path

import dagster as dg
from dagster import RunsFilter

_PARTITION = "dagster/partition"


def forget_builds(instance: dg.DagsterInstance, folder: Path, builds: Collection[tuple[str, str]]) -> int:
    """Delete the runs of these builds (dataset, name), and what is shown of their assets; how many runs these were.

    SQLite keeps what was deleted until a database is written anew, so that is done too. `folder` is the instance's.
    """
    runs = [run.run_id for dataset, name in sorted(builds)
            for run in instance.get_runs(RunsFilter(job_name=dataset, tags={_PARTITION: name}))]
    shown = {event.dagster_event.asset_key for run_id in runs for event in instance.all_logs(run_id)
             if event.dagster_event is not None and event.dagster_event.asset_key is not None}
    if shown:
        instance.wipe_assets(sorted(shown, key=str))
    for run_id in runs:
        instance.delete_run(run_id)
        shutil.rmtree(folder / "storage" / run_id, ignore_errors=True)
    for database in sorted(folder.rglob("*.db")):
        with sqlite3.connect(database) as connection:
            connection.execute("VACUUM")
        connection.close()
    return len(runs)
