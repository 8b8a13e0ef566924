"""Test programs of people, in the forms of HumanEval and MBPP: known answers by hand, and all of HumanEval."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given as law
from hypothesis import strategies as st

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from assets.stage import Means
from feedback.imports.samples import samples
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_inputs
from feedback.testcases.given import given, input_rows, reference_responses
from feedback.testcases.given_tests import UNDEFINED, GivenTests, given_tests
from feedback.testcases.outcomes import check, passes
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import vote_outputs
from feedback.testcases.written import FOREIGN, smells_of_inputs
from filters.pairs import identical
from generators.read import read
from generators.store import ReplyStore
from preferences.by_tests import pair_by_tests
from schemas import TEST_CASES, TEST_INPUTS
from schemas.errors import ConfigError, SchemaError
from schemas.test_inputs import input_id
from tests.testcases.tables import fates, prompts
from tests.testcases.walked import Walked, balanced
from tests.testcases.walked import fates as told_by

confined = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")
MBPP = given_tests("test_list", setup="test_setup_code")
CHECK = ("METADATA = {'author': 'jt'}\n\n\ndef check(candidate):\n    assert candidate(2) == 4\n"
         "    assert candidate(-1) == 1\n")
LOOP = "def check(candidate):\n    for x in range(9):\n        assert candidate(x) == x * x\n"
HELPED = "def check(candidate):\n    for x in range(9):\n        assert halved(candidate(x)) == x * x / 2\n"
STUBS = 'def halved(n):\n    return n / 2\n\n\ndef square(n):\n    """The square of n."""\n'


def found(tests: Any, operator: GivenTests | None = None, said: str = "Write square(n).",
          **meta: Any) -> dict[str, Any]:
    """Each input of a prompt by its kind and value, with what is expected of it."""
    operator = operator or given_tests("tests")
    asked = prompts("p", said=said, meta=json.dumps({"tests": tests, **meta}))
    inputs, cases = operator.test_inputs(asked), operator.test_cases(asked)
    for table, made in ((TEST_INPUTS, inputs), (TEST_CASES, cases)):
        assert table.check(table.conform(made.table.to_arrow()))[0] == []
        for unit in ("prompts", "tests", "inputs"):
            assert balanced([row for row in made.counts if row.unit == unit])
    met = inputs.table.join(cases.table, on="input_id", how="left")
    rows = met.select("kind", "value", "expected").iter_rows()
    return {f"{kind} {value}": expected for kind, value, expected in rows}


def dropped(tests: Any, **meta: Any) -> dict[str, int]:
    asked = prompts("p", said="Write square(n).", meta=json.dumps({"tests": tests, **meta}))
    told = fates(given_tests("tests", setup="setup" if "setup" in meta else None).test_inputs(asked).counts, "tests")
    return {reason: count for reason, count in told.items() if reason not in ("in", "out")}


def test_assertions_that_are_data_become_calls_and_what_is_expected_of_them() -> None:
    calls = {"call [2]": "4", "call [-1]": "1"}
    assert found(CHECK, entry_point="square") == calls
    assert found(["assert square(2) == 4", "assert 1 == square(-1)"]) == calls
    assert found("def test_it():\n    assert square(2) == 4\n    assert square(-1) == 1") == calls


@pytest.mark.parametrize("test", [
    "assert abs(square(2) - 0.5) < 1e-6", "assert sorted(square(2)) == [1]", "assert square(2) != 5",
    "x = len('ab')\nassert square(x) == 4", "candidate = lambda n: 3\nassert candidate(2) == 3\nassert square(2) == 4",
    "set = frozenset\nassert square(2) == set()", "assert abs(square(2) - [1]) < 1e-6",
    "assert abs(square(2) - 10 ** 400) < 1", "assert square(float(10 ** 400)) == 1",
])
def test_whatever_says_more_is_run_and_expected_to_pass(test: str) -> None:
    assert found([test]) == {f"tests {test}\n": "passed"}


@pytest.mark.parametrize(("test", "ends"), [
    (LOOP, "check(candidate)\n"), (LOOP + "\ncheck(square)", "check(square)\n"),
    (LOOP + "\nif __name__ == '__main__':\n    check(square)", "check(candidate)\n"),
    ("def check(f):\n    assert f(2) == 4", "check(candidate)\n"),
    ("def test_it(candidate):\n    for x in (1, 2):\n        assert candidate(x) == x * x", "test_it(candidate)\n"),
    ("def check():\n    for x in (1, 2):\n        assert square(x) == x * x", "check()\n"),
])
def test_a_check_is_called_once_on_the_function_under_test(test: str, ends: str) -> None:
    [program] = found(test, entry_point="square")
    assert program.endswith(ends)
    for function, right in ((lambda n: n * n, True), (lambda n: n + 7, False)):
        told = Counter[int]()
        names = {"__name__": "tests", **dict.fromkeys(("candidate", "square"), counted(function, told))}
        if right:
            exec(program.removeprefix("tests "), names)
        else:
            with pytest.raises(AssertionError):
                exec(program.removeprefix("tests "), names)
        assert set(told.values()) == {1}


def counted(function: Any, told: Counter[int]) -> Any:
    def called(n: int) -> Any:
        told[n] += 1
        return function(n)

    return called


@pytest.mark.parametrize("said", [STUBS, f"Finish this:\n```python\n{STUBS}```", STUBS + "    return n * n\n"])
def test_a_test_gets_the_prompts_own_code_where_it_says_a_name_of_it(said: str) -> None:
    [program] = found(HELPED, said=said, entry_point="square")
    names: dict[str, Any] = {"__name__": "tests"}
    with pytest.raises(NameError, match="candidate"):
        exec(program.removeprefix("tests "), names)
    assert names["halved"](4) == 2
    own = f"def halved(n):\n    return n / 2\n\n{HELPED}"
    for test in (LOOP, own):
        assert list(found(test, said=said, entry_point="square")) == [f"tests {test}\ncheck(candidate)\n"]


@pytest.mark.parametrize(("test", "reason"), [
    ("def check(:", "does not parse"), ("assert square(2) == '\0'", "does not parse"),
    ("\ud800 = 1", "does not parse"), ("square(2)", "asserts nothing"), ("assert True", "asserts nothing"),
    ("assert 1 + 1 == 2", "never calls the function"), ("assert other(x=2) == 4", "never calls the function"),
    ("def check(candidate):\n    assert 2 < 3\ncheck(square)", "never calls the function"),
    ("def test_it(number):\n    assert square(number) == 4", "runs no assertion"),
    ("import numpy as np\ndef check(candidate):\n    assert np.allclose(candidate(2), 4)",
     FOREIGN),
    ("from .mine import x\nassert square(x) == 4", FOREIGN),
    ("assert math.isclose(square(2), 4)", UNDEFINED), (HELPED, UNDEFINED),
])
def test_a_test_that_would_say_one_thing_of_every_answer_is_dropped_with_its_reason(test: str, reason: str) -> None:
    assert dropped([test, "assert square(1) == 1"], entry_point="square") == {reason: 1}


@pytest.mark.parametrize("test", [
    "from math import *\nassert isclose(square(2), 4)",
    "try:\n    square('')\nexcept TypeError as e:\n    assert e.args",
    "assert [x for x in map(square, (1, 2))] == [1, 4]", "assert (y := square(2)) > 3 and y < 5",
    "match square(2):\n    case [*most]:\n        assert most\n    case {'a': 1, **rest}:\n        assert rest\n"
    "    case n:\n        assert n",
    "def check(candidate):\n    def inner(n=1, *more, **named):\n        return candidate(n), more, named\n"
    "    assert inner()[0] == 1",
])
def test_no_good_test_is_taken_for_one_that_says_an_unknown_name(test: str) -> None:
    assert dropped([test], entry_point="square") == {}


def test_code_to_set_up_stands_before_the_tests_be_it_a_text_or_a_list() -> None:
    test = "assert math.isclose(square(2), 4)"
    for setup in ("import math", ["import math"]):
        told = found([test], given_tests("tests", setup="setup"), setup=setup)
        assert told == {f"tests import math\n{test}\n": "passed"}
    assert dropped([test], setup="") == {UNDEFINED: 1}


def test_equal_inputs_are_one_row_and_contradicting_cases_are_none() -> None:
    tests = ["assert square(2) == 4", "assert square(2) == 4.0", "assert square(3) == 9", "assert square(3) == 6",
             "assert square(1) == 1"]
    assert found(tests) == {"call [2]": "4", "call [3]": None, "call [1]": "1"}
    asked = prompts("p", meta=json.dumps({"tests": tests, "texts": [
        {"input": "1", "expected": "2"}, {"input": "1", "expected": "2 \n"}, {"input": "2", "expected": "3"},
        {"input": "2", "expected": "4"}]}))
    assert fates(given_tests("tests").test_inputs(asked).counts, "inputs") == {"in": 5, "out": 3, "duplicate": 2}
    assert fates(given_tests("tests").test_cases(asked).counts, "inputs") == {"in": 3, "out": 2, "contradiction": 1}
    texts = given("texts", kind="stdin").test_cases(asked)
    assert fates(texts.counts, "inputs") == {"in": 2, "out": 1, "contradiction": 1}
    assert texts.table["expected"].to_list() == ["2"]


def test_the_order_of_tests_changes_no_row() -> None:
    tests = ["assert square(2) == 4.0", "assert square(2) == 4", "assert square(3) == 9"]
    assert found(tests) == found(tests[::-1])


@pytest.mark.parametrize(("tests", "entry"), [
    (["assert set(similar((1, 2), (2, 3))) == {2}"], "similar"), (["assert isinstance(g(f(1)), int)"], "g"),
    ([CHECK], None), (["import math\nassert math.isclose(area(1), math.pi)"], "area"),
    (["assert longest([Pair(1, 2), Pair(2, 3)]) == 2"], "longest"), (["assert f(1)", "assert g(1)"], None),
    (["assert f(1)", "assert g(1)", "assert f(2)"], "f"), (["x = f(1)\nassert x == 2"], "f"), (["def f(:"], None),
    (["def made():\n    return 1\nassert f(made()) == made()"], "f"), ([1, None], None), ([], None),
])
def test_the_function_that_tests_call_is_the_one_to_take_out_of_answers(tests: list[Any], entry: str | None) -> None:
    asked = prompts("p", meta=json.dumps({"test_list": tests}))
    answer = pl.lit(f"def {entry or 'f'}(n): ...\ndef after(n): ...\n")
    answers = reference_responses(asked.with_columns(reference=answer))
    assert programs(entry="test_list")(asked, answers.table).table["entry"].to_list() == [entry or "after"]


@pytest.mark.parametrize("tests", [5, {"a": 1}, [1], [["assert f(1)"]], [None]])
def test_a_field_of_another_form_is_refused_with_prompt_field_and_remedy(tests: Any) -> None:
    with pytest.raises(SchemaError, match=r"field 'tests' of p holds neither .* write Python .* given\('tests'\)"):
        found(tests)


def test_tests_read_as_inputs_are_refused_with_the_remedy() -> None:
    for tests in (CHECK, ["assert f(1) == 2"]):
        with pytest.raises(SchemaError, match=r"read by given_tests\('tests'\)"):
            given().test_inputs(prompts("p", meta=json.dumps({"tests": tests})))
    with pytest.raises(ConfigError, match=r"given_tests\('test'\) reads test programs"):
        given("test", kind="tests")
    with pytest.raises(ConfigError, match="given_tests: source='vote'"):
        given_tests(source="vote")


PIECES = st.sampled_from([
    "assert ", "square", "candidate", "(", ")", "[", "]", "{", "}", ",", " == ", " < ", "abs(", " - ", "-", "1",
    "1e400", "10**400", "float", "set", "'a'", "\\d", "\n", "    ", "def check(candidate):\n    ", "lambda: ",
    "import math\n", "*",
    " is None", ": ", "\0", "\ud800", "9" * 5000, "x", "for x in [1]:\n    ", "f'{1}'", "if 1:\n    ", "()" * 200,
])


@law(st.lists(st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=9), max_size=3))
def test_no_text_is_an_exception_and_every_one_is_counted(tests: list[str]) -> None:
    asked = prompts("p", meta=json.dumps({"tests": tests}))
    told = fates(given_tests("tests").test_cases(asked).counts, "tests")
    assert told["in"] == sum(bool(text.strip()) for text in tests) == sum(told.values()) - told["in"]


def read_problems(folder: Path, shared_data: Path) -> pl.DataFrame:
    text = gzip.decompress((shared_data / "code_math" / "humaneval_openai.jsonl.gz").read_bytes())
    (folder / "HumanEval.jsonl").write_bytes(text)
    return read(folder / "HumanEval.jsonl", reference="canonical_solution", licence="mit", language="en")().table


def test_no_test_of_human_eval_is_dropped_and_nothing_is_lost_of_what_they_assert(
        tmp_path: Path, shared_data: Path) -> None:
    problems = read_problems(tmp_path, shared_data)
    made = given_tests("test").test_inputs(problems)
    assert {row.reason for row in made.counts if row.count} == {"", "duplicate"}
    told = made.table.group_by("kind").agg(inputs=pl.len(), problems=pl.col("prompt_id").n_unique())
    assert {kind: rest for kind, *rest in told.iter_rows()} == {"tests": [15, 15], "call": [1042, 149]}


@confined
def test_all_canonical_solutions_of_human_eval_pass_its_tests_and_planted_ones_fail(
        tmp_path: Path, shared_data: Path) -> None:
    problems, tests = read_problems(tmp_path, shared_data), given_tests("test")
    right = programs()(problems, reference_responses(problems).table).table
    wrong = right.with_columns(response_id="wrong " + pl.col("response_id"), source=pl.format(
        "def {}(*given):\n    return 'none of these'\n", "entry"), program_id="wrong " + pl.col("program_id"))
    ran = execute(limits=Limits(wall_s=300))(
        pl.concat([right, wrong]), tests.test_inputs(problems).table, tmp_path / "runs")
    sums = passes(check()(ran.table, tests.test_cases(problems).table).table).with_columns(
        wrong=pl.col("response_id").str.starts_with("wrong"), all=pl.col("passed") == pl.col("tests"),
        none=(pl.col("passed") == 0) & (pl.col("unknown") == 0))
    assert sums.filter(~pl.col("wrong"))["all"].to_list() == [True] * 164
    assert sums.filter("wrong")["none"].to_list() == [True] * 164


RECORDS: list[dict[str, Any]] = [
    {"prompt": "Write a function to find the elements that two tuples share.", "test_setup_code": "",
     "test_list": ["assert set(shared((3, 4, 5), (5, 7, 4))) == {4, 5}", "assert set(shared((1,), (2,))) == set()"],
     "code": "def shared(one, other):\n    return tuple(set(one) & set(other))",
     "completions": ["def shared(one, other):\n    return list_of(one, other)\n\n\ndef list_of(one, other):\n"
                     "    return [each for each in one if each in other]",
                     "def shared(one, other):\n    return one + other"]},
    {"prompt": "Write a function to remove every r from a text.", "test_setup_code": "",
     "test_list": ["assert without('hello', 'l') == 'heo'", "assert without('abc', 'd') == 'abc'",
                   "assert without('', 'd') == 'd'", "assert without('', 'd') == ''"],
     "code": "def without(text, r):\n    return text.replace(r, '')",
     "completions": ["def without(text, r):\n    return ''.join(each for each in text if each != r)",
                     "def without(text, r):\n    return text.replace(r, '', 1)"]},
    {"prompt": "Write a function to give the area of a circle.", "test_setup_code": "import math",
     "test_list": ["assert math.isclose(area(2), 4 * math.pi)", "assert area(0) == 0"],
     "code": "from math import pi\n\ndef area(r):\n    return pi * r ** 2",
     "completions": ["def area(r):\n    return 3.141592653589793 * r * r", "def area(r):\n    return 3.14 * r * r"]},
]


def recipe(folder: Path, records: Sequence[dict[str, Any]] = RECORDS, **more: Any) -> PreferenceDataset:
    """MBPP's form: of each problem one right answer, and one that is wrong."""
    (folder / "mbpp.jsonl").write_text("".join(json.dumps({**one, "model": "m"}) + "\n" for one in records))
    source = samples(folder / "mbpp.jsonl", answers="completions", model="{model}", reference="code", licence="cc0-1.0",
                     language="en")
    return PreferenceDataset(**{
        "name": "mbpp", "prompts": source.prompts, "responses": source.responses,
        "programs": programs(entry="test_list"), "test_inputs": MBPP, "test_cases": MBPP,
        "executions": execute(limits=Limits(wall_s=300)), "outcomes": check(),
        "preferences": pair_by_tests(floor=1.0, margin=1), "kept": [identical], "truth": by_reference(), **more})


@confined
def test_a_recipe_of_mbpps_form_pairs_right_answers_with_wrong_ones(tmp_path: Path) -> None:
    made = Walked(recipe(tmp_path), tmp_path, "http://127.0.0.1:9")
    assert made.failed == []
    assert all(map(balanced, made.counts.values()))
    assert told_by(made.counts["test_cases"], "test_cases", "inputs") == {"in": 7, "out": 6, "contradiction": 1}
    assert Counter(made.tables["test_inputs"]["kind"]) == {"call": 4, "tests": 3}
    texts = {one["completions"][0]: one["completions"][1] for one in RECORDS}
    answers = dict(made.tables["responses"].select("response_id", "text").iter_rows())
    pairs = made.tables["kept"].select("chosen_id", "rejected_id").iter_rows()
    assert {answers[chosen]: answers[rejected] for chosen, rejected in pairs} == texts
    assert made.facts()["headline"]["label_accuracy"]["value"] == 1.0
    assert "expected by human: " in made.why("preferences")


@confined
@pytest.mark.parametrize(("truth", "planted", "accuracy"), [
    (MBPP, 0, 1.0), (MBPP, 1, 0.0), (by_reference(hidden=MBPP), 1, 0.0)], ids=["right", "wrong", "wrong by references"])
def test_tests_that_labels_never_see_say_how_right_the_labels_are(
        truth: Any, planted: int, accuracy: float, tmp_path: Path) -> None:
    asked: list[tuple[list[Any], list[Any]]] = [
        ([[1], [1]], [[1], [1, 1]]), (["aab", "a"], ["b", "ab"]), ([1], [3.141592653589793, 3.14])]
    records = [{**one, "cases": [{"input": arguments, "expected": outputs[planted]}]}
               for one, (arguments, outputs) in zip(RECORDS, asked, strict=True)]
    dataset = recipe(tmp_path, records, test_inputs=given("cases"), test_cases=given("cases"), truth=truth)
    made = Walked(dataset, tmp_path, "http://127.0.0.1:9")
    assert made.tables["kept"].height == 3
    assert made.facts()["headline"]["label_accuracy"]["value"] == accuracy
    assert set(made.tables["true_cases"]["kind"]) == {"call", "tests"}


def first_stage(dataset: PreferenceDataset, folder: Path) -> None:
    stage = build_stages(dataset)[0]
    assert stage.name == "prompts"
    assert stage.make is not None
    stage.make(Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder / "runs"), {})


@pytest.mark.parametrize(("change", "told"), [
    ({"test_inputs": (MBPP, given("tests"))}, r"given\(\) finds nothing in the prompts' field 'tests'; name one of "
     "their fields: test_list, test_setup_code"),
    ({"truth": by_reference(hidden=given_tests())}, r"given_tests\('test'\) finds nothing in .* name one of"),
    ({"test_inputs": (MBPP, given_tests("test_setup_code"))}, "given_tests.'test_setup_code'. finds nothing .* of its "
     "tests 1 asserts nothing"),
    ({"test_inputs": given_tests("test_list", setup="setup"), "test_cases": vote_outputs(min_voters=1)},
     r"given_tests\('test_list'\) finds no field 'setup' to set up by"),
    ({"programs": programs()}, r"the tests of 3 prompt\(s\) call another function than programs\(\) takes: those of .* "
     r"takes the last function that an answer defines; write programs\(entry='test_list'\)"),
])
def test_a_field_that_holds_no_test_is_told_when_the_prompts_are_read(change: dict[str, Any], told: str,
                                                                      tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        first_stage(recipe(tmp_path, **change), tmp_path)
    first_stage(recipe(tmp_path), tmp_path)


def test_a_field_of_the_wrong_form_is_told_when_the_prompts_are_read(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"given_tests\('test_list'\)"):
        first_stage(recipe(tmp_path, test_inputs=given("test_list"), test_cases=vote_outputs(min_voters=1)), tmp_path)


@pytest.mark.parametrize(("change", "told"), [
    ({"test_inputs": generate_inputs(["writer"])}, r"test_cases= holds given_tests\('test_list'\), and test_inputs= "
     "does not"),
    ({"programs": programs(kind="stdin"), "truth": None}, r"given_tests\('test_list'\) is of kind 'tests', and "
     r"programs\(kind='stdin'\) reads 'stdin'"),
])
def test_a_recipe_whose_given_tests_could_say_nothing_is_refused(change: dict[str, Any], told: str,
                                                                 tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe(tmp_path, **change)


def test_what_tests_look_like_is_told_of_those_that_models_write() -> None:
    asked = prompts("p", meta=json.dumps({"entry_point": "square"}))
    written = input_rows([("p", "tests", "assert square(1) == 1", ["human", "writer"]),
                          ("p", "tests", "assert square(2) == 4", ["human"])])
    told = smells_of_inputs(asked, written).table
    assert told["subject_id"].unique().to_list() == [input_id("p", "tests", "assert square(1) == 1")]


def test_a_test_nested_too_deep_to_be_read_is_dropped_and_the_others_stay() -> None:
    endless = f"assert square({'+'.join(['1'] * 2000)}) == 4\n"
    asked = prompts("p", said="Write square(n).", meta=json.dumps({"tests": [endless, "assert square(2) == 4"]}))
    made = given_tests("tests").test_inputs(asked)
    assert made.table["value"].to_list() == ["[2]"]
    assert ("tests", "does not parse", 1) in {(row.unit, row.reason, row.count) for row in made.counts}
