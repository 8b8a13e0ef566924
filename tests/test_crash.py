"""The crash trial in its short form: kill -9 of the whole build, resume by the same command, the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_killed_build_goes_on_to_the_same_bytes_and_leaves_nothing_behind() -> None:
    """Whether a kill meets a held slot is luck: `tests/assets/test_graph.py` makes sure of one."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.crash", "--short"], cwd=ROOT, capture_output=True,
                          text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["kills"] == 3
    assert figures["repeated"] <= figures["slots"] * figures["kills"]
    assert {name: figures[name] for name in ("asked_again", "lost", "identical", "stuck_slots", "orphans")} == {
        "asked_again": 0, "lost": 0, "identical": True, "stuck_slots": 0, "orphans": 0}
