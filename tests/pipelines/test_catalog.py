"""Recipes are code that people type: each mistake is told with its line and what to write instead."""

from pathlib import Path

import pytest

import pipelines
from pipelines import catalog
from pipelines.commands.complaint import complaint
from schemas.errors import ConfigError
from tests.pipelines.conftest import RECIPE

MISTAKES = {
    "name_typo": ("majority()", "majorty()", "line 19: NameError: name 'majorty' is not defined"),
    "keyword_typo": ("rankings=", "ranking=", "unexpected keyword argument 'ranking'; did you mean rankings?"),
    "import_typo": ("import majority", "import majorty", "line 6: ImportError: cannot import name 'majorty'"),
    "open_string": ('read("prompts.jsonl")', 'read("we"ird.jsonl")', "line 16: SyntaxError: "),
    "option_typo": ('pair("best-worst")', 'pair("best_worst")', "line 20: pair: no policy is called 'best_worst'"),
    "option_unknown": ("temperature=1.0", "tempratur=1.0, pools=2", "pipelines/option_unknown.py"),
    "prompts_text": ('read("prompts.jsonl")', '"prompts.jsonl"', 'prompts= holds \'prompts.jsonl\'; write read('),
    "engines_text": ('Path("engines.toml")', '"engines.toml"', 'engines= holds \'engines.toml\'; write Path('),
    "rankings_function": ("majority()", "majority", "rankings= holds the function majority; write mean()"),
    "rule_function": ('pair("best-worst"),', 'pair("best-worst"), kept=[margin],', "kept= holds the function margin"),
    "pairs_text": ('pair("best-worst")', '"best-worst"', "preferences= holds 'best-worst'; write pair("),
    "pool_text": ('pool=("small", "large")', 'pool="small"', "sample: pool is the text 'small'; write a list"),
    "jury_text": ('compare(("judge",))', 'compare("judge")', "judges are given as the text 'judge'; write a list"),
    "no_cron": ('pair("best-worst"),', 'pair("best-worst"), schedule="monday",', "schedule='monday' is no cron"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for recipes beside our own."""
    monkeypatch.setattr(catalog, "FOLDER", tmp_path)
    monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path)])
    return tmp_path


def written(folder: Path, name: str, old: str = "", new: str = "") -> None:
    assert old in RECIPE
    text = RECIPE.replace("from generators.read", "from filters.pairs import margin\nfrom generators.read")
    (folder / f"{name}.py").write_text(text.replace("NAME", name).replace(old, new) if old else text)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_recipe_is_told_on_a_line(folder: Path, name: str) -> None:
    old, new, told = MISTAKES[name]
    written(folder, name, old, new)
    with pytest.raises(ConfigError) as raised:
        catalog.load(name)
    assert told in str(raised.value)
    assert f"pipelines/{name}.py" in str(raised.value)
    assert complaint(raised.value) == f"ConfigError: {raised.value}"


def test_another_files_dataset_is_refused(folder: Path) -> None:
    (folder / "copied.py").write_text(RECIPE.replace("NAME", "original"))
    with pytest.raises(ConfigError, match="is called 'original'; give it the file's name"):
        catalog.load("copied")


def test_what_is_no_recipe_is_refused(folder: Path) -> None:
    (folder / "listed.py").write_text("dataset = [1]\n")
    with pytest.raises(ConfigError, match="`dataset` is a list; write dataset = PreferenceDataset"):
        catalog.load("listed")


@pytest.mark.parametrize("name", ["class", "donn\u00e9es", "My_Set", "a-b", "1st"])
def test_a_dataset_has_a_name_that_files_python_and_dagster_take(name: str) -> None:
    from pipelines.votes import dataset

    with pytest.raises(ConfigError, match="lower-case letters"):
        type(dataset)(name=name, prompts=dataset.prompts, responses=dataset.responses, preferences=dataset.preferences)
