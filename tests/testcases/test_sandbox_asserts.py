"""Assertions as data, and HumanEval's canonical solutions."""

import ast
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sandbox as bench
from feedback.testcases.asserts import checks_of, convert, literal
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.codec import decode, encode


def cases(tests: str) -> list[tuple[Any, Any, float]]:
    return [(decode(case.input, ordered=True), decode(case.expected), case.tolerance)
            for case in convert(tests, "f").cases]


@pytest.mark.parametrize(("line", "case"), [
    ("assert f(1, [2]) == 3", ([1, [2]], 3, 0.0)),
    ("assert candidate('a') == ('b',), 'message'", (["a"], ("b",), 0.0)),
    ("assert {'b': 1, 'a': -2} == f()", ([], {"a": -2, "b": 1}, 0.0)),
    ("assert f([1] * 3, 2 ** 10, -1 / 4) == 'x' + 'y'", ([[1, 1, 1], 1024, -0.25], "xy", 0.0)),
    ("assert f(set(), tuple([1])) is None", ([set(), (1,)], None, 0.0)),
    ("assert abs(f(2) - 0.5) < 1e-6", ([2], 0.5, 1e-6)),
])
def test_a_comparison_with_a_literal_is_a_case(line: str, case: tuple[Any, Any, float]) -> None:
    assert cases(line) == [case]
    assert cases(f"def check(candidate):\n    x = 1\n    {line}\ncheck(f)") == [case]
    assert convert(line, "f").whole


@pytest.mark.parametrize("line", [
    "assert f(x) == 1", "assert f(1) != 2", "assert f(1)", "assert not f(1)", "assert f(n=1) == 1",
    "assert f(*[1]) == 1", "assert g(1) == 1", "assert f(1) == f(2)", "assert sorted(f(1)) == [1]",
    "assert f(1) == 9 ** 9 ** 9",
    "assert f(1) == 'x' * 10 ** 9", "assert abs(f(1) - 100.0) < 1e-6", "assert f(lambda: 1) == 1",
    "assert f(1) == 1 == 1", "assert f(1) == __import__('os').getpid()", "for x in [1]:\n    assert f(x) == 1",
])
def test_whatever_else_an_assertion_says_stays_a_test_program(line: str) -> None:
    converted = convert(line, "f")
    assert (converted.cases, converted.rest, converted.whole) == ((), 1, False)


def test_other_statements_leave_tests_that_are_not_only_data() -> None:
    assert not convert("f(1)\nassert f(2) == 2", "f").whole
    assert convert("import math\n'words'\nassert True\nassert f(2) == 2", "f").whole


def test_a_case_holds_for_equal_values_and_near_floats_only() -> None:
    (case,) = convert("assert abs(f(2) - 0.5) < 1e-3", "f").cases
    assert [case.holds(encode(value)) for value in (0.5, 0.5004, 0.6, "0.5", None)] == [True, True, False, False, False]


def test_the_order_of_a_dict_argument_stays() -> None:
    (case,) = convert("assert f({'b': 1, 'a': 2}) == 1", "f").cases
    assert list(decode(case.input, ordered=True)[0]) == ["b", "a"]


def test_arithmetic_on_literals_is_bounded() -> None:
    for text in ("2 ** 10 ** 9", "[0] * 10 ** 9", "1 / 0", "'a' - 1", "(-1) ** -2.5 + x", "1 << 9", "float('x', 1)"):
        with pytest.raises(ValueError, match=r"\w"):
            literal(ast.parse(text, mode="eval").body)


@pytest.fixture(scope="module")
def human_eval(shared_data: Path) -> list[dict[str, Any]]:
    path = shared_data / "code_math" / "humaneval_openai.jsonl.gz"
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_of_human_evals_assertions_that_say_anything_94_in_100_are_data(human_eval: list[dict[str, Any]]) -> None:
    found = [convert(problem["test"], problem["entry_point"]) for problem in human_eval]
    data, rest = sum(len(each.cases) for each in found), sum(each.rest for each in found)
    vacuous = sum(isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant)
                  for problem in human_eval for node in ast.walk(ast.parse(problem["test"])))
    assert (data + rest + vacuous, vacuous) == (1181, 48)
    assert data / (data + rest) >= 0.94
    assert sum(each.whole for each in found) >= 144


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
def test_all_canonical_solutions_pass_and_empty_ones_fail(human_eval: list[dict[str, Any]]) -> None:
    assert bench.run(human_eval, 1, 2).passed == len(human_eval) == 164
    empty = [{**problem, "canonical_solution": "    return 'none of these'\n"} for problem in human_eval]
    assert bench.run(empty, 1, 2).passed == 0


def test_a_prompts_helpers_come_from_the_prompt() -> None:
    text = checks_of("def helper(): return 1", "def check(c): pass", "f")
    assert text.splitlines() == ["def helper(): return 1", "def check(c): pass", "check(f)"]
