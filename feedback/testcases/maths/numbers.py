"""Numbers read exactly: fractions, decimals, mixed numbers, and sums, products and powers of them.

Fractions and no floats: 0.1 + 0.2 is 3/10. What is no number in digits (roots, letters) is None; what could mean two
things (2/3(4), "1 2", 1frac{5}{2}) or is too big is Unreadable.
"""

import math
import re
from fractions import Fraction
from functools import lru_cache

from feedback.testcases.maths.tidy import Unreadable

BITS = 40_000
"""Numbers with more bits are not computed."""
_FACTORIAL = 3000

_TOKEN = re.compile(
    r"(?P<repeating>\d*\.\d*\\overline\{\d+\})|(?P<number>\d+\.?\d*|\.\d+)|(?P<word>\\frac|\\binom|\\cdot)|"
    r"(?P<sign>[-+/^!(){}])|(?P<space> )")
_MIXED = re.compile(r"(-?)(\d+) (\d+)/(\d+)")
_SCIENTIFIC = re.compile(r"-?\d+(?:\.\d+)?[eE][-+]?\d{1,3}")
_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty")
_WORDS = _UP_TO_TWENTY.split()


@lru_cache(maxsize=1 << 14)
def exact(text: str) -> Fraction | None:
    """The number that a tidy text writes in digits, or None where it is none; raises Unreadable."""
    if text.isascii() and text.isdigit():
        return Fraction(int(text))
    if scientific := _SCIENTIFIC.fullmatch(text):
        return Fraction(scientific[0])
    if mixed := _MIXED.fullmatch(text):
        return _mixed(mixed[1], *map(int, mixed.groups()[1:]))
    tokens, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        tokens.append((str(token.lastgroup), token[0]))
        at = token.end()
    return _Reader(tokens).read() if tokens else None


def number_word(text: str) -> Fraction | None:
    """Zero to twenty in English."""
    return Fraction(_WORDS.index(text)) if text in _WORDS else None


def written(value: Fraction) -> str:
    """The one spelling of a number that `exact` reads back."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def decimals(text: str) -> int | None:
    """How many decimals a plain decimal number gives; None where it is not one."""
    plain = re.fullmatch(r"-?\d*\.(\d+)", text)
    return len(plain[1]) if plain else None


def rounds_to(value: Fraction, shown: str) -> bool:
    """Whether a decimal of two or more decimals is `value` rounded or cut off there."""
    places = decimals(shown)
    return places is not None and places >= 2 and abs(value - Fraction(shown)) < Fraction(1, 10**places)


def _mixed(sign: str, whole: int, over: int, under: int) -> Fraction:
    if not 0 < over < under:
        raise Unreadable("a mixed number whose fraction is not below one")
    value = whole + Fraction(over, under)
    return -value if sign else value


class _Reader:
    """Reads one sum of products of powers."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def read(self) -> Fraction | None:
        try:
            value = self.sum()
        except _NoNumber:
            return None
        if self.at < len(self.tokens):
            if self.peek() in (")", "}"):
                return None
            raise Unreadable("two numbers side by side")
        return value

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        found = self.peek()
        if not found or (wanted and found != wanted):
            raise _NoNumber
        self.at += 1
        return found

    def sum(self) -> Fraction:
        sign = -1 if self.peek() == "-" else 1
        if self.peek() in ("-", "+"):
            self.take()
        value = sign * self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return _bounded(value)

    def product(self) -> Fraction:
        value, divided = self.power(), False
        while True:
            if self.peek() == "\\cdot":
                self.take()
                value *= self.power()
            elif self.peek() == "/":
                self.take()
                value, divided = _divided(value, self.power()), True
            elif self.peek() in ("(", "\\frac", "\\binom"):
                if divided:
                    raise Unreadable("a product after a slash")
                value *= self.power()
            else:
                return value
            _bounded(value)

    def power(self) -> Fraction:
        if self.peek() in ("-", "+"):
            return -self.power() if self.take() == "-" else self.power()
        value = self.atom()
        while self.peek() == "!":
            self.take()
            if value.denominator != 1 or not 0 <= value <= _FACTORIAL:
                raise Unreadable("a factorial of that")
            value = Fraction(math.factorial(int(value)))
        if self.peek() == "^":
            self.take()
            value = _raised(value, self.power())
        return value

    def atom(self) -> Fraction:
        kind = self.tokens[self.at][0] if self.at < len(self.tokens) else ""
        token = self.take()
        if kind == "number":
            return self.number(token)
        if kind == "repeating":
            return _repeating(token)
        if token in ("\\frac", "\\binom"):
            over, under = self.group(), self.group()
            return _divided(over, under) if token == "\\frac" else _binomial(over, under)
        if token in ("(", "{"):
            self.at -= 1
            return self.group(token)
        raise _NoNumber

    def number(self, token: str) -> Fraction:
        value = Fraction(token)
        rest = [text for _, text in self.tokens[self.at:self.at + 7]]
        if rest[:1] == ["\\frac"] or rest[:2] == [" ", "\\frac"]:
            rest = rest[rest.index("\\frac"):]
            plain = len(rest) > 5 and [rest[1], rest[3], rest[4]] == ["{", "}", "{"] and rest[2].isdigit()
            if not (token.isdigit() and plain and rest[5].isdigit()):
                raise Unreadable("a number before a fraction")
            self.at += self.peek() == " "
            self.take()
            return _mixed("", int(token), int(self.group()), int(self.group()))
        return value

    def group(self, opener: str = "{") -> Fraction:
        self.take(opener)
        value = self.sum()
        self.take("}" if opener == "{" else ")")
        return value


class _NoNumber(Exception):
    """The text is no number in digits."""


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        raise Unreadable("too big a number")
    return value


def _divided(over: Fraction, under: Fraction) -> Fraction:
    if not under:
        raise Unreadable("a division by zero")
    return over / under


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _NoNumber
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > BITS or (not base and exponent <= 0):
        raise Unreadable("a power too big, or of zero")
    return base**int(exponent)


def _binomial(over: Fraction, under: Fraction) -> Fraction:
    if over.denominator != 1 or under.denominator != 1 or not 0 <= under <= over <= _FACTORIAL:
        raise Unreadable("a binomial of that")
    return Fraction(math.comb(int(over), int(under)))


def _repeating(token: str) -> Fraction:
    found = re.fullmatch(r"(\d*)\.(\d*)\\overline\{(\d+)\}", token)
    assert found is not None
    whole, fixed, again = found.groups()
    tail = Fraction(int(again), (10**len(again) - 1) * 10**len(fixed))
    return Fraction(f"{whole or 0}.{fixed or 0}") + tail
