"""The pages in docs/ show code that runs and say every option there is."""

import inspect
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages, used_engines
from audits.funnel import ORDER
from feedback.jury.compare import compare
from feedback.jury.rate import rate
from feedback.testcases.mutation_score import mutation_score
from feedback.testcases.vote import vote_outputs
from generators.engines import Engine, load_budget, load_engines
from generators.read import read
from generators.sample import sample
from preferences.by_tests import pair_by_tests
from preferences.pair import POLICIES, pair
from preferences.unpaired_by_tests import unpaired_by_tests

DOCS = Path(__file__).parent.parent / "docs"
RECIPES, ENGINES = ((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("recipes", "engines"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(code, names)
    return names


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """The names in backquotes in the first cells of tables."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`\"?([\w-]+)", cell)}


@pytest.mark.parametrize("name", ["delta", "ultrafeedback", "fellowship", "again"])
def test_a_recipe_shown_is_a_dataset_with_all_its_stages(name: str) -> None:
    [code] = [block for block in blocks(RECIPES, "python") if f'name="{name}"' in block]
    dataset: PreferenceDataset = run(code)["dataset"]
    stages = [stage.name for stage in build_stages(dataset)]
    assert stages[0] == "prompts"
    assert {"preferences", "kept", "audit", "dataset"} <= set(stages)
    assert ("rankings" in stages) == (name != "delta")


def test_the_funnel_tells_the_stages_of_every_recipe_shown_in_the_order_they_run() -> None:
    for page in sorted(DOCS.glob("*.md")):
        for block in blocks(page.read_text(encoding="utf-8"), "python"):
            if "PreferenceDataset(" in block:
                dataset = run(block)["dataset"]
                whole = replace(dataset, mutation=mutation_score()) if dataset.programs else dataset
                counted = [stage.name for stage in build_stages(whole) if stage.counts_rows]
                assert [name for name in ORDER if name in counted] == counted


def test_every_other_snippet_runs() -> None:
    snippets = [block for block in blocks(RECIPES, "python") if "PreferenceDataset" not in block]
    assert [run(block)["prompts"].text for block in snippets] == ["question"]


def test_every_keyword_of_a_recipe_is_told() -> None:
    told = first_cells(RECIPES.split("\n## ")[0])
    assert told == {field.name for field in fields(PreferenceDataset)} - {"source", "round"}


@pytest.mark.parametrize(("heading", "operators"), [
    ("Prompts", (read,)), ("Responses", (sample,)), ("Judgments", (rate, compare)), ("Preferences", (pair,)),
])
def test_every_option_of_an_operator_is_told(heading: str, operators: tuple[Callable[..., Any], ...]) -> None:
    options = {name for operator in operators for name in inspect.signature(operator).parameters}
    unsaid = {"path", "policy", "ties", "identical"}
    assert first_cells(section(RECIPES, heading)) - set(POLICIES) == options - unsaid


def test_every_policy_and_shipped_rubric_is_told() -> None:
    assert set(POLICIES) <= first_cells(section(RECIPES, "Preferences"))
    rubrics = Path(inspect.getfile(rate)).parent / "prompts" / "rubrics"
    assert all(path.stem in section(RECIPES, "Judgments") for path in rubrics.glob("*.txt"))


def test_every_filter_we_ship_is_told() -> None:
    from filters import pairs, sides
    from filters.rule import PairRule, ResponseRule

    made_here = {name for module in (pairs, sides) for name, value in vars(module).items()
                 if isinstance(value, PairRule | ResponseRule)
                 or (inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"))}
    assert first_cells(section(RECIPES, "Filters")) == made_here


def test_the_engines_shown_load(tmp_path: Path) -> None:
    names = set()
    (tmp_path / "models" / "own-3b").mkdir(parents=True)
    (tmp_path / "models" / "own-3b" / "config.json").write_text("{}", encoding="utf-8")
    for number, block in enumerate(blocks(ENGINES, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        names |= load_engines(path).keys()
        assert (load_budget(path) is not None) == ("budget" in tomllib.loads(block))
    assert names == {"vllm", "llama_cpp", "ollama", "provider", "managed", "own", "gguf", "judge"}


def test_the_page_for_one_gpu_shows_engines_and_a_recipe_that_load(tmp_path: Path) -> None:
    page = (DOCS / "one_gpu.md").read_text(encoding="utf-8")
    (tmp_path / "mine-3b").mkdir()
    (tmp_path / "mine-3b" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "mine-3b.gguf").write_text("GGUF", encoding="utf-8")
    for block in blocks(page, "toml"):
        file = tmp_path / "engines.toml"
        file.write_text(block.replace("/models/", f"{tmp_path}/"), encoding="utf-8")
        assert load_engines(file).keys() == {"mine", "judge"}
    dataset = run(blocks(page, "python")[0])["dataset"]
    assert used_engines(dataset) == {"mine", "judge"}
    assert dataset.responses.calls(20000) == (80000, 80000)
    assert dataset.juries[0].calls(1, 4)[0] == 12


def test_every_field_of_an_engine_is_told() -> None:
    assert first_cells(ENGINES.split("\n## ")[0]) == {field.name for field in fields(Engine)} - {"name"}


def test_every_command_and_check_in_the_readme_is_one_that_exists() -> None:
    from typer.main import get_command

    from pipelines.cli import app

    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `winnow ([a-z]+)", readme, re.MULTILINE))
    assert told == set(getattr(get_command(app), "commands", {}))


def test_the_checks_in_the_readme_are_those_of_the_datasets_that_ship() -> None:
    from assets import checks
    from pipelines import catalog

    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| [\w ]+ \| `(\w+)` \|", section(readme, "What a build holds"), re.MULTILINE))
    specs = {spec.name for dataset in catalog.load_all() for stage in build_stages(dataset) for spec in stage.checks}
    assert told == {checks.BALANCE.name, *specs}


def test_the_page_on_test_cases_shows_code_that_runs_and_names_every_option() -> None:
    told = (DOCS / "testcases.md").read_text(encoding="utf-8")
    shown = [run(block) for block in blocks(told, "python")]
    stages = [stage.name for stage in build_stages(shown[0]["dataset"])]
    chain = ["programs", "test_completions", "test_inputs", "executions", "test_cases", "outcomes", "true_outcomes"]
    assert [name for name in stages if name in chain] == chain
    for operator in (pair_by_tests, vote_outputs, unpaired_by_tests):
        assert f"`{operator.__name__}(" in told
        assert all(f"{name}" in told for name in inspect.signature(operator).parameters)
