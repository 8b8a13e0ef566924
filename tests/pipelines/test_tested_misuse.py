"""Recipes of test cases that come to nothing: the build says which table is empty, and what most runs say."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from feedback.testcases.sandbox import isolation
from tests.generators.loopback import Loopback, Sent
from tests.pipelines.conftest import Site

RECIPE = '''"""A recipe that comes to nothing."""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.imports.samples import samples
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_inputs
from feedback.testcases.given import given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import vote_outputs
from preferences.by_tests import pair_by_tests

source = samples("problems.jsonl", answers="completions", model="{model}", licence="cc0-1.0", language="en")
dataset = PreferenceDataset(
    name="mine", engines=Path("engines.toml"), prompts=source.prompts, responses=source.responses, programs=programs(),
    test_inputs=INPUTS, executions=execute(limits=Limits(wall_s=300)), test_cases=CASES,
    outcomes=check(), preferences=pair_by_tests(margin=1))
'''
PROBLEM = {"prompt": "Write a Python function double(x) that returns twice x.", "model": "m", "tests": [[1], [2]],
           "entry_point": "double",
           "completions": ["def double(x):\n    return x + x"] * 5 + ["def double(x):\n    pass"]}

pytestmark = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")


def built(site: Site, problem: dict[str, Any], inputs: str, cases: str = "vote_outputs(min_voters=5)",
          *more: dict[str, Any]) -> str:
    """What the failed build says, on one line; where there are more problems, they have references."""
    (site.root / "problems.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (problem, *more)))
    recipe = RECIPE.replace("INPUTS", inputs).replace("CASES", cases)
    if more:
        recipe = recipe.replace('answers="completions"', 'answers="completions", reference="solution"')
    Path(site.root / "pipelines" / "mine.py").write_text(recipe)
    done = site.winnow("build", "mine")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_function_by_another_name_is_said_to_be_missing(site: Site) -> None:
    told = built(site, {**PROBLEM, "entry_point": "dubble"}, 'given("tests")')
    assert "of 12 runs without an output 12 say: no_entry: the program defines no function dubble" in told
    assert "test_cases: 2 inputs dropped (too few voters)" in told
    assert "test_cases is the first table that is empty: nobody could say what is expected" in told


def test_what_references_lack_is_told(site: Site) -> None:
    other = {**PROBLEM, "prompt": "Write double(x) in Python.", "solution": "def double(x):\n    raise ValueError"}
    told = built(site, {**PROBLEM, "solution": None}, 'given("tests")', "by_reference()", other)
    assert "references: 1 prompts dropped (no reference)" in told
    assert "test_cases is the first table that is empty" in told


def test_that_no_prompt_has_a_reference_is_told_first(site: Site) -> None:
    told = built(site, PROBLEM, 'given("tests")', "by_reference()")
    assert "mine: by_reference() finds no reference in any prompt; name the field that holds a solution" in told


def test_what_an_engine_without_schemas_says_is_told(site: Site) -> None:
    async def refuses(_: Sent) -> Any:
        return web.json_response({"error": {"message": "response_format is not supported here"}}, status=400)

    with Loopback(refuses) as server:
        (site.root / "engines.toml").write_text(f'[engines.writer]\nurl = "{server.url}"\nmodel = "tiny"\n')
        told = built(site, PROBLEM, 'generate_inputs(["writer"], n=5)')
    assert "response_format is not supported here" in told
    assert "test_inputs is the first table that is empty: no prompt has anything to run on" in told
    assert "must keep to a JSON schema" in told
