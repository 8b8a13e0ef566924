"""Cron expressions: what we refuse, Dagster refuses, and what Dagster takes, we take."""

import pytest

from assets.cron import why_no_cron

GOOD = ["0 3 * * 1", "*/15 * * * *", "0 0 1 jan *", "5,35 0-6 * * mon-fri", "0 9-17/2 1,15 * *", "59 23 31 12 7"]
BAD = ["every monday", "", "0 3 * *", "0 3 * * 1 2 3 4", "61 0 * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *",
       "0 0 * * 8", "a b c d e", "0 3 * * 1-", "0 3 * * ,", "*/0 * * * *"]


@pytest.mark.parametrize("text", GOOD)
def test_a_cron_expression_passes(text: str) -> None:
    assert why_no_cron(text) is None


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    assert why_no_cron(text)


def test_dagster_takes_and_refuses_the_same() -> None:
    from dagster._utils.schedules import is_valid_cron_schedule

    assert [text for text in GOOD if not is_valid_cron_schedule(text)] == []
    assert [text for text in BAD if text and is_valid_cron_schedule(text)] == []


def test_the_wrong_field_is_named() -> None:
    assert "'61' is no minute" in str(why_no_cron("61 0 * * *"))
