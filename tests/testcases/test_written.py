"""Test programs that a model writes, and inputs that are mutated, in recipes: planted programs, known tests."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from feedback.imports.samples import samples
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_inputs, generate_tests
from feedback.testcases.given import given
from feedback.testcases.mutate import mutate_inputs
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import agreed, vote_outputs
from feedback.testcases.written import lacks, run_by_itself
from filters.pairs import identical
from preferences.by_tests import pair_by_tests
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, said
from tests.testcases.replies import ENGINES, answered
from tests.testcases.tables import fates as told
from tests.testcases.tables import prompts
from tests.testcases.walked import Walked, balanced, fates

confined = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")
GOOD = "def test_two_is_four():\n    assert double(2) == 4"
BRANCHED = "def test_each():\n    for x in (0, 5):\n        assert double(x) == 2 * x"
WRONG = "def test_three_is_seven():\n    assert double(3) == 7"
MAIN = "def test_a():\n    assert double(2) == 5\nif __name__ == '__main__':\n    test_a()"
RUNNER = ("def test_a():\n    assert double(2) == 5\ndef run_tests():\n    test_a()\n"
          "if __name__ == '__main__':\n    run_tests()")
USELESS = ["def test_(:", "def test_it():\n    double(3)", "def test_it():\n    assert 1 + 1 == 2"]
TESTS = {"tests": [GOOD, BRANCHED, WRONG, GOOD, *USELESS]}
WRITTEN = generate_tests(["writer"], n=9)


def recipe(folder: Path, **more: Any) -> PreferenceDataset:
    """Five right programs and two wrong ones, each in its own way."""
    asked = {"prompt": "Write a Python function double(x) that returns twice x.", "entry_point": "double", "model": "m",
             "reference": "def double(x):\n    return x * 2\n", "given": [[1], [2]],
             "completions": ["def double(x):\n    return x + x"] * 3 + ["def double(x):\n    return 2 * x"] * 2 + [
                 "def double(x):\n    return x * x", "def double(x):\n    return None"]}
    (folder / "doubles.jsonl").write_text(json.dumps(asked) + "\n")
    source = samples(folder / "doubles.jsonl", answers="completions", model="{model}", reference="reference",
                     licence="cc0-1.0", language="en")
    return PreferenceDataset(**{
        "name": "written", "prompts": source.prompts, "responses": source.responses, "programs": programs(),
        "test_inputs": WRITTEN, "test_cases": WRITTEN, "executions": execute(limits=Limits(wall_s=300)),
        "outcomes": check(), "preferences": pair_by_tests(floor=0.6, margin=1), "kept": [identical],
        "truth": by_reference(hidden=given("given")), **more})


async def writes(sent: Sent) -> Any:
    assert "Function to test: double" in sent.text
    return said(json.dumps(TESTS))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    if isolation.strict_misses():
        pytest.skip(f"sandbox: {isolation.strict_misses()}")
    folder = tmp_path_factory.mktemp("written")
    with Loopback(writes) as running:
        return Walked(recipe(folder), folder, running.url, engine="writer")


def test_tests_that_a_model_writes_are_run_and_those_that_can_say_nothing_are_not(made: Walked) -> None:
    assert made.failed == []
    assert all(map(balanced, made.counts.values()))
    assert fates(made.counts["test_inputs"], "test_inputs", "inputs") == {
        "in": 7, "out": 3, "duplicate": 1, "does not parse": 1, "asserts nothing": 1, "never calls the function": 1}
    assert set(made.tables["test_cases"]["expected"]) == {"passed"}
    passed = made.tables["outcomes"].group_by("response_id").agg(passed=(pl.col("outcome") == "pass").sum())
    assert sorted(passed["passed"]) == [0, 1, 2, 2, 2, 2, 2]
    assert made.tables["kept"].height == 5 * 2
    assert made.facts()["standings"][0]["pairs"] == 10


def test_the_audit_and_the_card_tell_what_written_tests_look_like(made: Walked) -> None:
    shares = {row["what"]: (row["tests"], row["share"]) for row in made.facts()["smells"]}
    assert {name: shares[name] for name in ("parses", "asserts", "calls_focal", "branch", "comment")} == {
        "parses": (3, 1.0), "asserts": (3, 1.0), "calls_focal": (3, 1.0), "branch": (3, 0.3333), "comment": (3, 0.0)}
    card = (made.build.folder / "README.md").read_text()
    assert "**What tests look like that models wrote**" in card
    assert "| branch | 3 | 0.3333 |" in card


@confined
def test_a_written_test_that_the_vote_or_the_reference_fails_makes_no_case(tmp_path: Path) -> None:
    with Loopback(writes) as running:
        both = Walked(recipe(tmp_path, test_cases=(vote_outputs(min_voters=5), WRITTEN, agreed)), tmp_path / "both",
                      running.url, engine="writer")
        oracle = Walked(recipe(tmp_path, test_cases=by_reference(), truth=None), tmp_path / "oracle", running.url,
                        engine="writer")
    values = both.tables["test_cases"].join(both.tables["test_inputs"], on="input_id")["value"]
    assert sorted(values) == sorted(map(run_by_itself, (GOOD, BRANCHED)))
    assert fates(both.counts["test_cases"], "test_cases, vote", "inputs") == {"in": 3, "out": 2, "fails most": 1}
    assert fates(oracle.counts["test_cases"], "test_cases", "inputs") == {
        "in": 3, "out": 2, "reference fails": 1}


@confined
def test_mutants_of_the_inputs_are_run_and_voted_on_beside_them(tmp_path: Path) -> None:
    made = Walked(recipe(tmp_path, test_inputs=(given("given"), mutate_inputs(n=3)), test_cases=vote_outputs(
        min_voters=5)), tmp_path, "http://127.0.0.1:9/v1")
    inputs = made.tables["test_inputs"]
    makers = dict(inputs.group_by(pl.col("makers").list.join(",")).len().iter_rows())
    assert makers["human"] == 2
    assert makers["mutation"] == inputs.height - 2 > 1
    assert made.tables["executions"].height == 7 * inputs.height
    assert made.tables["test_cases"].height == inputs.height
    assert all(map(balanced, made.counts.values()))


@pytest.mark.parametrize(("test", "runs"), [
    ("def test_a():\n    pass", "def test_a():\n    pass\n\ntest_a()\n"), ("assert f(1)", "assert f(1)\n"),
    ("def test_a():\n    pass\ntest_a()", "def test_a():\n    pass\ntest_a()\n"), ("def helper(): pass",
     "def helper(): pass\n"), ("def test_a(x): pass", "def test_a(x): pass\n"),
    ("def test_a(x=1): pass", "def test_a(x=1): pass\n\ntest_a()\n"), ("def test_(:", "def test_(:\n"),
    (MAIN, f"{MAIN}\n\ntest_a()\n"), (RUNNER, f"{RUNNER}\n\ntest_a()\n"),
    ("def test_a():\n    pass\ndef test_all():\n    test_a()",
     "def test_a():\n    pass\ndef test_all():\n    test_a()\n\ntest_all()\n"),
    ("def test_a():\n    pass\ndef main():\n    test_a()\nmain()",
     "def test_a():\n    pass\ndef main():\n    test_a()\nmain()\n"),
])
def test_a_test_function_that_nothing_calls_is_called(test: str, runs: str) -> None:
    assert run_by_itself(test) == runs
    assert run_by_itself(runs) == runs


def test_what_a_test_lacks_is_named() -> None:
    assert [lacks(test, "double") for test in (GOOD, BRANCHED, *USELESS)] == [
        None, None, "does not parse", "asserts nothing", "never calls the function"]
    assert lacks(USELESS[2], None) is None


@pytest.mark.parametrize(("test", "lacking"), [
    ("class TestDouble:\n    def test_it(self):\n        assert double(2) == 5", "runs no assertion"),
    ("import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(double(2), 5)\n"
     "if __name__ == '__main__':\n    unittest.main()", "runs no assertion"),
    ("def test_it(number):\n    assert double(number) == 5", "runs no assertion"),
    ("async def test_it():\n    assert double(2) == 5", "runs no assertion"),
    ("def look():\n    assert double(2) == 5\ndef unused():\n    look()", "runs no assertion"),
    ("def look(n):\n    assert double(n) == 4\ndef test_it():\n    look(2)", None), (MAIN, None), (RUNNER, None),
    ("class T:\n    def test_it(self):\n        assert double(2) == 4\nT().test_it()", None),
    ("def test_it():\n    def inner():\n        assert double(2) == 4\n    inner()", None),
    ("def test_it(n):\n    assert double(n) == 4\nfor each in (test_it,):\n    each(2)", None),
])
def test_a_test_that_would_pass_whatever_the_program_does_since_it_runs_no_assertion_is_told(
        test: str, lacking: str | None) -> None:
    assert lacks(test, "double") == lacking
    with pytest.raises(AssertionError) if lacking is None else nullcontext():
        exec(run_by_itself(test), {"double": lambda n: None, "__name__": "tests"})  # as the sandbox runs it


@pytest.mark.parametrize(("text", "reason"), [
    (json.dumps(TESTS), None), ('{"tests": [1]}', "an input is no text"), ('{"tests": []}', "no list of tests"),
    ('{"cases": ["assert 1"]}', "no list of tests"),
])
def test_a_reply_with_tests_parses_or_says_why_not(text: str, reason: str | None) -> None:
    assert generate_tests(["one"]).parse(text) == reason


def test_inputs_and_cases_of_written_tests_are_of_the_same_tests() -> None:
    asked, operator = prompts("p", said="Write double(x)."), generate_tests(["one"], n=9)
    replies = answered(operator.plan(asked, ENGINES), lambda _: json.dumps(TESTS))
    inputs, cases = (make(asked, replies, ENGINES) for make in (operator.test_inputs, operator.test_cases))
    assert set(inputs.table["input_id"]) == set(cases.table["input_id"])
    assert told(cases.counts, "inputs")["asserts nothing"] == 1


@pytest.mark.parametrize(("change", "says"), [
    ({"test_inputs": given("given")}, "holds what writer writes, and test_inputs= does not"),
    ({"test_inputs": mutate_inputs(), "test_cases": vote_outputs()}, r"write programs\(\) of kind 'call', and"),
    ({"test_inputs": (given("given", kind="stdin"), mutate_inputs()), "programs": programs(kind="stdin"),
      "test_cases": vote_outputs(), "truth": None}, r"write programs\(\) of kind 'call', and"),
    ({"programs": programs(kind="stdin"), "truth": None}, "is of kind 'tests'"),
])
def test_tests_and_mutants_that_could_say_nothing_are_refused(tmp_path: Path, change: dict[str, Any],
                                                              says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        recipe(tmp_path, **change)


def test_only_generate_tests_writes_tests() -> None:
    with pytest.raises(ConfigError, match=r"generate_tests\(...\) writes test programs"):
        generate_inputs(["one"], kind="tests")
