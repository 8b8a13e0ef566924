"""The short form of the chat log figures."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_log_of_some_megabytes_is_read_scrubbed_and_mined_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "benchmarks.chatlogs", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=True)
    figure = json.loads(done.stdout.splitlines()[-1])
    assert list(figure) == ["read_messages_per_s", "scrubbed_messages_per_s", "peak_mb", "lost", "cue_table"]
    assert figure["lost"] == 0
    assert 0 < figure["peak_mb"] < 2048
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("all "))[4:])
    assert told["messages"] > 2000
    assert told["cues"] > 50
    assert told["leaked"] == 0
