"""The Dagster instance of a home."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dagster import DagsterRun, DagsterRunStatus

from assets.runs import bury_dead_runs, open_instance

CHECKOUT = Path(__file__).resolve().parents[2]
OPENER = """
import sys, time
from pathlib import Path
from assets.runs import open_instance
print("ready", flush=True)
folder, go = map(Path, sys.argv[1:])
while not go.exists():
    time.sleep(0.001)
with open_instance(folder) as instance:
    print(len(instance.get_runs()), flush=True)
"""


def test_processes_that_open_a_new_instance_at_the_same_moment_all_get_a_sound_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENER, str(tmp_path / "dagster"), str(tmp_path / "go")]
    openers = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(3)]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    told = [opener.communicate(timeout=300) for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], told
    with open_instance(tmp_path / "dagster") as late:
        assert late.get_runs() == []


def test_a_run_whose_process_was_killed_is_dead_though_nobody_has_buried_the_process(tmp_path: Path) -> None:
    code = "import json; from assets.runs import process_tag; print(json.dumps(process_tag()), flush=True); input()"
    with open_instance(tmp_path / "dagster") as instance, subprocess.Popen(
            [sys.executable, "-c", code], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        run = DagsterRun(job_name="demo", status=DagsterRunStatus.STARTED, tags=json.loads(child.stdout.readline()))
        instance.add_run(run)
        assert bury_dead_runs(instance) == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert bury_dead_runs(instance) == [run.run_id]
