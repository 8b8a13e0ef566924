"""Dagster runs that a dead process left behind: found by pid, marked as failed, their pool slots freed."""

import fcntl
import os
import socket
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

_PROCESS = "winnow/process"
_OPEN = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]


def process_tag() -> dict[str, str]:
    """The run tag that says which process executes it."""
    return {_PROCESS: f"{socket.gethostname()}:{_describe(os.getpid())}"}


def claim_run(instance: DagsterInstance, run_id: str) -> None:
    """Write into the run's tags which process executes it."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.tags.get(_PROCESS) != process_tag()[_PROCESS]:
        instance.add_run_tags(run_id, process_tag())


def bury_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark the runs of dead processes of this machine as failed and free their pool slots; gives their ids.

    Dagster leaves a killed run's status and its slot in the `gpu` pool taken for ever, so that the next run waits.
    """
    buried = []
    for run in instance.get_runs(RunsFilter(statuses=_OPEN)):
        if _is_dead(run) and not _has_parents_tag(instance, run):
            instance.report_run_failed(run, f"its process ({run.tags[_PROCESS]}) is gone")
            buried.append(run.run_id)
    for run_id in buried:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return buried


def _is_dead(run: DagsterRun) -> bool:
    host, _, process = run.tags.get(_PROCESS, "").partition(":")
    return host == socket.gethostname() and process != _describe(int(process.split("@")[0]))


def _has_parents_tag(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether a re-executed run still carries its parent's process, since its own has not begun a step yet."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and parent.tags.get(_PROCESS) == run.tags[_PROCESS]


def _describe(pid: int) -> str:
    """The pid with its start time, so that a reused pid is not mistaken for the process; a zombie is gone.

    A killed process whose parent never asks for it, as in a container without an init, is a zombie for ever.
    """
    try:
        state, *told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid}@gone"
    return f"{pid}@gone" if state in "ZX" else f"{pid}@{told[18]}"


def open_instance(folder: Path) -> DagsterInstance:
    """The Dagster instance in a folder, made with Winnow's settings when it is new.

    Opened under a lock: two processes that create its databases at the same moment break them for good.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = folder / "dagster.yaml"
        if not settings.exists():
            settings.write_text((Path(__file__).parent.parent / "dagster.yaml").read_text(encoding="utf-8"))
        return dg.DagsterInstance.from_config(str(folder))
