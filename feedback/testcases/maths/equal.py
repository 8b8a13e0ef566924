"""Whether two maths answers are the same: equal, different, or unknown where neither can be shown.

Shapes, brackets, units and exact numbers are compared here in plain Python; two expressions go to `algebra`, which is
a worker process's (workers.py). Both directions are one: the pair is put in order first.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Literal

from feedback.testcases.maths.extract import Answer
from feedback.testcases.maths.form import INFINITY, Form, read
from feedback.testcases.maths.numbers import rounds_to
from feedback.testcases.maths.tidy import Unreadable
from feedback.testcases.maths.unions import same_union

Equal = Literal["equal", "different", "unknown"]
"""Unknown is no label: it never makes an answer wrong."""

Verdict = Equal | None
"""None is for algebra to say."""

Written = Answer | str | None
"""An answer as extract gives it, or its text."""

Algebra = Callable[[Form, Form], Verdict]

_OPPOSITES = ({"yes", "no"}, {"true", "false"}, {"even", "odd", "neither"}, {"increasing", "decreasing"},
              {"rational", "irrational"}, {"convergent", "divergent"}, {"converges", "diverges"},
              {"ellipse", "parabola", "hyperbola", "circle"}, {"acute", "obtuse", "right"},
              {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
              {"january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
               "november", "december"}, {"red", "green", "blue", "yellow", "black", "white"})


def _for_algebra(one: Form, other: Form) -> Verdict:
    return None


def quick(gold: Written, answer: Written, strict: bool = False, algebra: Algebra = _for_algebra) -> Verdict:
    """The verdict that needs no algebra; None where only algebra can tell.

    `strict` takes no convention on trust: an answer that lacks the other's unit or name is unknown, not equal.
    """
    return judge(gold, answer, algebra, strict)


def judge(gold: Written, answer: Written, algebra: Algebra, strict: bool = False) -> Verdict:
    """The verdict, with `algebra` asked about expressions."""
    texts = [written.text if isinstance(written, Answer) else written for written in (gold, answer)]
    one, other = texts
    if one is None or other is None or not one.strip():
        return "unknown"
    if one.strip() == other.strip():
        return "equal"
    try:
        first, second = sorted((read(one), read(other)), key=lambda form: form.key)
        return same(first, second, algebra, strict)
    except (Unreadable, RecursionError):
        return "unknown"


def same(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """The verdict on two forms: names, then units, then what is left."""
    if one.key == other.key:
        return "equal"
    if "relation" in (one.kind, other.kind):
        return _shaped(one, other, algebra, strict) if not one.label and not other.label else algebra(one, other)
    named = one.label != other.label
    if named or one.approximate or other.approximate:
        verdict = _united(one, other, algebra, strict)
        trusted = not strict and not (one.label and other.label and named)
        if verdict == "equal":
            return "equal" if trusted or not named else "unknown"
        if verdict == "different" and (one.approximate or other.approximate):
            return "unknown"
        return verdict
    return _united(one, other, algebra, strict)


def _united(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """With the units compared apart from what they measure."""
    if one.unit is None and other.unit is None:
        return _shaped(one, other, algebra, strict)
    if one.unit is None or other.unit is None:
        return _one_unit(one, other, algebra, strict)
    cores = _shaped(one, other, algebra, strict)
    if one.unit.name == other.unit.name:
        return "unknown" if cores == "equal" and strict and one.unit.bare != other.unit.bare else cores
    if one.unit.kind == "known" and other.unit.kind == "known":
        if one.unit.dimension != other.unit.dimension:
            return "different"
        if one.value is None or other.value is None:
            return "unknown"
        converted = one.value * one.unit.factor == other.value * other.unit.factor
        return "unknown" if converted else "different"
    if one.unit.kind == other.unit.kind == "base":
        return "different" if cores == "equal" else "unknown"
    return "unknown" if cores == "equal" else cores


def _one_unit(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """One answer has a unit and the other has none: the unit is taken as said, unless the number could mean both."""
    with_unit, without = (one, other) if one.unit else (other, one)
    unit = with_unit.unit
    assert unit is not None
    if with_unit.kind == "number" and without.kind in ("expression", "relation") and unit.bare:
        return "unknown"
    cores = _shaped(with_unit, without, algebra, strict)
    if with_unit.value is not None and without.value is not None:
        if unit.name == "%" and with_unit.value == 100 * without.value:
            return "equal"
        if unit.name == "%" and cores == "equal":
            return "unknown" if strict or abs(with_unit.value) <= 1 else "equal"
        if unit.kind == "base" and cores == "different" and _in_base(with_unit.text, unit.name) == without.value:
            return "unknown"
    if cores == "equal":
        return "unknown" if strict or unit.bare else "equal"
    if cores == "different" and (unit.name == "°" or (unit.name == "%" and without.value is None)):
        return "different" if without.value is not None else "unknown"
    return cores


def _in_base(digits: str, base: str) -> Fraction | None:
    try:
        return Fraction(int(digits, int(base)))
    except ValueError:
        return None


def _shaped(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Two forms without label and unit."""
    one, other = sorted((one.bare(), other.bare()), key=lambda form: form.key)
    if one.key == other.key:
        return "equal"
    kinds = {one.kind, other.kind}
    if kinds <= {"number", "expression", "relation"}:
        return _numbers(one, other) if kinds == {"number"} else _expressions(one, other, algebra)
    if kinds == {"text"}:
        return _texts(one, other)
    if kinds & {"text", "opaque"}:
        return "unknown"
    if kinds == {"matrix"}:
        return "different" if (one.ends, len(one.parts)) != (other.ends, len(other.parts)) else _each(
            one, other, algebra, strict)
    if kinds <= {"list", "set"}:
        return _matched(one, other, algebra, strict)
    if kinds == {"seq"}:
        return _sequences(one, other, algebra, strict)
    if "union" in kinds and kinds <= {"union", "seq"}:
        return same_union(one, other) or ("equal" if _pieces(one, other, algebra, strict) == "equal" else "unknown")
    return _mixed(one, other, algebra, strict)


def _numbers(one: Form, other: Form) -> Equal:
    assert one.value is not None
    assert other.value is not None
    if one.value == other.value:
        return "equal"
    near = rounds_to(one.value, other.text) or rounds_to(other.value, one.text)
    return "unknown" if near else "different"


def _expressions(one: Form, other: Form, algebra: Algebra) -> Verdict:
    letters = [form.text for form in (one, other) if len(form.text) == 1 and form.text.isupper()]
    if len(letters) == 2:
        return "different"
    infinite = [form.text in INFINITY for form in (one, other)]
    if any(infinite):
        ends = {form.text.removeprefix("+") for form in (one, other)}
        return "equal" if len(ends) == 1 else "different" if all(infinite) or "number" in (
            one.kind, other.kind) else "unknown"
    return algebra(one, other)


def _texts(one: Form, other: Form) -> Equal:
    """Different words are different where they are names or opposites; else they may be two words for one thing."""
    words = {one.text, other.text}
    if any(words <= group for group in _OPPOSITES):
        return "different"
    short, long = sorted(words, key=len)
    names = one.ends == other.ends == "proper" and short.isalpha() and long.isalpha() and len(short) > 2
    return "different" if names and long[: len(short)] != short and not any(
        words & group for group in _OPPOSITES) else "unknown"


def _all(verdicts: Iterable[Verdict]) -> Verdict:
    """One difference makes all different; then what is not known stands."""
    found = set(verdicts)
    return ("different" if "different" in found else None if None in found
            else "unknown" if "unknown" in found else "equal")


def _each(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Part by part, in order."""
    return _all([same(mine, yours, algebra, strict) for mine, yours in zip(one.parts, other.parts, strict=True)])


def _sequences(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Points, intervals and vectors."""
    if len(one.parts) != len(other.parts):
        return "different"
    parts = _each(one, other, algebra, strict)
    if one.ends == other.ends or parts != "equal":
        return parts
    return "unknown" if "⟨" in one.ends + other.ends else "different"


def _matched(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Lists and sets, whatever their order; a list that repeats itself may still be the set."""
    labels = [[part.label for part in form.parts] for form in (one, other)]
    if all(map(all, labels)) and sorted(labels[0]) == sorted(labels[1]) and len(set(labels[0])) == len(labels[0]) > 1:
        yours = {part.label: part for part in other.parts}
        return _all([same(part, yours[part.label], algebra, strict) for part in one.parts])
    verdict = _pieces(one, other, algebra, strict)
    if verdict == "equal" and len(one.parts) != len(other.parts):
        return "equal" if one.kind == other.kind == "set" else "unknown"
    return verdict


def _pieces(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Whether each part has an equal on the other side."""
    mine, yours = one.parts or (one,), other.parts or (other,)
    if not one.parts or not other.parts:
        mine, yours = (one.parts or other.parts), ()
    table = [[same(left, right, algebra, strict) for right in yours] for left in mine]
    sides = [_all_have(row for row in table), _all_have(zip(*table, strict=True))]
    return _all(sides)


def _all_have(rows: Iterable[Iterable[Verdict]]) -> Verdict:
    found: list[Verdict] = []
    for row in map(list, rows):
        found.append("equal" if "equal" in row else None if None in row else "unknown" if "unknown" in row
                     else "different")
    return _all(found)


def _mixed(one: Form, other: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Two shapes: a list of one is its part; an ordered and an unordered pair may be meant alike."""
    for left, right in ((one, other), (other, one)):
        if left.kind in ("list", "set") and right.kind in ("number", "expression"):
            if len(left.parts) == 1:
                return same(left.parts[0], right, algebra, strict)
            return _against_one(left, right, algebra, strict)
        if left.kind in ("seq", "matrix") and right.kind in ("list", "set", "seq"):
            return "different" if _pieces(left, right, algebra, strict) == "different" else "unknown"
        if left.kind in ("seq", "union", "matrix") and right.closed:
            return "unknown" if _digits(left) == _digits(right) else "different"
    return "unknown"


def _against_one(many: Form, single: Form, algebra: Algebra, strict: bool) -> Verdict:
    """Two answers are not one answer, unless the comma was a number's own."""
    if not many.parts:
        return "different" if single.kind == "number" else "unknown"
    if "," in many.text and _digits(many) == _digits(single):
        return "unknown"
    return "different" if "different" in [same(part, single, algebra, strict) for part in many.parts] else "unknown"


def _digits(form: Form) -> str:
    return "".join(sign for sign in form.text if sign.isdigit())
