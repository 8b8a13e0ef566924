"""The same models in transformers, where make pocket-parity has its environment."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-pocket" / "bin" / "python"


def test_the_family_says_here_what_it_says_in_transformers() -> None:
    if not (PYTHON.parent.parent / ".made").exists():
        pytest.skip("there is no .venv-pocket with torch and transformers; make pocket-parity makes one")
    ran = subprocess.run([str(PYTHON), "-m", "tests.pocket.parity", "generators/pocket/models", "10"], cwd=ROOT,
                         capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert len(json.loads(ran.stdout.splitlines()[-1])) >= 3
