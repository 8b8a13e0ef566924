"""The installation: what `make test` set up holds no torch and stays small."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIMIT_MB = 900


def disk_mb(folder: Path) -> float:
    """What `du -m` says: the disk blocks of every file, hard links once, links not followed."""
    seen = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            stat = os.lstat(Path(parent) / name)
            seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values()) / 2**20


@pytest.mark.parametrize("name", ["torch", "vllm", "transformers", "trl"])
def test_what_belongs_on_gpu_machines_is_not_installed(name: str) -> None:
    assert importlib.util.find_spec(name) is None


def test_the_installation_takes_at_most_900_mb() -> None:
    if not (ROOT / ".venv" / ".made").exists() or Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("these tests do not run in the .venv that make sets up")
    assert disk_mb(ROOT / ".venv") <= LIMIT_MB
