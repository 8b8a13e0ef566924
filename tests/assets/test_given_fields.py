"""What prompts must hold for labels by tests, told before anybody is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets.dataset import PreferenceDataset
from assets.given_fields import check_fields
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_inputs
from feedback.testcases.given import given
from feedback.testcases.given_tests import given_tests
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.vote import vote_outputs
from generators.read import read
from generators.sample import sample
from preferences.by_tests import pair_by_tests
from schemas.errors import ConfigError

PROBLEMS: list[dict[str, Any]] = [{"prompt": f"Write f(x) that adds {n}.", "solution": f"def f(x):\n    return x + {n}",
             "tests": [{"input": [x], "expected": x + n} for x in range(n)]} for n in (2, 4)]


def checked(folder: Path, reference: str | None, problems: list[dict[str, Any]] = PROBLEMS,
            limit: int | None = None, **change: Any) -> None:
    (folder / "problems.jsonl").write_text("".join(f"{json.dumps(problem)}\n" for problem in problems))
    dataset = PreferenceDataset(**{
        "name": "fields", "prompts": read(folder / "problems.jsonl", reference=reference, limit=limit),
        "responses": sample(["policy"], n=5), "programs": programs(), "test_inputs": given("tests"),
        "executions": execute(), "test_cases": vote_outputs(min_voters=2), "outcomes": check(),
        "preferences": pair_by_tests(margin=4), **change})
    check_fields(dataset, dataset.prompts().table)


@pytest.mark.parametrize("change", [
    {"truth": by_reference()}, {"test_cases": by_reference()},
    {"truth": by_reference(), "test_inputs": generate_inputs(["writer"])},
])
def test_references_that_no_prompt_has_are_told_when_the_prompts_are_read(change: dict[str, Any],
                                                                          tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"by_reference\(\) finds no reference in any prompt; .*reference='solution'"):
        checked(tmp_path, None, **change)
    checked(tmp_path, "solution", **change)


def test_a_reference_that_only_some_prompts_have_is_no_mistake(tmp_path: Path) -> None:
    some = [{**PROBLEMS[0], "solution": None}, PROBLEMS[1]]
    checked(tmp_path, "solution", some, truth=by_reference())


def test_a_margin_that_no_prompt_is_given_the_tests_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"margin=5\) asks for more than the 4 test\(s\) that any prompt is given"):
        checked(tmp_path, None, preferences=pair_by_tests(margin=5))
    both = (vote_outputs(min_voters=2), given("tests"))
    checked(tmp_path, None, test_cases=both, preferences=pair_by_tests(margin=8))
    with pytest.raises(ConfigError, match=r"margin=5\) asks for more than the 4"):
        checked(tmp_path, None, test_cases=both, preferences=pair_by_tests(margin=5, sources=["human"]))
    checked(tmp_path, None, test_inputs=(given("tests"), generate_inputs(["writer"])),
            preferences=pair_by_tests(margin=9))


def test_where_there_is_no_prompt_no_field_is_missed(tmp_path: Path) -> None:
    tests = given_tests("test_list", setup="test_setup_code")
    checked(tmp_path, None, limit=0, test_inputs=tests, test_cases=tests, truth=by_reference())
