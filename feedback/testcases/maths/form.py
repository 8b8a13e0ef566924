"""The shape of an answer: a number, an expression, text, or a list, set, interval, point or matrix of such.

The brackets, commas and units are read here and not left to algebra, which forgets them: (1,2) is not {1,2}, and
5 cm is not 5 m.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from feedback.testcases.maths.numbers import exact, number_word, written
from feedback.testcases.maths.tidy import Unreadable, closing, tidy
from feedback.testcases.maths.units import Unit, split

Kind = Literal["number", "expression", "relation", "text", "opaque", "list", "set", "seq", "union", "matrix"]
INFINITY = ("\\infty", "+\\infty", "-\\infty")
_WRITTEN_BITS = 1200
_MOST_PARTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An answer, read."""

    kind: Kind
    text: str
    """The tidy text, without label and unit."""
    value: Fraction | None = None
    """Of a number."""
    parts: tuple["Form", ...] = ()
    ends: str = ""
    """The two brackets of a seq; the number of rows of a matrix."""
    label: str = ""
    """What the answer says it is the value of: the x of x = 5."""
    unit: Unit | None = None
    approximate: bool = False
    """Whether it says so, by an approximately-equal sign."""

    @property
    def key(self) -> str:
        """The one spelling of all that is surely the same; it reads back as the same form."""
        key = self.core_key
        if self.unit:
            key = f"{key}_{{{self.unit.name}}}" if self.unit.kind == "base" else _with_unit(key, self.unit, self.text)
        return f"{self.label}{'≈' if self.approximate else '='}{key}" if self.label or self.approximate else key

    @property
    def core_key(self) -> str:
        """The key without label and unit."""
        if self.kind == "number" and self.value is not None:
            big = max(self.value.numerator.bit_length(), self.value.denominator.bit_length()) > _WRITTEN_BITS
            return self.text if big or (self.unit and self.unit.kind == "base") else written(self.value)
        keys = [part.key for part in self.parts]
        match self.kind:
            case "list":
                return ", ".join(sorted(keys))
            case "set":
                return "\\{" + ", ".join(sorted(set(keys))) + "\\}"
            case "seq":
                return f"{self.ends[0]}{', '.join(keys)}{self.ends[1]}"
            case "union":
                return " \\cup ".join(sorted(set(keys)))
            case "matrix":
                wide = len(keys) // int(self.ends)
                rows = [" & ".join(keys[at:at + wide]) for at in range(0, len(keys), wide)]
                return "\\begin{pmatrix}" + " \\\\ ".join(rows) + "\\end{pmatrix}"
            case "text":
                return f"\\text{{{self.text}}}"
        return self.text

    @property
    def closed(self) -> bool:
        """Whether it is one number, written without variables."""
        return self.kind == "number" or (
            self.kind == "expression" and not re.search("[A-Za-z]", re.sub(r"\\(?:frac|sqrt|pi|cdot)", "", self.text)))

    def bare(self) -> "Form":
        """Without label and unit."""
        return replace(self, label="", unit=None, approximate=False)


def _with_unit(key: str, unit: Unit, text: str) -> str:
    if unit.bare:
        return text + unit.name
    if unit.name in ("%", "°"):
        return key + unit.name
    if unit.dimension in ("dollar", "euro", "pound sterling", "yen", "rupee") and unit.name != "cent":
        return ("\\usd " if unit.name == "$" else unit.name) + key
    powers = [piece.partition("^") for piece in unit.name.split("/")]
    return key + "/".join(f"\\text{{ {name}}}" + (f"^{{{power}}}" if power else "") for name, _, power in powers)


_LABEL = re.compile(r"(?:[A-Za-z]|\\(?!frac|sqrt|text|pi\b|infty|begin|pm)[A-Za-z]+|\\text\{[A-Za-z ]+\}|"
                    r"(?:[A-Za-z]{2,} ?){1,4})(?:_\{[^{}]*\})?(?:\([a-z]\))?")
_VARIABLE = re.compile(r"(?:[A-Za-z]|\\(?:theta|alpha|beta|lambda|mu|phi|omega|gamma))(?:_\{\w+\})?|[a-z]\([a-z]\)")
_AND = re.compile(r",?\s*(?:\\text\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<![A-Za-z\\{])(?:and|or)(?![A-Za-z]))\s*,?")
_ORDER = re.compile(r"(<|>|\\leq ?|\\geq ?)")
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|smallmatrix)\}(.*)\\end\{\1\}", re.DOTALL)
_WORDY = re.compile(r"[A-Za-z][A-Za-z .,'’-]*")
_SAID = re.compile(r"[\w .,:'’-]+", re.ASCII)
_PLUS_MINUS = re.compile(r"\\pm ?|\\mp ?")
_STRANGE = re.compile(r"[°%:&?@#\"“”€£$¤≈]|\\[{}]")
_COMMANDS = (
    "frac sqrt cdot pi theta alpha beta gamma delta epsilon lambda mu nu rho sigma tau phi varphi psi omega chi eta "
    "zeta kappa xi Delta Omega Phi Psi Gamma Lambda Sigma sin cos tan sec csc cot arcsin arccos arctan sinh cosh tanh "
    "log ln exp binom infty lfloor rfloor lceil rceil sum prod int lim to overline")
_KNOWN_COMMANDS = frozenset(_COMMANDS.split())


@lru_cache(maxsize=1 << 14)
def read(text: str) -> Form:
    """The form of an answer's text; raises Unreadable where it is not read."""
    return _form(tidy(text))


def _form(text: str) -> Form:
    text = text.strip()
    if not text:
        raise Unreadable("a part is empty")
    parts = _split(_AND.sub(",", text), ",;") if "," in text or ";" in text or _AND.search(text) else [text]
    parts = [part for part in parts if part.strip()]
    if len(parts) > 1:
        return _joined(_collection("list", parts, text))
    if not parts:
        raise Unreadable("nothing but commas")
    text = parts[0].strip()
    if (equated := _equated(text)) is not None:
        return equated
    if (between := _interval(text)) is not None:
        return between
    pieces = _split(text, "\\cup")
    if len(pieces) > 1:
        return _collection("union", pieces, text)
    return _bracketed(text) or _plus_minus(text) or _scalar(text)


def _collection(kind: Kind, parts: list[str], text: str, ends: str = "") -> Form:
    if len(parts) > _MOST_PARTS:
        raise Unreadable(f"more than {_MOST_PARTS} parts")
    read_parts = [_form(part) for part in parts]
    if kind in ("list", "set"):
        read_parts = [inner for part in read_parts for inner in (part.parts if part.kind == "list" else (part,))]
    return Form(kind=kind, text=text, parts=tuple(read_parts), ends=ends)


def _joined(form: Form) -> Form:
    """`x < 1 or x > 2` is one union; another list stays one."""
    labels = {part.label for part in form.parts}
    if {part.kind for part in form.parts} != {"seq"} or labels == {""} or len(labels) > 1 or "\\text{and}" in form.text:
        return form
    return replace(form, kind="union", label=labels.pop(), parts=tuple(part.bare() for part in form.parts))


def _split(text: str, separators: str) -> list[str]:
    """Cut at separators (single signs, or one command) outside all brackets."""
    pieces, start, at = [], 0, 0
    command = separators.startswith("\\")
    for mark in re.finditer(r"\\[A-Za-z]+|\\?.", text, re.DOTALL):
        if mark.start() < at:
            continue
        sign = mark[0]
        if sign in ("(", "[", "{", "\\{", "\\langle") and (end := closing(text, mark.start())) >= 0:
            at = end
        elif sign == separators if command else sign in separators:
            pieces.append(text[start:mark.start()])
            start = mark.end()
    return [*pieces, text[start:]]


def _equated(text: str) -> Form | None:
    """`x = 5`, `5 = x`, `x = 2 + 3 = 5`, `x in (1, 2)`; another equation is a relation; None without these signs."""
    approximate = "\\approx" in text
    if text.startswith("≈") or approximate:
        text = text.replace("\\approx ", "=").replace("\\approx", "=").replace("≈", "=")
    if "\\neq" in text:
        return Form(kind="opaque", text=text)
    if (member := _split(text, "\\in")) and len(member) == 2 and _LABEL.fullmatch(member[0].strip()):
        return _labelled(_form(member[1]), member[0].strip(), False)
    sides = [side.strip() for side in _split(text, "=≈")]
    if len(sides) == 1:
        return None
    approximate = approximate or "≈" in text
    if not sides[0] and len(sides) == 2:
        return replace(_form(sides[1]), approximate=approximate)
    if _ORDER.search(text) or not all(sides):
        return Form(kind="opaque", text=text)
    if len(sides) == 2 and _VARIABLE.fullmatch(sides[1]) and not _LABEL.fullmatch(sides[0]):
        sides.reverse()
    if _LABEL.fullmatch(sides[0]):
        return _labelled(_form(sides[-1]), sides[0], approximate)
    return Form(kind="relation" if len(sides) == 2 else "opaque", text=text)


def _labelled(form: Form, label: str, approximate: bool) -> Form:
    label = label.replace("\\text{", "").rstrip("}") if label.startswith("\\text") else label
    return replace(form, label=label.strip(), approximate=approximate or form.approximate)


def _interval(text: str) -> Form | None:
    """A solved inequality of one variable as the interval it is."""
    pieces = _ORDER.split(text)
    if len(pieces) not in (3, 5) or any("{" in piece and piece.count("{") != piece.count("}") for piece in pieces):
        return Form(kind="opaque", text=text) if len(pieces) > 1 and "|" not in text else None
    pieces = [piece.strip() for piece in pieces]
    if pieces[1][0] in "\\>" and pieces[1] in (">", "\\geq"):
        pieces = [{">": "<", "\\geq": "\\leq"}.get(piece, piece) for piece in reversed(pieces)]
    signs = pieces[1::2]
    if any(sign not in ("<", "\\leq") for sign in signs):
        return Form(kind="opaque", text=text)
    at = 1 if len(pieces) == 5 else next((k for k in (0, 1) if _VARIABLE.fullmatch(pieces[2 * k])), -1)
    if at < 0 or not _VARIABLE.fullmatch(pieces[2 * at]):
        return Form(kind="opaque", text=text)
    low = _form(pieces[2 * at - 2]) if at else Form(kind="expression", text="-\\infty")
    high = _form(pieces[2 * at + 2]) if 2 * at + 2 < len(pieces) else Form(kind="expression", text="\\infty")
    opened = "[" if at and signs[0] == "\\leq" else "("
    closed = "]" if 2 * at + 2 < len(pieces) and signs[-1] == "\\leq" else ")"
    return Form(kind="seq", text=text, parts=(low, high), ends=opened + closed, label=pieces[2 * at])


def _bracketed(text: str) -> Form | None:
    """What one pair of brackets holds, and matrices."""
    if text == "\\emptyset" or text in ("\\{\\}", "\\text{empty set}"):
        return Form(kind="set", text="\\emptyset")
    if matrix := _MATRIX.fullmatch(text):
        return _matrix(matrix[2], text)
    opener = next((sign for sign in ("\\{", "\\langle", "(", "[") if text.startswith(sign)), None)
    if opener is None:
        return None
    end = closing(text, 0)
    closer = next((sign for sign in ("\\}", "\\rangle", ")", "]") if text.startswith(sign, end)), "")
    if end < 0 or end + len(closer) != len(text):
        return None
    inner = text[len(opener):end].strip()
    parts = _split(inner, ",;")
    if opener == "\\{":
        return None if "|" in inner or ":" in inner else _collection("set", parts, text)
    if len(parts) == 1 and opener == "(" and closer == ")":
        return _form(inner)
    ends = (opener + closer).replace("\\langle", "⟨").replace("\\rangle", "⟩")
    form = _collection("seq", parts, text, ends)
    low = "(" if form.parts[0].text in INFINITY else ends[0]
    high = ")" if form.parts[-1].text in INFINITY else ends[1]
    return replace(form, ends=low + high)


def _matrix(inner: str, text: str) -> Form:
    rows = [row.split("&") for row in inner.strip().removesuffix("\\\\").split("\\\\")]
    if len({len(row) for row in rows}) > 1:
        raise Unreadable("a matrix with rows of different lengths")
    form = _collection("matrix", [cell for row in rows for cell in row], text, str(len(rows)))
    if any(cell.parts for cell in form.parts):
        raise Unreadable("a matrix of lists")
    return form


def _plus_minus(text: str) -> Form | None:
    r"""3 \pm x is the list of both."""
    signs = _PLUS_MINUS.findall(text)
    if not signs:
        return None
    if [sign.strip() for sign in signs] != ["\\pm"]:
        return Form(kind="opaque", text=text)
    core, unit = split(text)
    both = [_PLUS_MINUS.sub(sign, core).removeprefix("+") for sign in "+-"]
    return Form(kind="list", text=text, parts=tuple(replace(_form(one), unit=unit) for one in both))


def _scalar(text: str) -> Form:
    core, unit = split(text)
    core = _unwrapped(core)
    value = number_word(text.casefold()) if unit is None and text.isalpha() else exact(core)
    if value is not None:
        return Form(kind="number", text=core, value=value, unit=unit)
    plain = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    if _WORDY.fullmatch(plain.strip()) and re.search(r"\\text|[A-Za-z]{3}|^[A-Z]{2,}$|^no$", text):
        return _words(plain)
    commands = set(re.findall(r"\\([A-Za-z]+)", core))
    words = re.search(r"(?<![A-Za-z\\])[A-Za-z]{4,}|(?<![A-Za-z\\])[A-Z][A-Z]", core)
    if words and _SAID.fullmatch(plain):
        return Form(kind="opaque", text=" ".join(plain.split()))
    unclear = words or not commands <= _KNOWN_COMMANDS or _STRANGE.search(core)
    return Form(kind="opaque" if unclear else "expression", text=core, unit=unit)


def _unwrapped(text: str) -> str:
    r"""Without the brackets of (5) and the \text of one letter."""
    text = re.sub(r"\\text\{\s*([A-Za-z]|\([A-Z]\)|-?[\d./]+)\s*\}", r"\1", text)
    while text.startswith("(") and closing(text, 0) == len(text) - 1:
        text = text[1:-1]
    return text


def _words(text: str) -> Form:
    said = " ".join(re.sub(r"[.,'’]", "", text).split())
    if len(said) == 1:
        return Form(kind="expression", text=said)
    value = number_word(said.casefold())
    if value is not None:
        return Form(kind="number", text=written(value), value=value)
    return Form(kind="text", text=said.casefold(), ends="proper" if said[0].isupper() else "")
