"""Reports of executions, repairs made with them, and what they were worth; known answers by hand."""

from typing import Any

import polars as pl
import pytest

from feedback.testcases.given import input_rows
from feedback.testcases.outcomes import check
from feedback.testcases.repair import changed, repair, utility
from feedback.testcases.reports import BAD, GOOD, Failure, offending, rendered, report, training_text
from feedback.testcases.sandbox.codec import encode
from schemas import CRITIQUES, MEASUREMENTS, RESPONSES
from schemas.errors import ConfigError, SchemaError
from schemas.table import Table
from tests.testcases.replies import ENGINES, answered
from tests.testcases.tables import cases, fates, frame, programs, prompts, responses, runs

SOURCE = "def f(x):\n    y = x - 1\n    return 1 / y\n"


def fits(table: Table, made: pl.DataFrame) -> bool:
    return table.check(table.conform(made.to_arrow()))[0] == []


def failure(**fields: Any) -> Failure:
    return Failure(**{"kind": "call", "value": encode([1, "a"]), "expected": encode([3]), "outcome": "fail",
                      "entry": "f", **fields})


def critiques(texts: dict[str, str]) -> pl.DataFrame:
    """By "prompt/response/critique", the text."""
    return frame(CRITIQUES, [{
        "critique_id": name, "response_id": name.rpartition("/")[0], "prompt_id": name.split("/")[0],
        "critic": "execution", "text": text, "round": 0, "parents": []} for name, text in texts.items()])


def world(outputs: dict[str, list[Any]], expected: int = 7) -> tuple[pl.DataFrame, ...]:
    """Outcomes, test cases, inputs, executions and programs where every input [n] should give `expected`."""
    size = max(map(len, outputs.values()))
    named = sorted({name.split("/")[0] for name in outputs})
    expects, ran = cases({name: [expected] * size for name in named}), runs(outputs)
    inputs = input_rows((name, "call", encode([number]), ["human"]) for name in named for number in range(size))
    return check()(ran, expects).table, expects, inputs, ran, programs(dict.fromkeys(outputs, SOURCE))


def test_a_failed_comparison_tells_call_expected_and_given() -> None:
    assert rendered(failure(output=encode((1,)))) == "Test: f(1, 'a')\nExpected: [3]\nGot: (1,)"
    printed = failure(kind="stdin", value="4 5\n", expected="9\n", output="20\n")
    assert rendered(printed) == "Test: the input\n4 5\n\nExpected: 9\n\nGot: 20\n"


def test_a_dict_is_told_in_the_order_it_was_given_in() -> None:
    told = rendered(failure(value=encode([{"z": 1, "a": 2}], ordered=True), output=encode(0)))
    assert told.startswith("Test: f({'z': 1, 'a': 2})")


def test_an_error_tells_the_offending_line() -> None:
    told = rendered(failure(outcome="error", reason="ZeroDivisionError: division by zero (line 3)", source=SOURCE))
    assert told == ("Test: f(1, 'a')\nError: ZeroDivisionError: division by zero (line 3)\n"
                    "Line: return 1 / y")


@pytest.mark.parametrize(("reason", "line"), [
    ("NameError: name 'z' is not defined (line 2)", "y = x - 1"), ("AssertionError (line 2 of the tests)", None),
    ("compile_error: SyntaxError: '(' was never closed (<program>, line 1)", "def f(x):"), ("MemoryError", None),
    ("ValueError: (line 1) is wrong", None), ("SyntaxError: it stops (line 9)", None),
    ("SyntaxError: it stops (line 0)", None),
])
def test_only_a_line_of_the_program_named_at_the_end_is_shown(reason: str, line: str | None) -> None:
    assert offending(SOURCE, reason) == line


def test_the_right_answer_is_never_told_of_stated_answers() -> None:
    told = rendered(failure(kind="answer", value="", expected="42", output="41"))
    assert told == "The answer 41 is not right."
    assert rendered(failure(kind="answer", value="", expected="42", outcome="error")) == "No answer is stated."


def test_long_values_are_shortened_and_say_so() -> None:
    told = rendered(failure(value=encode(["x" * 90]), output=encode(0)), most=20)
    assert "... (72 more characters)" in told


def test_a_response_is_reported_good_or_by_its_first_failed_test() -> None:
    tables = world({"p/a": [7, 7], "p/b": [7, 8], "p/c": ["ERROR", 7]})
    made = report()(responses({f"p/{name}": name for name in "abc"}), *tables)
    texts = dict(made.table.select("response_id", "text").iter_rows())
    assert texts == {"p/a": GOOD, "p/b": f"{BAD}\nTest: f(1)\nExpected: 7\nGot: 8",
                     "p/c": f"{BAD}\nTest: f(0)\nError: planted"}
    assert set(made.table["critic"]) == {"execution"}
    assert fits(CRITIQUES, made.table)


def test_what_has_no_label_is_not_reported_and_is_counted() -> None:
    tables = world({"p/a": [7, "SANDBOX_ERROR"], "p/b": [8, "SANDBOX_ERROR"]})
    made = report()(responses({f"p/{name}": name for name in "abc"}), *tables)
    assert made.table["response_id"].to_list() == ["p/b"]
    assert fates(made.counts, "responses") == {"in": 3, "out": 1, "no label": 1, "no outcomes": 1}


def test_tests_of_other_sources_are_not_told() -> None:
    tables = world({"p/a": [8]})
    made = report(sources=("vote",))(responses({"p/a": "a"}), *tables)
    assert made.table.is_empty()


def test_the_text_to_train_on_is_token_task_program_and_error() -> None:
    assert training_text("Do it.", "x = 1", f"{BAD}\nError: no") == f"{BAD}\nDo it.\nx = 1\nError: no"
    assert training_text("Do it.", "x = 1", GOOD) == f"{GOOD}\nDo it.\nx = 1"


def test_a_repair_shows_task_answer_and_report_and_knows_what_it_was_made_from() -> None:
    asked, given, told = prompts("p"), responses({"p/a": "my answer"}), critiques({"p/a/c": f"{BAD}\nGot: 8"})
    operator = repair(["one"], n=2)
    plan = operator.plan(asked, given, told, ENGINES)
    shown = next(iter(plan)).messages[0]["content"]
    assert all(part in shown for part in ("Solve p.", "my answer", "Got: 8"))
    made = operator.responses(asked, given, told, answered(plan, lambda ask: "new" if ask.sample else None), ENGINES)
    [row] = made.table.iter_rows(named=True)
    assert (row["strategy"], row["round"], row["parents"], row["critiques"]) == ("repair", 1, ["p/a"], ["p/a/c"])
    assert fates(made.counts, "answers") == {"in": 2, "out": 1, "no reply": 1}
    assert fits(RESPONSES, made.table)


def test_responses_whose_rounds_are_over_are_repaired_no_more() -> None:
    asked, told = prompts("p"), critiques({"p/a/c": BAD})
    operator = repair(["one"], rounds=2)
    for round_, requests in ((0, 1), (1, 1), (2, 0)):
        plan = operator.plan(asked, responses({"p/a": "x"}, round=round_), told, ENGINES)
        assert len(list(plan)) == requests
    made = operator.responses(asked, responses({"p/a": "x"}, round=2), told, answered([], str), ENGINES)
    assert fates(made.counts, "critiques") == {"in": 1, "out": 0, "rounds are over": 1}


def test_without_its_critique_a_response_is_asked_about_once_and_the_report_is_not_shown() -> None:
    told = critiques({"p/a/c": f"{BAD}\nGot: 8", "p/a/d": "try harder"})
    operator = repair(["one"], told=False)
    plan = operator.plan(prompts("p"), responses({"p/a": "x"}), told, ENGINES)
    [ask] = plan
    assert "Got: 8" not in ask.messages[0]["content"]
    made = operator.responses(prompts("p"), responses({"p/a": "x"}), told, answered(plan, lambda ask: "y"), ENGINES)
    assert made.table["critiques"].to_list() == [[]]


def test_two_critics_who_say_the_same_share_one_repair_that_names_both() -> None:
    told = critiques({"p/a/c": "same", "p/a/d": "same"})
    operator = repair(["one"])
    plan = operator.plan(prompts("p"), responses({"p/a": "x"}), told, ENGINES)
    made = operator.responses(prompts("p"), responses({"p/a": "x"}), told, answered(plan, lambda ask: "y"), ENGINES)
    assert made.table["critiques"].to_list() == [["p/a/c", "p/a/d"]]


def test_an_explanation_is_asked_for_first_where_wanted() -> None:
    plan = repair(["one"], explain=True).plan(
        prompts("p"), responses({"p/a": "x"}), critiques({"p/a/c": BAD}), ENGINES)
    assert "explain" in next(iter(plan)).messages[0]["content"]


def test_a_critique_of_no_given_response_is_refused() -> None:
    with pytest.raises(SchemaError, match="not given"):
        list(repair(["one"]).plan(prompts("p"), responses({"p/a": "x"}), critiques({"p/z/c": BAD}), ENGINES))


def repairs(made_with: dict[str, tuple[str, list[str]]]) -> pl.DataFrame:
    """RESPONSES rows by id, from parent and critiques."""
    return pl.concat([responses({name: name}, parents=[parent], critiques=told, strategy="repair", round=1)
                      for name, (parent, told) in made_with.items()])


def test_a_repair_that_answers_as_before_has_not_changed() -> None:
    table = repairs({"p/x": ("p/a", ["c"]), "p/y": ("p/a", ["c"]), "p/z": ("p/b", ["c"])})
    keys = pl.DataFrame({"response_id": ["p/a", "p/x", "p/y", "p/z"], "key": ["1", "1", "2", "3"]})
    made = changed(table, keys)
    assert made.table.select("subject_id", "name", "value").rows() == [
        ("p/x", "changed", 0.0), ("p/y", "changed", 1.0)]
    assert fates(made.counts, "repairs") == {"in": 3, "out": 2, "no answer to compare": 1}
    assert fits(MEASUREMENTS, made.table)


def test_a_critique_is_worth_the_tests_that_its_repairs_pass() -> None:
    told = critiques({"p/a/good": "1", "p/a/bad": "2", "p/a/none": "3"})
    table = repairs({"p/w": ("p/a", ["p/a/good"]), "p/x": ("p/a", ["p/a/good"]), "p/y": ("p/a", ["p/a/bad"]),
                     "p/z": ("p/a", ["p/a/none"])})
    outcomes = world({"p/w": [7, 7], "p/x": [7, 8], "p/y": ["TIMEOUT", 8], "p/z": [7, "SANDBOX_ERROR"]})[0]
    made = utility(told, table, outcomes)
    assert dict(made.table.select("critique_id", "score").iter_rows()) == {
        "p/a/good": 0.75, "p/a/bad": 0.0, "p/a/none": None}
    assert fates(made.counts, "critiques") == {"in": 3, "out": 2, "no repair has a label": 1}
    assert fits(CRITIQUES, made.table)


@pytest.mark.parametrize("make", [
    lambda: repair([]), lambda: repair(["one"], n=0), lambda: repair(["one"], rounds=0),
    lambda: repair(["one"], rounds=5), lambda: repair(["one"], explain=True, told=False), lambda: report(most=0),
])
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
