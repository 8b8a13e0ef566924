"""A checkout of its own for tests that write recipes and run `winnow` as a user does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = ("schemas", "privacy", "generators", "filters", "feedback", "preferences", "audits", "exports", "assets",
         "pipelines", "examples")
ENGINE = '[engines.{name}]\nurl = "{url}"\nmodel = "{model}"\n{more}\n'


@dataclass(frozen=True, slots=True)
class Site:
    """A copy of the checkout and a WINNOW_HOME."""

    root: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a command."""
        return {**os.environ, "WINNOW_HOME": str(self.home), "COLUMNS": "100", **more}

    def winnow(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(self.command(*arguments), cwd=self.root, env=self.environment(**environment),
                              capture_output=True, text=True, timeout=300, check=False)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one command."""
        return subprocess.Popen(self.command(*arguments), cwd=self.root, env=self.environment(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "pipelines.cli", *arguments]

    def recipe(self, name: str, url: str, prompts: str, more: str = "", model: str = "scripted-large") -> None:
        """Write a small recipe: two models answer, one judge compares."""
        (self.root / "prompts.jsonl").write_text(prompts)
        (self.root / "engines.toml").write_text(
            ENGINE.format(name="small", url=url, model="scripted-small", more=more)
            + ENGINE.format(name="large", url=url, model=model, more=more)
            + ENGINE.format(name="judge", url=url, model="judge-steady", more=more))
        (self.root / "pipelines" / f"{name}.py").write_text(RECIPE.replace("NAME", name))


RECIPE = '''"""A recipe for a test."""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from generators.read import read
from generators.sample import sample
from preferences.pair import pair

dataset = PreferenceDataset(
    name="NAME",
    engines=Path("engines.toml"),
    prompts=read("prompts.jsonl"),
    responses=sample(pool=("small", "large"), temperature=1.0),
    judgments=compare(("judge",)),
    rankings=majority(),
    preferences=pair("best-worst"),
)
'''


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A fresh copy of the checkout."""
    root = tmp_path / "checkout"
    root.mkdir()
    for room in ROOMS:
        shutil.copytree(CHECKOUT / room, root / room)
    shutil.copy(CHECKOUT / "dagster.yaml", root)
    return Site(root, tmp_path / "home")


@pytest.fixture
def sums() -> Callable[[int], str]:
    """So many prompts with a planted truth, as JSON lines."""
    lines = (CHECKOUT / "examples" / "sums.jsonl").read_text().splitlines(keepends=True)
    return lambda count: "".join(lines[:count])
