"""What the UI shows of test-case feedback, on planted runs."""

from assets import tested_views
from feedback.testcases.outcomes import check
from tests.testcases.tables import call_inputs, cases, runs


def test_an_answer_of_which_every_run_is_flaky_passes_neither_all_tests_nor_none() -> None:
    ran = runs({"p/right": [1, 2], "p/wrong": [8, 9], "p/half": [1, 9], "p/flaky": ["FLAKY", "FLAKY"]})
    expected = cases({"p": [1, 2]}, "vote")
    tables = {"outcomes": check()(ran, expected).table, "test_cases": expected, "executions": ran,
              "test_inputs": call_inputs("p", [0], [1])}
    told = tested_views.outcomes("outcomes")(tables)
    assert (told["answers that pass all tests"], told["answers that pass none"]) == (1, 1)
