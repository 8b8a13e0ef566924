"""Whether two expressions are the same, by math-verify and sympy; runs in worker processes only.

Equal needs math-verify's word in both directions, and values that agree in forty digits. Different needs values that
do not agree, at a point where both have one. All else is unknown. There are no floats: decimals are fractions.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from feedback.testcases.maths.equal import Equal
from feedback.testcases.maths.form import Form
from feedback.testcases.maths.numbers import decimals, rounds_to
from feedback.testcases.maths.tidy import Unreadable

if TYPE_CHECKING:
    from sympy import Basic

_DIGITS, _AGREE, _TINY = 60, "1e-40", "1e-30"
_POINTS = ("7/10", "8/5", "23/10", "1/3", "13/4", "5/9", "11/8")
"""Where expressions with variables are compared; the k-th variable of a point takes the k-th after it."""
_FREE = {"c", "k", "n", "m", "t"}
"""Variables that may stand for any constant: with and without one, two answers may mean the same."""
_AMBIGUOUS = (r"\d \d", r"\d ?\\frac\{\d+\}\{\d+\}", r"/\d*[A-Za-z]?(?<=[\dA-Za-z])(?:[A-Za-z(]|\\(?!cdot))", r"\\text")


def expressions(one: Form, other: Form) -> Equal:
    """The verdict on two forms that are numbers, expressions or equations."""
    texts = [_whole(form, "relation" in (one.kind, other.kind)) for form in (one, other)]
    if _cases(texts[0]) & {letter.swapcase() for letter in _cases(texts[0]) | _cases(texts[1])}:
        return "unknown"
    if _cases(texts[1]) & {letter.swapcase() for letter in _cases(texts[0]) | _cases(texts[1])}:
        return "unknown"
    first, second = map(parsed, texts)
    if first is None or second is None:
        return "unknown"
    if not first.free_symbols | second.free_symbols and (_rounded(one, second) or _rounded(other, first)):
        return "unknown"
    evidence = _equations(first, second) if _is_equation(first) or _is_equation(second) else _values(first, second)
    return evidence if evidence != "equal" else "equal" if _verified(first, second) else "unknown"


def alone(form: Form) -> None:
    """Read and compute one expression, so that what hangs is known by itself."""
    expression = parsed(_whole(form, False))
    if expression is not None and not _is_equation(expression):
        _at(expression, 0)


@lru_cache(maxsize=1 << 12)
def parsed(text: str) -> "Basic | None":
    """The sympy expression of a tidy text; None where math-verify cannot read it strictly, or it is ambiguous."""
    import math_verify
    import sympy
    from latex2sympy2_extended import NormalizationConfig

    if any(re.search(pattern, text) for pattern in _AMBIGUOUS):
        return None
    strict = math_verify.LatexExtractionConfig(boxed_match_priority=0, normalization_config=NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="last"))
    found = math_verify.parse(f"\\boxed{{{_spelled(text)}}}", [strict], fallback_mode="no_fallback",
                              extraction_mode="first_match", parsing_timeout=None)
    if len(found) != 1 or not isinstance(found[0], sympy.Basic) or isinstance(found[0], sympy.Set):
        return None
    names = {"i": sympy.I, "e": sympy.E}
    expression = found[0].xreplace({symbol: names.get(symbol.name, sympy.Symbol(symbol.name, real=True))
                                    for symbol in found[0].atoms(sympy.Symbol)})
    return None if expression.has(sympy.nan, sympy.zoo, sympy.Float) else expression


def _whole(form: Form, equation: bool) -> str:
    return f"{form.label}={form.text}" if equation and form.label else form.text


def _cases(text: str) -> set[str]:
    """The letters that are variables, upper and lower case apart: the parser forgets which they were."""
    return set(re.sub(r"\\[A-Za-z]+", " ", text)) & set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def _spelled(text: str) -> str:
    """Decimals as fractions, and products where the parser would see a sum: it reads 2(3) as 5."""
    text = re.sub(r"(\d*)\.(\d+)", lambda found: f"\\frac{{{int(found[1] + found[2])}}}{{{10**len(found[2])}}}", text)
    return re.sub(r"(?<=\d)(?=\(|\\frac|\\sqrt|\\binom)", r"\\cdot ", text)


def _is_equation(expression: "Basic") -> bool:
    from sympy.core.relational import Relational
    from sympy.logic.boolalg import Boolean

    return isinstance(expression, Relational | Boolean)


def _values(one: "Basic", other: "Basic") -> Equal:
    """Different, or "equal" for not shown to be different."""
    names = [{symbol.name for symbol in expression.free_symbols} for expression in (one, other)]
    both = sorted(names[0] | names[1])
    found = [_differ(_at(one, point, both), _at(other, point, both)) for point in range(3 if both else 1)]
    if True in found:
        constants = names[0] != names[1] and (all(names) or set(both) & _FREE)
        return "unknown" if constants else "different"
    return "equal" if False in found else "unknown"


def _at(expression: "Basic", point: int, names: Sequence[str] = ()) -> Any:
    """The value at a point, to sixty digits, of which the variables are `names`; None where it has none."""
    import sympy

    names = names or sorted(symbol.name for symbol in expression.free_symbols)
    values = {sympy.Symbol(name, real=True): sympy.Rational(_POINTS[(point + 2 * k) % len(_POINTS)])
              for k, name in enumerate(names)}
    value = expression.subs(values).doit().evalf(_DIGITS)
    real, imaginary = value.as_real_imag()
    return value if real.is_Number and imaginary.is_Number and value.is_finite else None


def _differ(one: Any, other: Any) -> bool | None:
    """Whether two values differ beyond any rounding; None where one is missing or too near zero to tell."""
    import sympy

    if one is None or other is None:
        return None
    size = max(abs(one), abs(other))
    if size < sympy.Float(_TINY, _DIGITS):
        return False if size == 0 else None
    return bool(abs(one - other) > size * sympy.Float(_AGREE, _DIGITS))


def _rounded(form: Form, expression: "Basic") -> bool:
    """Whether a decimal is an expression's value, rounded or cut off."""
    value = _at(expression, 0) if decimals(form.text) else None
    return value is not None and value.is_real and rounds_to(Fraction(str(value)), form.text)


def _equations(one: "Basic", other: "Basic") -> Equal:
    """Different where a solution of one does not solve the other."""
    import sympy

    if not isinstance(one, sympy.Eq) or not isinstance(other, sympy.Eq) or one.free_symbols != other.free_symbols:
        return "unknown"
    left, right = (equation.lhs - equation.rhs for equation in (one, other))
    for mine, yours in ((left, right), (right, left)):
        for symbol in sorted(mine.free_symbols, key=lambda symbol: symbol.name):
            slope = sympy.diff(mine, symbol)
            if symbol in slope.free_symbols or not slope:
                continue
            solution = -mine.subs(symbol, 0) / slope
            value = _at(yours.subs(symbol, solution), 0)
            if value is not None and abs(value) > sympy.Float(_TINY, _DIGITS):
                return "different"
    return "equal"


def _verified(one: "Basic", other: "Basic") -> bool:
    """math-verify's word in both directions, without rounding."""
    import math_verify

    return all(math_verify.verify(gold, answer, float_rounding=40, numeric_precision=50, strict=True,
                                  timeout_seconds=None) for gold, answer in ((one, other), (other, one)))


def compared(one: Form, other: Form) -> Equal:
    """`expressions`, with whatever sympy trips over as unknown."""
    try:
        return expressions(one, other)
    except (Unreadable, ArithmeticError, AttributeError, NotImplementedError, RecursionError, RuntimeError, TypeError,
            ValueError, MemoryError, KeyError, IndexError):
        return "unknown"
