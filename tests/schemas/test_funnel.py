"""The funnel: in = out + dropped + failed, or an error."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SchemaError
from schemas.funnel import Count, check_balance, count, funnel_table

reasons = st.dictionaries(st.sampled_from(["empty", "too long", "refusal"]), st.integers(1, 50)).map(Counter)


@given(st.integers(0, 100), reasons, reasons)
def test_a_step_that_accounts_for_every_row_passes(out: int, dropped: Counter[str], failed: Counter[str]) -> None:
    rows = count("kept", "pairs", out + dropped.total() + failed.total(), out=out, dropped=dropped, failed=failed)
    assert {row.reason: row.count for row in rows if row.fate == "dropped"} == dropped
    assert {row.reason: row.count for row in rows if row.fate == "failed"} == failed
    check_balance(rows)


@given(st.integers(0, 100), reasons, st.integers(-5, 5).filter(bool))
def test_a_step_that_loses_or_invents_a_row_is_an_error(out: int, dropped: Counter[str], lost: int) -> None:
    with pytest.raises(SchemaError, match=f"step kept does not account for {lost} of its pairs"):
        count("kept", "pairs", out + dropped.total() + lost, out=out, dropped=dropped)


def test_units_and_steps_are_balanced_apart() -> None:
    over = Count("kept", "pairs", "in", "", 1)
    under = Count("kept", "votes", "out", "", 1)
    with pytest.raises(SchemaError, match="of its pairs"):
        check_balance([over, under])


def test_the_table_holds_each_fate_with_its_reason() -> None:
    rows = count("kept", "pairs", 3, out=2, dropped=Counter({"empty": 1}))
    assert funnel_table(rows).to_pylist() == [
        {"step": "kept", "unit": "pairs", "fate": "in", "reason": "", "count": 3},
        {"step": "kept", "unit": "pairs", "fate": "out", "reason": "", "count": 2},
        {"step": "kept", "unit": "pairs", "fate": "dropped", "reason": "empty", "count": 1},
    ]
