"""Hints by a weak student: uplift, what is kept, and a threshold for a wanted precision; known answers by hand."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.hints import calibrate, keep_hints, precision_coverage, uplift
from feedback.testcases.loops import hints
from feedback.testcases.outcomes import check
from feedback.testcases.repair import repair
from feedback.testcases.tutor import tutor
from schemas import CRITIQUES
from schemas.errors import ConfigError, SchemaError
from tests.testcases.tables import cases, fates, frame, responses, runs

HINTS = frame(CRITIQUES, [{"critique_id": name, "response_id": "p/a", "prompt_id": "p", "critic": "tutor",
                           "text": name, "round": 0, "parents": []} for name in ("better", "same", "worse")])


def student(tried: dict[str, list[Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Repairs of p/a and their outcomes: by hint ("" is none), what each repair gives where 1 is right."""
    outputs = {f"p/{hint}{n}": [value] for hint, values in tried.items() for n, value in enumerate(values)}
    made = [responses({f"p/{hint}{n}": "x"}, parents=["p/a"], critiques=[hint] if hint else [])
            for hint, values in tried.items() for n in range(len(values))]
    return pl.concat(made), check()(runs(outputs), cases({"p": [1]})).table


TRIED: dict[str, list[Any]] = {
    "": [1, 0, 0, 0], "better": [1, 1, 1, "ERROR"], "same": [1, 0, 0, "TIMEOUT"], "worse": [0, 0, 0, 0]}


def test_uplift_is_what_a_hint_adds_to_the_share_of_repairs_that_pass() -> None:
    found = uplift(HINTS, *student(TRIED))
    assert found.select("critique_id", "solved", "solved_alone", "uplift").rows() == [
        ("better", 3, 1, 0.5), ("same", 1, 1, 0.0), ("worse", 0, 1, -0.25)]


def test_a_hint_is_kept_where_its_uplift_reaches_the_threshold() -> None:
    uplifts = uplift(HINTS, *student(TRIED))
    made = keep_hints(threshold=0.5, least=4)(HINTS, uplifts)
    assert made.table.select("critique_id", "score").rows() == [("better", 0.5)]
    assert fates(made.counts, "critiques") == {"in": 3, "out": 1, "no uplift": 2}
    assert CRITIQUES.check(CRITIQUES.conform(made.table.to_arrow()))[0] == []
    assert keep_hints(threshold=0.0, least=4)(HINTS, uplifts).table["critique_id"].to_list() == ["better", "same"]


def test_a_hint_that_was_tried_too_seldom_is_not_kept() -> None:
    made = keep_hints(threshold=0.0, least=4)(HINTS, uplift(HINTS, *student({**TRIED, "better": [1, 1, 1]})))
    assert made.table["critique_id"].to_list() == ["same"]
    assert fates(made.counts, "critiques") == {"in": 3, "out": 1, "too few repairs": 1, "no uplift": 1}


def test_two_replies_of_ten_that_cannot_be_tested_cost_no_hint_and_three_do() -> None:
    tried = {"": [1, *[0] * 9], "better": [1] * 8, "worse": [1] * 7}
    made = keep_hints()(HINTS, uplift(HINTS, *student(tried)))
    assert made.table["critique_id"].to_list() == ["better"]
    assert fates(made.counts, "critiques") == {"in": 3, "out": 1, "too few repairs": 2}
    for n, least in ((10, 8), (4, 4), (1, 1)):
        assert hints(tutor(["large"]), repair(["small"], n=n, rounds=1)).keep.least == least


def test_a_run_that_is_no_label_is_no_try() -> None:
    found = uplift(HINTS, *student({"": [1, 0], "better": [1, "SANDBOX_ERROR"], "worse": ["SANDBOX_ERROR"]}))
    assert found.select("critique_id", "tried", "uplift").rows() == [("better", 1, 0.5), ("same", 0, None),
                                                                     ("worse", 0, None)]


def scored(*rows: tuple[float | None, bool | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"uplift": pl.Float64, "good": pl.Boolean}, orient="row")


KNOWN = scored((0.9, True), (0.7, True), (0.5, False), (0.3, True), (0.1, False), (None, True), (0.2, None))


def test_each_threshold_keeps_so_many_and_is_so_precise() -> None:
    assert precision_coverage(KNOWN).with_columns(pl.col("coverage").round(9)).rows() == [
        (0.1, 5, 3, 1.0, 0.6), (0.3, 4, 3, 0.8, 0.75), (0.5, 3, 2, 0.6, 2 / 3), (0.7, 2, 2, 0.4, 1.0),
        (0.9, 1, 1, 0.2, 1.0)]


@pytest.mark.parametrize(("precision", "threshold"), [(0.5, 0.1), (0.6, 0.1), (0.7, 0.3), (0.75, 0.3), (0.8, 0.7)])
def test_the_threshold_is_the_widest_that_is_precise_enough(precision: float, threshold: float) -> None:
    assert calibrate(KNOWN, precision) == threshold


def test_where_no_threshold_is_precise_enough_there_is_none() -> None:
    assert calibrate(scored((0.9, False), (0.5, True)), 0.9) is None


@given(st.lists(st.tuples(st.integers(-4, 4).map(lambda n: n / 4), st.booleans()), min_size=1, max_size=12),
       st.floats(0.05, 1.0))
@settings(max_examples=40)
def test_what_a_calibrated_threshold_keeps_is_precise_enough(rows: list[tuple[float, bool]], wanted: float) -> None:
    threshold = calibrate(scored(*rows), wanted)
    for bar in sorted({score for score, _ in rows}):
        kept = [good for score, good in rows if score >= bar]
        precise = sum(kept) / len(kept) >= wanted - 1e-9
        assert precise or bar != threshold
        assert not precise or (threshold is not None and threshold <= bar)


def test_nonsense_is_refused() -> None:
    for make in (lambda: keep_hints(threshold=2.0), lambda: keep_hints(least=0), lambda: calibrate(KNOWN, 0.0)):
        with pytest.raises(ConfigError):
            make()
    with pytest.raises(SchemaError, match="label"):
        calibrate(scored((0.5, None)), 0.9)
