"""CodeT's score and ReST-EM's choice, by hand."""

from math import sqrt

import polars as pl
import pytest

from feedback.testcases.codet import dual_agreement
from feedback.testcases.keep_correct import keep_correct
from feedback.testcases.outcomes import check
from schemas.errors import ConfigError
from tests.testcases.tables import cases, fates, responses, runs

ROWS = {"p/a": [1, 1, 0], "p/b": [1, 1, "ERROR"], "p/c": [0, 0, 1], "p/d": [0, 0, 0], "p/e": [1, 1, "SANDBOX_ERROR"]}


def outcomes() -> pl.DataFrame:
    return check()(runs(ROWS), cases({"p": [1, 1, 1]})).table


def test_a_set_scores_the_root_of_its_size_times_its_tests() -> None:
    found = {row[0]: row[1:] for row in dual_agreement(outcomes()).select(
        "response_id", "score", "members", "tests").iter_rows()}
    assert found == {"p/a": (2 * sqrt(2), 2, 2.0), "p/b": (2 * sqrt(2), 2, 2.0), "p/c": (1.0, 1, 1.0),
                     "p/d": (0.0, 1, 0.0)}


def test_a_case_counts_as_often_as_it_was_written() -> None:
    third = outcomes().filter((pl.col("response_id") == "p/c") & (pl.col("outcome") == "pass"))["test_id"][0]
    found = dual_agreement(outcomes(), pl.DataFrame({"test_id": [third], "weight": [5]}))
    assert dict(found.select("response_id", "score").iter_rows())["p/c"] == 5.0


def test_only_responses_that_pass_everything_are_kept() -> None:
    rows = {"p/a": [1, 1], "p/b": [1, 0], "p/c": [1, "SANDBOX_ERROR"], "p/d": [1, 1]}
    told = check()(runs(rows), cases({"p": [1, 1]})).table
    texts = {**{name: name for name in rows}, "p/d": "p/a", "p/n": "never run"}
    made = keep_correct()(responses(texts), told)
    assert set(made.table["text"]) == {"p/a"}
    assert fates(made.counts, "responses") == {
        "in": 5, "out": 1, "identical": 1, "no outcomes": 1, "not every test passed": 2}


def test_a_cap_holds_for_every_prompt_and_a_larger_one_keeps_the_smaller_s_choice() -> None:
    rows = {f"{prompt}/{n}": [1] for prompt in "pq" for n in range(6)}
    told = check()(runs(rows), cases({"p": [1], "q": [1]})).table
    kept = {cap: set(keep_correct(cap)(responses({name: name for name in rows}), told).table["response_id"])
            for cap in (2, 4)}
    assert len(kept[2]) == 4
    assert kept[2] < kept[4]
    with pytest.raises(ConfigError):
        keep_correct(0)
