"""A build's name: it changes with everything that decides the dataset, and with nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assets import recipe
from assets.dataset import PreferenceDataset
from assets.recipe import build_name, describe
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from filters.pairs import margin, near_identical
from filters.rule import response_rule
from filters.sides import too_long
from generators.read import read
from generators.sample import sample
from preferences.pair import pair
from schemas.errors import ConfigError
from schemas.ids import canonical

CHECKOUT = Path(__file__).resolve().parents[2]
ENGINE = {"url": '"http://127.0.0.1:9/v1"', "model": '"one"', "revision": '"r1"', "key_env": '"KEY"', "price_in": "1.0",
          "price_out": "2.0", "params": "{ temperature = 0.5 }"}
Change = Callable[[PreferenceDataset, Path], PreferenceDataset]


def dataset(folder: Path, **engine: str) -> PreferenceDataset:
    """A recipe over two prompts, with one engine that answers and judges."""
    lines = "\n".join(f"{name} = {value}" for name, value in {**ENGINE, **engine}.items())
    (folder / "engines.toml").write_text(f"[engines.one]\n{lines}\n")
    (folder / "prompts.jsonl").write_text('{"prompt": "1 + 1?"}\n{"prompt": "1 + 2?"}\n')
    return PreferenceDataset(
        name="named", engines=folder / "engines.toml", prompts=read(folder / "*.jsonl"), responses=sample(["one"], n=2),
        judgments=compare(["one"], allow_self=True), rankings=majority(), preferences=pair("all"),
        kept=[margin(0.5), near_identical(0.9), too_long(max_characters=100)])


def more_prompts(made: PreferenceDataset, folder: Path) -> PreferenceDataset:
    """The recipe as it is, over files that hold more."""
    (folder / "more.jsonl").write_text('{"prompt": "1 + 3?"}\n')
    return made


def other_prompts(made: PreferenceDataset, folder: Path) -> PreferenceDataset:
    """The recipe as it is, over a file that says something else."""
    (folder / "prompts.jsonl").write_text('{"prompt": "1 + 1?"}\n{"prompt": "1 + 9?"}\n')
    return made


CHANGES: Mapping[str, Change] = {
    "a threshold": lambda made, _: replace(made, kept=[margin(0.6), *made.kept[1:]]),
    "a similarity": lambda made, _: replace(made, kept=[made.kept[0], near_identical(0.8), made.kept[2]]),
    "a limit": lambda made, _: replace(made, kept=[*made.kept[:2], too_long(max_characters=101)]),
    "the order of rules": lambda made, _: replace(made, kept=made.kept[::-1]),
    "a rubric": lambda made, _: replace(made, judgments=compare(["one"], allow_self=True, rubric="Shorter is better.")),
    "a quorum": lambda made, _: replace(made, rankings=majority(quorum=2)),
    "a seed": lambda made, _: replace(made, preferences=pair("all", seed=1)),
    "an input file's words": other_prompts,
    "an input file more": more_prompts,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_decides_the_dataset_changes_the_builds_name(change: Change, tmp_path: Path) -> None:
    before = build_name(dataset(tmp_path))
    assert build_name(dataset(tmp_path)) == before
    assert build_name(change(dataset(tmp_path), tmp_path)) != before


@pytest.mark.parametrize(("field", "value", "same"), [
    ("params", "{ temperature = 0.6 }", False), ("revision", '"r2"', False), ("model", '"two"', False),
    ("url", '"http://127.0.0.1:10/v1"', True), ("key_env", '"OTHER"', True), ("price_in", "3.0", True),
])
def test_of_an_engine_its_model_and_parameters_count_and_not_its_place_or_price(
        field: str, value: str, same: bool, tmp_path: Path) -> None:
    before = build_name(dataset(tmp_path))
    assert (build_name(dataset(tmp_path, **{field: value})) == before) is same


def test_changed_code_changes_the_builds_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "filters").mkdir()
    monkeypatch.setattr(recipe, "CHECKOUT", tmp_path)
    digests = []
    for name, text in (("rule.py", "a = 1"), ("rule.py", "a = 2"), ("words.txt", "a"), ("words.txt", "b")):
        (tmp_path / "filters" / name).write_text(text)
        recipe.code_digest.cache_clear()
        digests.append(recipe.code_digest())
    recipe.code_digest.cache_clear()
    assert len(set(digests)) == 4


def test_the_name_is_the_same_from_another_folder_and_under_another_hash_seed(tmp_path: Path) -> None:
    for room in ("schemas", "privacy", "generators", "filters", "feedback", "preferences", "audits", "exports",
                 "assets", "pipelines", "examples"):
        shutil.copytree(CHECKOUT / room, tmp_path / "copy" / room, ignore=shutil.ignore_patterns("__pycache__"))
    names = {name_in(CHECKOUT, "1"), name_in(tmp_path / "copy", "2")}
    assert len(names) == 1


def name_in(checkout: Path, hash_seed: str) -> str:
    """The names of both recipes, as a process of that checkout says them."""
    code = ("from assets.recipe import build_name, code_digest; from pipelines import catalog; "
            "print([build_name(catalog.load(name)) for name in ('demo', 'votes')])")
    return subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(checkout)}).stdout


LIMIT = [5]


def over(limit: int, response: Mapping[str, Any]) -> str | None:
    """A rule's function that wants a first argument."""
    return "too long" if len(response["text"]) > limit else None


def uses_a_global(response: Mapping[str, Any]) -> str | None:
    """A rule whose threshold is a variable of its file."""
    return over(LIMIT[0], response)


class Callable5:
    """A rule as an object that calls itself nothing."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, response: Mapping[str, Any]) -> str | None:
        """The rule."""
        return over(self.limit, response)


def closure(limit: int) -> Any:
    """A rule's function around a variable."""
    def look(response: Mapping[str, Any]) -> str | None:
        return look.__name__ if len(response["text"]) > limit else None
    return look


@pytest.mark.parametrize("made", [
    lambda limit: response_rule(lambda response, limit=limit: over(limit, response)),
    lambda limit: response_rule(lambda response: over(limit, response)),
    lambda limit: partial(over, limit), lambda limit: response_rule(closure(limit)), Callable5,
    lambda limit: {"allowed": {limit, 9}}, lambda limit: frozenset({(limit, "b"), (1, "a")}),
], ids=["default", "lambda", "partial", "closure that names itself", "object", "set", "frozenset"])
def test_a_recipes_functions_are_described_with_what_they_hold(made: Callable[[int], Any]) -> None:
    told = canonical(describe(made(7)))
    assert b"0x" not in told
    assert canonical(describe(made(7))) == told
    assert canonical(describe(made(8))) != told


def test_a_global_that_a_recipes_function_reads_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    before = describe(response_rule(uses_a_global))
    monkeypatch.setitem(globals(), "LIMIT", [6])
    assert describe(response_rule(uses_a_global)) != before


def test_what_is_named_after_its_place_in_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match="place in memory"):
        describe({"rule": object()})
