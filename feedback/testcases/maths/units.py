"""Units beside numbers: cm, text{ square feet}, km/h, %, °, dollars, apples, and the base of a numeral.

A unit is kept apart from its number and never thrown away where the other answer has another one.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

_KNOWN = {  # canonical name: dimension, how many of the dimension's own unit it is, other spellings
    "mm": ("length", "1/1000", "millimeter millimetre"), "cm": ("length", "1/100", "centimeter centimetre"),
    "m": ("length", "1", "meter metre"), "km": ("length", "1000", "kilometer kilometre"),
    "in": ("length", "127/5000", "inch inche"), "ft": ("length", "381/1250", "foot feet"),
    "yd": ("length", "1143/1250", "yard"), "mi": ("length", "201168/125", "mile"),
    "mg": ("mass", "1/1000", "milligram"), "g": ("mass", "1", "gram"), "kg": ("mass", "1000", "kilogram kilo"),
    "lb": ("mass", "45359237/100000", "pound"), "oz": ("mass", "45359237/1600000", "ounce"),
    "ms": ("time", "1/1000", "millisecond"), "s": ("time", "1", "sec second"), "min": ("time", "60", "minute"),
    "h": ("time", "3600", "hr hour"), "day": ("time", "86400", ""), "week": ("time", "604800", ""),
    "year": ("year", "1", "yr"), "month": ("month", "1", ""),
    "ml": ("volume", "1/1000", "milliliter millilitre"), "l": ("volume", "1", "liter litre"),
    "gal": ("gallon", "1", "gallon"), "cup": ("cup", "1", ""),
    "$": ("dollar", "1", "usd dollar"), "cent": ("dollar", "1/100", "¢ \\cent"), "€": ("euro", "1", "euro eur"),
    "£": ("pound sterling", "1", "gbp"), "¥": ("yen", "1", "yen"), "₹": ("rupee", "1", "rupee"),
    "°": ("angle", "1", "degree deg"), "rad": ("radian", "1", "radian"), "°c": ("celsius", "1", "celsius"),
    "°f": ("fahrenheit", "1", "fahrenheit"), "%": ("percent", "1", "percent percentage pct"),
    "mph": ("length/time", "1397/3125", ""), "unit": ("unit", "1", ""), "j": ("energy", "1", "joule"),
    "n": ("force", "1", "newton"), "w": ("power", "1", "watt"), "v": ("voltage", "1", "volt"),
    "am": ("before noon", "1", ""), "pm": ("after noon", "1", ""), "hz": ("frequency", "1", "hertz"),
    "acre": ("acre", "1", ""),
}
_LETTERS_ALONE = {"m", "g", "s", "h", "l"}
"""Units that, written without \\text, could be variables."""
_NEVER_ALONE = {"j", "n", "w", "v", "in", "c", "f"}
"""Units that only \\text makes units."""
_PIECE = r"(?:\\text\{[^{}]*\}|\\cent|°|%|[A-Za-z]+\.?)(?:\^\{-?\d\}|(?<=[A-Za-z])-?[23](?![\d]))?"
_SUFFIX = re.compile(rf"(?: ?(?:/|\\cdot ?)? ?{_PIECE})+")
_BASE = re.compile(r"(-?[0-9A-F]+(?:\.[0-9A-F]+)?)_\{(\d+|\\text\{[a-z]+\})\}")
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
          "twelve": 12, "sixteen": 16}
_MONEY = re.compile(r"(-?)(?:\\usd|(€|£|¥|₹)) ?(-?.+)")
_NUMBER_END = re.compile(r".*[\d)}]|.*\\pi ?|[A-Za-z]", re.DOTALL)

Kind = Literal["known", "noun", "base"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts or measures."""

    name: str
    kind: Kind
    bare: bool = False
    """Whether it could as well be a variable: a letter that stands for a unit, without \\text around it."""
    dimension: str = ""
    factor: Fraction = Fraction(1)
    """How many of the dimension's own unit one of these is."""


def split(text: str) -> tuple[str, Unit | None]:
    """A tidy text without its unit, and the unit."""
    if based := _BASE.fullmatch(text):
        base = based[2] if based[2].isdigit() else str(_BASES.get(based[2][6:-1], ""))
        return (based[1], Unit(base, "base")) if base else (text, None)
    if money := _MONEY.fullmatch(text):
        name = money[2] or "$"
        core, unit = split(money[3])
        dimension, factor, _ = _KNOWN[name]
        money_unit = Unit(name, "known", dimension=dimension, factor=Fraction(factor))
        return (money[1] + core, money_unit) if unit is None or unit.name == name else (text, None)
    for found in re.finditer(r"(?<=[\d)} ])(?: ?(?:\\text|\\cent|°|%|[A-Za-z]))|(?<=[a-z])(?:\\text|°)", text):
        core, suffix = text[: found.start()].rstrip(), text[found.start():]
        if _SUFFIX.fullmatch(suffix) and _NUMBER_END.fullmatch(core) and core.count("{") == core.count("}"):
            unit = _unit(core, suffix)
            if unit:
                return core, unit
    return text, None


def _unit(core: str, suffix: str) -> Unit | None:
    """The unit that a suffix writes; None where letters are more likely variables."""
    wrapped = "\\text" in suffix or not re.search("[A-Za-z]", suffix)
    words = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", suffix).replace("\\cdot", " ").replace(".", " ").casefold()
    parsed = _parsed(" ".join(words.split()))
    if re.search(r"\\(?:sin|cos|tan|sec|csc|cot)", core):
        return None
    if parsed is None:
        counted = re.fullmatch(r"[a-z][a-z ]*[a-z]", words.strip())
        number = re.fullmatch(r"-?[\d.]+|-?[\d./]+|-?\\frac\{\d+\}\{\d+\}|\d+[\\ ].*", core)
        known = wrapped or (number and len(words.split()[0]) > 3 and words.split()[0] not in ("when", "from", "with"))
        return Unit(" ".join(map(_singular, words.split())), "noun") if counted and known else None
    name, dimension, factor = parsed
    if not wrapped and not re.fullmatch(r"-?[\d.]+|-?\d+/\d+|-?\\frac\{\d+\}\{\d+\}|.*\\pi ?", core):
        return None
    letters = set(re.findall("[a-z]+", words))
    bare = not wrapped and letters <= _LETTERS_ALONE
    if not wrapped and (letters & _NEVER_ALONE or (bare and "^" in name)):
        return None
    return Unit(name, "known", bare=bare, dimension=dimension, factor=factor)


def _parsed(words: str) -> tuple[str, str, Fraction] | None:
    """Name, dimension and factor of a known unit, with powers and one division."""
    words = re.sub(r"\bper\b", "/", re.sub(r"\b([ap]) m\b", r"\1m", words))
    over, *unders = [part.strip() for part in words.split("/")]
    if not over or len(unders) > 1 or not all(unders):
        return None
    parts = [_product(over), *map(_product, unders)]
    if any(part is None for part in parts):
        return None
    (name, dimension, factor), *rest = [part for part in parts if part]
    for under_name, under_dimension, under_factor in rest:
        name, dimension = f"{name}/{under_name}", f"{dimension}/{under_dimension}"
        factor /= under_factor
    return {"mi/h": "mph"}.get(name, name), dimension, factor


def _product(words: str) -> tuple[str, str, Fraction] | None:
    """One unit with its power: `square cm`, `cm ^{2}`, `cubic feet`, `square units`."""
    power = 1
    if led := re.match(r"(square|sq|cubic|cu)\b ?", words):
        power = 2 if led[1].startswith("sq") else 3
        words = words[led.end():]
    if tailed := re.search(r" ?(?:\^\{?([23])\}?|(?<=[a-z])([23])| (squared|cubed))$", words):
        power = int(tailed[1] or tailed[2] or (2 if tailed[3] == "squared" else 3))
        words = words[: tailed.start()]
    name = _names().get(words.strip()) or _names().get(_singular(words.strip()))
    if name is None:
        return None
    dimension, factor, _ = _KNOWN[name]
    if power == 1:
        return name, dimension, Fraction(factor)
    return f"{name}^{power}", f"{dimension}^{power}", Fraction(factor)**power


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _names() -> dict[str, str]:
    return {spelling: name for name, (_, _, others) in _KNOWN.items() for spelling in (name, *others.split())}
