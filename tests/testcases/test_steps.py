"""Beginnings of responses: cut, completed, valued and paired; known answers by hand, and laws."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.completing import CONTINUE, complete
from feedback.testcases.outcomes import check
from feedback.testcases.steps import all_alike, cut, line_ends, value_steps
from preferences.by_steps import pair_by_steps
from schemas import PREFERENCES, RESPONSES, STEPS
from schemas.errors import ConfigError, SchemaError
from schemas.steps import step_id
from schemas.table import Table
from tests.testcases.replies import ENGINES, answered
from tests.testcases.tables import cases, fates, frame, prompts, responses, runs

TEN = "".join(f"line {n}\n" for n in range(10))


def fits(table: Table, made: pl.DataFrame) -> bool:
    return table.check(table.conform(made.to_arrow()))[0] == []


def steps(rows: dict[tuple[str, int, int], tuple[float | None, int]]) -> pl.DataFrame:
    """STEPS rows by (response, start, end), with value and tests."""
    return frame(STEPS, [{
        "response_id": response, "start": start, "end": end, "step_id": step_id(response, start, end),
        "prompt_id": response.split("/")[0], "value": value, "rollouts": 0 if value is None else 3,
        "tests": None if value is None else tests} for (response, start, end), (value, tests) in rows.items()])


def test_lines_end_after_their_break_and_empty_ones_do_not_count() -> None:
    assert line_ends("a\n\n  \nbc\nd") == [2, 9, 10]


def test_three_in_ten_of_the_first_seven_lines_of_ten_are_ends() -> None:
    found = cut().ends("p/a", TEN)
    assert len(found) == 2
    assert set(found) <= {7 * n for n in range(1, 8)}
    assert len(cut(ratio=0.5, head=0.8).ends("p/a", TEN)) == 4
    assert cut(ratio=1.0, head=0.7).ends("p/a", TEN) == [7, 14, 21, 28, 35, 42, 49]


def test_a_response_of_four_lines_is_not_cut_and_one_of_five_is() -> None:
    made = cut()(responses({"p/a": "1\n2\n\n3\n4", "p/b": "1\n2\n3\n4\n5"}))
    assert made.table["response_id"].to_list() == ["p/b"]
    assert fates(made.counts, "responses") == {"in": 2, "out": 1, "too short": 1}


def test_spans_follow_each_other_from_the_start_and_their_ids_name_them() -> None:
    made = cut(ratio=1.0, head=0.5)(responses({"p/a": TEN}))
    assert made.table.select("start", "end").rows() == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 35)]
    assert made.table["step_id"].to_list() == [step_id("p/a", 7 * n, 7 * n + 7) for n in range(5)]
    assert fits(STEPS, made.table)


def test_a_cap_keeps_so_many_beginnings_of_a_prompt_and_every_id_still_names_its_span() -> None:
    many = {f"p/{n}": TEN for n in range(6)}
    made = cut(ratio=1.0, cap=10)(responses(many))
    assert made.table.height == 10
    assert fates(made.counts, "ends") == {"in": 42, "out": 10, "cap": 32}
    named = made.table.select("response_id", "start", "end", "step_id").rows()
    assert all(step_id(*row[:3]) == row[3] for row in named)
    assert {row[2] for row in named} <= {7 * n for n in range(1, 8)}
    more = cut(ratio=1.0, cap=10)(responses({**many, "q/0": TEN})).table
    assert more.filter(pl.col("prompt_id") == "p").equals(made.table)


def test_a_prompt_whose_answers_all_agree_is_left_alone() -> None:
    outcomes = check()(runs({"p/a": [1], "p/b": [1], "q/a": [1], "q/b": [0], "r/a": [1], "r/b": ["SANDBOX_ERROR"]}),
                       cases({"p": [1], "q": [1], "r": [1]})).table
    assert all_alike(outcomes) == {"p"}
    made = cut()(responses({"p/a": TEN, "q/a": TEN}), outcomes)
    assert set(made.table["prompt_id"]) == {"q"}
    assert fates(made.counts, "responses") == {"in": 2, "out": 1, "all alike": 1}


@given(st.dictionaries(st.integers(0, 9), st.lists(st.sampled_from(["x", "", "yé", "𝒵 z"]), max_size=14), max_size=5),
       st.integers(0, 99))
@settings(max_examples=25)
def test_beginnings_end_at_lines_of_their_response_whatever_the_order_of_rows(texts: Any, seed: int) -> None:
    given_ = responses({f"p/{n}": "\n".join(lines) for n, lines in texts.items()})
    made = cut(ratio=0.6, cap=4, seed=seed)(given_).table
    assert made.equals(cut(ratio=0.6, cap=4, seed=seed)(given_.reverse()).table)
    whole = dict(given_.select("response_id", "text").iter_rows())
    assert made.height <= 4
    for response, end in made.select("response_id", "end").iter_rows():
        assert end in line_ends(whole[response])


def test_completions_are_the_beginning_and_what_follows_and_know_their_response_and_step() -> None:
    asked, given_ = prompts("p"), responses({"p/a": TEN})
    begun = steps({("p/a", 0, 7): (None, 0), ("p/a", 7, 21): (None, 0)})
    operator = complete(["one"], n=2)
    plan = operator.plan(asked, given_, begun, ENGINES)
    first = next(iter(plan))
    assert first.messages == [{"role": "user", "content": "Solve p."}, {"role": "assistant", "content": "line 0\n"}]
    assert first.params == {**CONTINUE, "temperature": 1.0}
    replies = answered(plan, lambda ask: f"end {ask.sample}" if len(ask.messages[1]["content"]) == 7 else " ")
    made = operator.responses(asked, given_, begun, replies, ENGINES)
    assert sorted(made.table["text"]) == ["line 0\nend 0", "line 0\nend 1"]
    assert made.table["parents"].to_list() == [["p/a"], ["p/a"]]
    assert fates(made.counts, "answers") == {"in": 4, "out": 2, "empty completion": 2}
    assert fits(RESPONSES, made.table)
    links = operator.links(asked, given_, begun, replies, ENGINES)
    assert links["step_id"].to_list() == [step_id("p/a", 0, 7)] * 2
    assert set(links["response_id"]) == set(made.table["response_id"])


def test_equal_beginnings_of_two_responses_are_paid_for_once_and_complete_both() -> None:
    asked, given_ = prompts("p"), responses({"p/a": "same\nA", "p/b": "same\nB"})
    begun = steps({("p/a", 0, 5): (None, 0), ("p/b", 0, 5): (None, 0)})
    operator = complete(["one"], n=3)
    plan = operator.plan(asked, given_, begun, ENGINES)
    assert len(list(plan)) == 3
    made = operator.responses(asked, given_, begun, answered(plan, lambda ask: "!"), ENGINES)
    assert sorted(map(tuple, made.table["parents"])) == [("p/a",)] * 3 + [("p/b",)] * 3


def test_any_server_can_be_asked_in_words() -> None:
    plan = complete(["one"], how="ask").plan(
        prompts("p"), responses({"p/a": TEN}), steps({("p/a", 0, 7): (None, 0)}), ENGINES)
    ask = next(iter(plan))
    assert [turn["role"] for turn in ask.messages] == ["user"]
    assert "<beginning>\nline 0\n\n</beginning>" in ask.messages[0]["content"]
    assert "continue_final_message" not in ask.params


def test_a_step_of_no_given_response_is_refused() -> None:
    with pytest.raises(SchemaError, match="not given"):
        list(complete(["one"]).plan(prompts("p"), responses({"p/a": TEN}), steps({("p/z", 0, 7): (None, 0)}), ENGINES))


def valued(outputs: dict[str, list[Any]], reduction: Any) -> list[tuple[float | None, int, int | None]]:
    """Value, rollouts and tests of one step with these completions, where 1 is expected of every input."""
    begun = steps({("p/a", 0, 7): (None, 0)})
    links = pl.DataFrame({"step_id": begun["step_id"].to_list() * len(outputs), "response_id": list(outputs)})
    size = max(map(len, outputs.values()))
    outcomes = check()(runs(outputs), cases({"p": [1] * size})).table
    made = value_steps(reduction)(begun, links, outcomes)
    assert fits(STEPS, made.table)
    return made.table.select("value", "rollouts", "tests").rows()


def test_a_beginning_is_worth_its_hits_or_the_mean_or_most_of_the_tests_passed() -> None:
    outputs: dict[str, list[Any]] = {"p/x": [1, 1, 1, 1], "p/y": [1, 0, 0, 0], "p/z": [1, 1, "TIMEOUT", "ERROR"]}
    assert valued(outputs, "hits") == [(1.0, 3, 3)]
    assert valued(outputs, "mean") == [(7 / 3, 3, 4)]
    assert valued(outputs, "max") == [(4.0, 3, 4)]


def test_a_completion_without_a_label_is_no_rollout() -> None:
    assert valued({"p/x": [1, 1], "p/y": [1, "SANDBOX_ERROR"], "p/z": [0, 1]}, "mean") == [(1.5, 2, 2)]
    assert valued({"p/x": ["SANDBOX_ERROR"]}, "hits") == [(None, 0, None)]


def test_a_completion_that_ran_on_fewer_tests_is_no_rollout() -> None:
    assert valued({"p/x": [1, 1, 0], "p/y": [1]}, "mean") == [(2.0, 1, 3)]


LINES = {"p/a": "a\naa\nrest", "p/b": "b\nbb\nrest"}


def paired(values: tuple[float | None, ...], tests: int = 10, **settings_: Any) -> tuple[set[tuple[float, float]], Any]:
    """Shares of chosen and rejected of the pairs of up to four beginnings with these values."""
    spans = [("p/a", 0, 2), ("p/a", 2, 5), ("p/b", 0, 2), ("p/b", 2, 5)]
    begun = steps({span: (value, tests) for span, value in zip(spans, values, strict=False)})
    made = pair_by_steps(**settings_)(prompts("p"), responses(LINES), begun)
    assert fits(PREFERENCES, made.table)
    return set(made.table.select("score_chosen", "score_rejected").iter_rows()), made


def test_programs_pair_a_good_beginning_with_one_more_than_the_margin_below() -> None:
    found, made = paired((9.0, 5.0, 4.5, 0.0))
    assert found == {(0.9, 0.45), (0.9, 0.0), (0.5, 0.0)}
    assert fates(made.counts, "pairs") == {"in": 6, "out": 3, "below margin": 2, "below floor": 1}


def test_maths_pairs_beginnings_that_reach_the_floor_with_those_that_do_not() -> None:
    found, made = paired((3.0, 2.0, 1.0, 0.0), tests=3, floor=2 / 3, margin=None)
    assert found == {(1.0, 1 / 3), (1.0, 0.0), (2 / 3, 1 / 3), (2 / 3, 0.0)}
    assert fates(made.counts, "pairs") == {"in": 6, "out": 4, "below margin": 1, "below floor": 1}


def test_a_pair_of_beginnings_shows_them_and_names_the_steps_it_came_from() -> None:
    _, made = paired((9.0, None, None, 0.0))
    [row] = made.table.iter_rows(named=True)
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("a\n", "b\nbb\n")
    assert (row["chosen_id"], row["rejected_id"]) == (step_id("p/a", 0, 2), step_id("p/b", 2, 5))
    assert row["evidence"] == [{"table": "steps", "id": "p/a/0"}, {"table": "steps", "id": "p/b/2"}]
    assert fates(made.counts, "pairs") == {"in": 6, "out": 1, "no value": 5}


def test_ties_are_no_pairs_of_beginnings_and_a_cap_keeps_so_many() -> None:
    assert paired((9.0, 9.0))[1].counts[2].reason == "tie"
    found, made = paired((9.0, 8.0, 1.0, 0.0), cap=1)
    assert len(found) == 1
    assert fates(made.counts, "pairs") == {"in": 6, "out": 1, "below floor": 1, "below margin": 1, "cap": 3}


@given(st.lists(st.none() | st.integers(0, 10).map(float), min_size=2, max_size=4), st.integers(0, 5),
       st.floats(0.1, 1.0))
@settings(max_examples=30)
def test_a_stricter_margin_or_floor_adds_no_pair_of_beginnings(values: Any, margin: int, floor: float) -> None:
    loose, _ = paired(tuple(values), margin=float(margin), floor=floor / 2)
    assert paired(tuple(values), margin=float(margin + 1), floor=floor)[0] <= loose


@pytest.mark.parametrize("make", [
    lambda: cut(ratio=0.0), lambda: cut(head=1.5), lambda: cut(cap=0), lambda: complete([]),
    lambda: complete(["one"], n=0), lambda: complete(["one"], how="guess"),  # type: ignore[arg-type]
    lambda: value_steps("median"),  # type: ignore[arg-type]
    lambda: pair_by_steps(floor=0.0), lambda: pair_by_steps(margin=-1.0), lambda: pair_by_steps(cap=0),
])
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
