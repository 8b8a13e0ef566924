"""CONTRIBUTING.md shows code that runs."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(heading: str, language: str) -> list[str]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(code, names)
    return names


def test_the_filter_shown_passes_the_test_shown() -> None:
    names = run("\n".join(blocks("A filter in twenty lines", "python")))
    names["test_shouting_drops_a_side_in_capitals_and_keeps_an_abbreviation"]()


def test_the_judge_shown_is_an_engine_and_a_rubric(tmp_path: Path) -> None:
    from generators.engines import load_engines

    [toml] = blocks("A judge in twenty lines", "toml")
    (tmp_path / "engines.toml").write_text(toml, encoding="utf-8")
    [code] = blocks("A judge in twenty lines", "python")
    judgments = run(code)["judgments"]
    assert judgments.engines == set(load_engines(tmp_path / "engines.toml")) == set(tomllib.loads(toml)["engines"])


def test_the_dataset_shown_is_a_recipe() -> None:
    pytest.importorskip("assets.dataset")
    [code] = blocks("A dataset in twenty lines", "python")
    assert run(code)["dataset"].name == "nouns"
