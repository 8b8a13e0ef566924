"""The short form of the orchestration figure."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEYS = ["requests", "wall_ratio", "cpu_s_per_1k", "start_s", "peak_mb", "peak_mb_double", "lost",
        "cpu_ratio_to_aiohttp"]


def test_sampling_and_rating_lose_nothing_and_twice_the_prompts_take_no_more_memory() -> None:
    command = [sys.executable, "-m", "benchmarks.orchestration", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=True)
    figure = json.loads(done.stdout.splitlines()[-1])
    assert list(figure) == KEYS
    assert figure["requests"] == 640
    assert figure["lost"] == 0
    assert figure["peak_mb_double"] <= 1.2 * figure["peak_mb"]
