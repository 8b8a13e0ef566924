"""Comparing maths answers: a labelled battery, known truths, and laws."""

import json
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from feedback.testcases.maths.equal import quick
from feedback.testcases.maths.numbers import exact
from feedback.testcases.maths.tidy import Unreadable, tidy
from feedback.testcases.maths.votes import key
from feedback.testcases.maths.workers import MathsWorkers
from tests.testcases.maths_written import Written, formatted, numbers, plain, written

BATTERY = [json.loads(line) for line in
           (Path(__file__).parent / "maths_battery.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def maths() -> Iterator[MathsWorkers]:
    with MathsWorkers() as workers:
        yield workers


def verdict(maths: MathsWorkers, one: str, other: str) -> str:
    [found] = maths.compare([(one, other)])
    return found


def test_no_pair_of_the_battery_is_called_equal_or_different_wrongly(maths: MathsWorkers) -> None:
    verdicts = maths.compare((row["one"], row["other"]) for row in BATTERY)
    table = Counter((row["same"], found) for row, found in zip(BATTERY, verdicts, strict=True))
    assert len(BATTERY) >= 200
    assert table[False, "equal"] == 0
    assert table[True, "different"] == 0
    assert table[True, "equal"] >= 125
    assert table[False, "different"] >= 66


def test_the_battery_says_the_same_both_ways(maths: MathsWorkers) -> None:
    there = list(maths.compare((row["one"], row["other"]) for row in BATTERY))
    assert there == list(maths.compare((row["other"], row["one"]) for row in BATTERY))


@pytest.mark.parametrize(("one", "other"), [
    (r"2\sqrt{3}", "3.46"), (r"\pi", "3.14"), (r"\frac{1}{3}", "0.333"), ("3.1416", "3.14"), ("x", "X"),
    ("x^2+C", "x^2"), (r"\sqrt{x^2}", "x"), ("50 cm", "0.5 m"), ("5 apples", "5 oranges"), ("x=5", "y=5"),
    (r"\langle 1,2\rangle", "(1,2)"), ("1, 2", "(1,2)"), (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
    ("begin", "start"), ("Sat", "Saturday"), ("3:30", "3.5"), ("1,1,2", "1,2"), (r"\angle ABC", r"\angle CBA"),
])
def test_what_could_be_meant_alike_is_unknown(maths: MathsWorkers, one: str, other: str) -> None:
    assert verdict(maths, one, other) == "unknown"


@pytest.mark.parametrize(("text", "value"), [
    ("12", 12), ("-3/4", "-3/4"), (r"\frac{3}{-4}", "-3/4"), ("2^{-2}", "1/4"), ("-2^2", -4), ("(-2)^2", 4),
    (r"0.1\overline{6}", "1/6"), (r"2\cdot3+4", 10), ("2(3+4)", 14), ("1-2-3", -4), ("8/2/2", 2), ("3!", 6),
    (r"2\frac{3}{4}", "11/4"), ("2 3/4", "11/4"), ("1.5e3", 1500), (r"\frac{1}{2}+\frac{1}{3}", "5/6"),
])
def test_numbers_are_read_as_people_write_them(text: str, value: int | str) -> None:
    assert exact(tidy(text)) == Fraction(value)


@pytest.mark.parametrize("text", ["9^{9^9}", "(10^7)!", "99999!", "1 2", "2/3(4)", r"1\frac{5}{2}", "1/0", "0^0", "{5",
                                  "5}", "1,2,...,9", "5" * 513, "(" * 33 + "5" + ")" * 33, "5\x00", "10^{1234567}"])
def test_what_is_too_big_or_ambiguous_is_unknown_and_not_different(text: str) -> None:
    assert quick("5", text) == "unknown"
    assert quick(text, text) == "equal"


def test_no_answer_is_unknown() -> None:
    assert quick("5", None) == quick(None, None) == quick("", "") == quick(" ", "5") == "unknown"


@given(plain(), plain())
def test_plain_answers_are_equal_where_their_truths_are_and_no_algebra_is_asked(one: Written, other: Written) -> None:
    found = quick(one.text, other.text)
    if one.truth == other.truth:
        assert found == "equal"
    else:
        assert found in ("different", "unknown")
        if type(one.truth) is type(other.truth) is Fraction and not any("." in each.text for each in (one, other)):
            assert found == "different"


@settings(max_examples=60)
@given(written(), written())
def test_all_answers_are_equal_only_where_their_truths_are(maths: MathsWorkers, one: Written, other: Written) -> None:
    found = verdict(maths, one.text, other.text)
    assert (found == "equal") == (one.truth == other.truth)
    assert found == verdict(maths, other.text, one.text)


@settings(max_examples=60)
@given(st.data())
def test_formatting_changes_no_verdict(maths: MathsWorkers, data: st.DataObject) -> None:
    one, other = data.draw(written()), data.draw(written())
    again = data.draw(formatted(other.text))
    assert verdict(maths, other.text, again) == "equal"
    assert verdict(maths, one.text, again) == verdict(maths, one.text, other.text)


@given(st.data())
def test_formatting_changes_no_verdict_of_the_battery(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from([row for row in BATTERY if not any(sign in row["other"] for sign in "$\\ .")]))
    assume(row["other"])
    frame = data.draw(st.sampled_from([" {} ", "${}$", r"\({}\)", r"\displaystyle {}", r"{}\,"]))
    assert quick(row["one"], frame.replace("{}", row["other"])) == quick(row["one"], row["other"])


@given(written(), written())
def test_equal_keys_are_equal_answers_and_a_key_is_its_own(one: Written, other: Written) -> None:
    assert key(key(one.text)) == key(one.text)
    assert quick(one.text, key(one.text)) == "equal"
    if key(one.text) == key(other.text):
        assert one.truth == other.truth
        assert quick(one.text, other.text, strict=True) == "equal"


@pytest.mark.parametrize("row", [row for row in BATTERY if row["one"]], ids=lambda row: row["one"])
def test_a_key_reads_back_as_itself(row: dict[str, str]) -> None:
    for text in (row["one"], row["other"]):
        assert key(key(text)) == key(text)


@given(numbers(), st.sampled_from(["cm", "m", "kg"]), st.sampled_from(["cm", "m", "kg"]))
def test_other_units_are_other_answers(number: Written, one: str, other: str) -> None:
    assume(number.truth)
    value = number.text.rstrip(".")
    found = quick(rf"{value}\text{{ {one}}}", rf"{value} \mathrm{{{other}}}")
    assert found == ("equal" if one == other else "different")


@given(st.text(max_size=60))
def test_no_text_breaks_reading(text: str) -> None:
    try:
        tidy(text)
    except Unreadable:
        assert quick(text, "5") == "unknown"
    assert quick(text, "5") in ("equal", "different", "unknown", None)
    assert quick(text, "5") == quick("5", text)


@given(st.text(alphabet="\\{}[]()^_,;=<>|&%$ .!/+-0123abxyπ°", max_size=40))
def test_no_formula_breaks_reading_and_each_equals_itself(text: str) -> None:
    assert quick(text, "(1, 2)") in ("equal", "different", "unknown", None)
    assert key(key(text)) == key(text)
    if text.strip():
        assert quick(text, text) == "equal"
