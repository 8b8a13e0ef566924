"""Answers whose truth is known, written in several ways: what the laws of comparing are tested with."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

Draw = st.DrawFn


@dataclass(frozen=True)
class Written:
    """An answer by what it is (equal truths are equal answers, others are not) and one way to write it."""

    truth: object
    text: str


def fraction(value: Fraction, draw: Draw) -> str:
    """A number in one of its spellings."""
    over, under = abs(value.numerator), value.denominator
    sign = "-" if value < 0 else ""
    times = draw(st.integers(1, 3))
    ways = [rf"{sign}\frac{{{over * times}}}{{{under * times}}}", f"{sign}{over * times}/{under * times}",
            rf"{sign}\dfrac{{{over}}}{{{under}}}"]
    if under == 1:
        ways = [f"{sign}{over}", f"{sign}{over}.0", f"{sign}{over}.", *ways]
    if 10**4 % under == 0:
        ways.append(f"{sign}{over / under:.4f}")
    if under > 1 and over > under:
        ways.append(rf"{sign}{over // under}\frac{{{over % under}}}{{{under}}}")
    return draw(st.sampled_from(ways))


@st.composite
def numbers(draw: Draw) -> Written:
    value = Fraction(draw(st.integers(-40, 40)), draw(st.integers(1, 6)))
    return Written(value, fraction(value, draw))


@st.composite
def roots(draw: Draw) -> Written:
    """p/q √r with r free of squares: equal only where all three are."""
    value = Fraction(draw(st.integers(1, 6)), draw(st.integers(1, 4)))
    root = draw(st.sampled_from([2, 3, 5]))
    over, under = value.numerator, value.denominator
    ways = [rf"\frac{{{over}\sqrt{{{root}}}}}{{{under}}}", rf"\frac{{\sqrt{{{over * over * root}}}}}{{{under}}}",
            rf"\frac{{{over}}}{{{under}}}\cdot\sqrt{root}", rf"{over}\sqrt{{{root}}}/{under}"]
    return Written((value, root), draw(st.sampled_from(ways)))


@st.composite
def lines(draw: Draw) -> Written:
    """a x + b."""
    slope, height = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    ways = [f"{slope}x+{height}", f"{height}+{slope}x", rf"{slope}\left(x+\frac{{{height}}}{{{slope}}}\right)"]
    return Written(("line", slope, height), draw(st.sampled_from(ways)))


@st.composite
def points(draw: Draw) -> Written:
    parts = draw(st.lists(numbers(), min_size=2, max_size=3))
    return Written(("point", *(part.truth for part in parts)), f"({','.join(part.text for part in parts)})")


@st.composite
def sets(draw: Draw) -> Written:
    parts = draw(st.lists(numbers(), min_size=2, max_size=3, unique_by=lambda part: part.truth))
    within = ", ".join(part.text for part in parts)
    text = draw(st.sampled_from([rf"\{{{within}\}}", within]))
    return Written(("set", frozenset(part.truth for part in parts)), text)


@st.composite
def intervals(draw: Draw) -> Written:
    low, high = draw(st.integers(-9, 0)), draw(st.integers(1, 9))
    opened, closed = draw(st.booleans()), draw(st.booleans())
    before, after = "<" if opened else r"\le", "<" if closed else r"\leq"
    ways = [f"{'(' if opened else '['}{low}, {high}{')' if closed else ']'}", f"{low} {before} x {after} {high}"]
    # An open interval of two numbers is written as a point is; the truth of both is the same text.
    truth = ("point", Fraction(low), Fraction(high)) if opened and closed else ("interval", low, high, opened, closed)
    return Written(truth, draw(st.sampled_from(ways)))


def plain() -> st.SearchStrategy[Written]:
    """Answers that need no algebra."""
    return st.one_of(numbers(), points(), sets(), intervals())


def written() -> st.SearchStrategy[Written]:
    """Answers of all kinds."""
    return st.one_of(plain(), roots(), lines())


@st.composite
def formatted(draw: Draw, text: str) -> str:
    r"""The same answer with spaces, \left and \right, display style or in maths mode."""
    for sign in draw(st.sets(st.sampled_from(["(", ")", "+", "<", "]"]))):
        text = text.replace(sign, f" {sign} ") if r"\left" not in text else text
    if draw(st.booleans()) and text[0] in "([" and text[-1] in ")]":
        text = rf"\left{text.strip()[:-1]}\right{text.strip()[-1]}"
    frame = draw(st.sampled_from(["{}", "  {} ", "${}$", "$ {} $", r"\({}\)", r"\displaystyle {}", r"\! {} \,", "{}."]))
    return frame.replace("{}", text)
