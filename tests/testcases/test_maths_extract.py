"""Where a text gives its answer, and that a text without one gives none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.maths.extract import extract

MATHS = [
    (r"Thus \boxed{\frac{1}{2}}.", r"\frac{1}{2}", "boxed"),
    (r"First \boxed{1}, then no: \boxed{2}", "2", "boxed"),
    (r"x is \boxed{1} and \boxed{2}.", "1, 2", "boxed"),
    (r"\boxed{-2}$ and $\boxed{1}$", "-2, 1", "boxed"),
    (r"\boxed{3}, so again \boxed{3}", "3", "boxed"),
    (r"\boxed{3}, \boxed{3}", "3", "boxed"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}", "boxed"),
    (r"\boxed{\boxed{7}}", "7", "boxed"),
    (r"\fbox{8}", "8", "boxed"),
    (r"$\boxed 9$", "9", "boxed"),
    (r"#### 4" + "\n" + r"\boxed{5}", "5", "boxed"),
    ("the answer is 3\n#### 1,234", "1,234", "hashes"),
    ("#### 1\n#### 2\n", "2", "hashes"),
    ("so 16 - 7 = 9\nA: 18", "18", "answer_is"),
    ("The answer is $18.50.", "$18.50", "answer_is"),
    ("The answer is 3.5. I hope it is correct.", "3.5", "answer_is"),
    (r"The final answer is $\frac{1}{2}$. I hope it is correct.", r"\frac{1}{2}", "answer_is"),
    (r"the answer is \(x = 3\), as shown", "x = 3", "answer_is"),
    ("The answer is 1. No, the answer is 2.", "2", "answer_is"),
    ("**Answer:** 42", "42", "answer_is"),
    ("Final answer:\n12", "12", "answer_is"),
    ("The answer is **7**.", "7", "answer_is"),
    ("The answer is 5, because 2 + 3 = 5.", "5", "answer_is"),
]
SILENT = [
    "", "I do not know.", "41", r"\boxed{", r"first \boxed{1} then \boxed{2", r"put it in \boxed{}", "####", "#### \n",
    "the answer is not 5", "The answer is unclear.", "<<2.5=2.5>>2.5.\nFor the 13th glass he pays 5 * 1",
]
CHOICES = [
    ("The answer is (B).", "B"), (r"\boxed{\text{(C)}}", "C"), (r"\boxed{D}", "D"), ("so it is (A)\n\nB", "B"),
    ("(A) is wrong, hence (C)", "C"), ("Answer: **D**", "D"), ("**E**", "E"), ("The answer is C) 12", "C"),
]


@pytest.mark.parametrize(("text", "answer", "rule"), MATHS)
def test_the_last_answer_is_found_by_the_first_rule_that_applies(text: str, answer: str, rule: str) -> None:
    found = extract(text)
    assert found is not None
    assert (found.text, found.rule) == (answer, rule)


@pytest.mark.parametrize("text", SILENT)
def test_a_text_without_a_whole_answer_gives_none(text: str) -> None:
    assert extract(text) is None


@pytest.mark.parametrize(("text", "letter"), CHOICES)
def test_a_choice_is_its_letter(text: str, letter: str) -> None:
    found = extract(text, "choice")
    assert found is not None
    assert found.text == letter


@pytest.mark.parametrize("text", [r"\boxed{12}", "The answer is 7.", "no letter", "a cat", "The answer is An apple"])
def test_what_is_no_letter_is_no_choice(text: str) -> None:
    assert extract(text, "choice") is None


@given(st.text(alphabet=" \\boxed{}()$#AB:answer is\n12.", max_size=80))
def test_no_text_breaks_the_search_and_an_answer_is_never_blank(text: str) -> None:
    for kind in ("maths", "choice"):
        found = extract(text, kind)
        assert found is None or found.text.strip()


@given(st.integers(-999, 999), st.text(alphabet="abc $.\n{}", max_size=40))
def test_what_stands_before_the_last_box_changes_nothing(number: int, before: str) -> None:
    found = extract(f"{before}\n Therefore it must be \\boxed{{{number}}}")
    assert found is not None
    assert found.text == str(number)


@pytest.mark.parametrize("text", ["\\boxed{" * 20_000, "{" * 100_000, "####" * 50_000, "answer is " * 20_000,
                                  "\\boxed{1}" * 10_000, "$" * 100_000 + " answer: " + "$" * 100_000])
def test_long_hostile_texts_are_searched(text: str) -> None:
    extract(text)
    extract(text, "choice")
