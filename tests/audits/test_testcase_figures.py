"""Figures of test cases: small PNGs whose bars stand where the numbers are."""

import struct

import polars as pl
import pytest

from audits import testcase_figures

CALIBRATION = pl.DataFrame({
    "low_share": [0.3, 0.9], "high_share": [0.5, 1.0], "cases": [40, 60], "value": [0.5, 0.95], "low": [0.4, None],
    "high": [0.6, None]})
SIZES = pl.DataFrame({"tests": [4, 4, 10]})
RATES = pl.DataFrame({"rate": [0.0, 0.0, 0.5, 0.95, 1.0]})


@pytest.fixture
def bars(monkeypatch):
    """The bars of what is drawn next: left edge and height, where there is a height."""
    found = []

    def png(figure):
        found.extend((round(bar.get_x(), 3), bar.get_height()) for bar in figure.axes[0].patches if bar.get_height())
        return b""

    monkeypatch.setattr(testcase_figures, "png", png)
    return found


@pytest.mark.parametrize(("draw", "found"), [
    (testcase_figures.calibration, CALIBRATION), (testcase_figures.cases_per_prompt, SIZES),
    (testcase_figures.pass_rates, RATES),
])
def test_a_figure_is_a_small_png_and_the_same_each_time(draw, found):
    drawn = draw(found)
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", drawn[16:24])
    assert 300 < width < 1200
    assert 200 < height < 1200
    assert len(drawn) < 60_000
    assert draw(found) == drawn


def test_prompts_are_counted_by_their_test_cases(bars):
    testcase_figures.cases_per_prompt(SIZES)
    assert bars == [(3.6, 2), (9.6, 1)]


def test_responses_that_pass_none_or_all_have_bars_of_their_own_and_an_edge_falls_into_the_bar_above_it(bars):
    testcase_figures.pass_rates(RATES)
    assert bars == [(-0.05, 2), (0.5, 1), (0.95, 1), (1.0, 1)]


def test_votes_stand_in_the_middle_of_their_bin_at_how_often_they_are_right(monkeypatch):
    lines = []
    monkeypatch.setattr(testcase_figures, "png", lambda figure: lines.extend(figure.axes[0].lines) or b"")
    testcase_figures.calibration(CALIBRATION)
    [vote] = [line for line in lines if line.get_label() == "vote"]
    assert list(map(tuple, vote.get_xydata())) == [(0.4, 0.5), (0.95, 0.95)]
    intervals = [list(map(tuple, line.get_xydata())) for line in lines if str(line.get_label()).startswith("_")]
    assert intervals == [[(0.4, 0.4), (0.4, 0.6)]]
