"""The recipes of the pocket models: what they ask and whom, what they take for right, and a small build for real."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from generators.engines import load_engines
from pipelines import catalog
from tests.pipelines.conftest import Site, site  # noqa: F401  (a fixture)

ROOT = Path(__file__).parents[2]


def build(site: Site, name: str) -> str:  # noqa: F811
    """What a build says; it may take long on a machine with other work."""
    ran = subprocess.run(site.command("build", "arithmetic", "--name", name), cwd=site.root, env=site.environment(),
                         capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def problems(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (ROOT / "examples" / f"{name}.jsonl").read_text().splitlines()]


def answers(name: str, problem: dict[str, str]) -> tuple[str, str]:
    """A right answer and a wrong one."""
    if name == "arithmetic":
        number = problem["reference"]
        return f"So \\boxed{{{number}}}.", f"{number}, hence \\boxed{{{int(number) + 1}}}."
    source = problem["reference"]
    return f"```python\n{source}\n```", f"```python\n{source.replace('return ', 'return 7 or ')}\n```"


@pytest.mark.parametrize("name", ["arithmetic", "functions"])
def test_the_truth_knows_the_right_answer_to_every_prompt_and_a_wrong_one(name: str) -> None:
    truth = catalog.load(name).truth
    assert truth is not None
    found = problems(name)
    assert len({problem["prompt"] for problem in found}) == 200
    for problem in found:
        messages = [{"role": "user", "content": problem["prompt"]}]
        assert [truth(messages, text) for text in answers(name, problem)] == [1.0, 0.0], problem
        assert truth(messages, "I do not know.") == 0.0
    assert truth([{"role": "user", "content": "Why is the sky blue?"}], "\\boxed{3}") is None


@pytest.mark.parametrize("name", ["arithmetic", "functions"])
def test_every_engine_is_a_model_that_ships_and_one_server_serves_all(name: str) -> None:
    dataset = catalog.load(name)
    engines = load_engines(dataset.engines)
    assert {*dataset.responses.engines, *dataset.juries[0].engines} == set(engines)
    assert len({engine.command for engine in engines.values()}) == 1
    for engine in engines.values():
        weights = Path(engine.weights or "")
        assert weights == ROOT / "generators" / "pocket" / "models" / engine.model
        assert (weights / "model.safetensors").exists()
        assert engine.revision is not None


def test_a_small_build_runs_on_real_models_and_says_what_its_judges_are_worth(site: Site) -> None:  # noqa: F811
    recipe = site.root / "pipelines" / "arithmetic.py"
    recipe.write_text(recipe.read_text().replace('task="arithmetic"', 'task="arithmetic", limit=12'))
    built = build(site, "first")
    folder = Path(re.findall(r"^dataset: (.*)$", built, re.MULTILINE)[0])
    assert (folder / "manifest.json").exists()
    assert re.search(r"completions +replies +36 +36", built)
    for judge in ("the jury", "pocket_judge_a", "pocket_judge_b", "pocket_judge_c"):
        assert re.search(rf"^ ?{judge} +overall +\d+ +\d+ +\d+", built, re.MULTILINE), built
    assert "ready at" not in build(site, "again")  # all replies are stored: no server is started
