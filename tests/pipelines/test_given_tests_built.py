"""Problems with tests that people wrote, as a user builds them; what is wrong is told before a model is asked."""

import json
import subprocess
from typing import Any

import polars as pl
import pytest

from feedback.testcases.sandbox import isolation
from tests.generators.loopback import Loopback, Sent, said
from tests.pipelines.conftest import Site

RECIPE = '''"""Squares, labelled by the tests that come with them."""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.testcases.execute import execute
from feedback.testcases.given_tests import given_tests
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox.job import Limits
from generators.read import read
from generators.sample import sample
from preferences.by_tests import pair_by_tests

TESTS = given_tests("FIELD")
dataset = PreferenceDataset(
    name="squares", engines=Path("engines.toml"),
    prompts=read("problems.jsonl", reference="canonical_solution", licence="cc0-1.0", language="en"),
    responses=sample(pool=("coder",), n=2), programs=programs(), test_inputs=TESTS, test_cases=TESTS,
    executions=execute(limits=Limits(wall_s=300)), outcomes=check(), preferences=pair_by_tests(floor=1.0, margin=1),
    truth=by_reference(hidden=given_tests("more")))
'''
STUB = 'def halved(n):\n    return n / 2\n\n\ndef square(n):\n    """The square of n."""\n'
PROBLEM = {
    "task_id": "Squares/0", "entry_point": "square", "prompt": STUB, "canonical_solution": "    return n * n\n",
    "test": "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(2) == 4\n",
    "more": ["def check(candidate):\n    for n in range(5):\n        assert halved(candidate(n)) == n * n / 2\n"]}
ANSWERS = {0: "    return n ** 2\n", 1: "    return 3 * n\n"}

pytestmark = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")


def test_problems_with_tests_are_built_and_a_field_that_is_not_theirs_is_told_before_a_model_is_asked(
        site: Site) -> None:
    asked: list[int] = []

    async def answers(_: Sent) -> Any:
        asked.append(1)
        return said(ANSWERS[len(asked) % 2])

    with Loopback(answers) as server:
        (site.root / "engines.toml").write_text(f'[engines.coder]\nurl = "{server.url}"\nmodel = "tiny"\n')
        for command in ("validate", "build"):
            told = refused(site, command, "tests")
            assert "given_tests('tests') finds nothing in the prompts' field 'tests'" in told
            assert "name one of their fields: entry_point, more, task_id, test" in told
        assert not asked
        built = of_field(site, "build", "test")
    assert built.returncode == 0, built.stdout + built.stderr
    [pair] = pl.read_parquet(next(site.home.rglob("kept/kept.parquet"))).to_dicts()
    assert [pair[side][0]["content"] for side in ("chosen", "rejected")] == [ANSWERS[0], ANSWERS[1]]
    assert "label accuracy against the truth: 1.0" in built.stdout


def of_field(site: Site, command: str, field: str) -> subprocess.CompletedProcess[str]:
    (site.root / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    (site.root / "pipelines" / "squares.py").write_text(RECIPE.replace("FIELD", field))
    return site.winnow(command, "squares")


def refused(site: Site, command: str, field: str) -> str:
    """What the command says, on one line; it must fail, and without a traceback."""
    done = of_field(site, command, field)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())
