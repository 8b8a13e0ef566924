"""One spelling of what LaTeX and plain text write in many ways, and the limits of what is read at all.

Nothing here changes what an answer says: dfrac12, frac{1}{2} and frac 1 2 become one; a space, left and $ go.
"""

import re
from functools import lru_cache

CHARACTERS, NESTING, DIGITS = 512, 32, 400
"""Longer, deeper answers, and numbers of more digits, are not read."""


class Unreadable(ValueError):
    """An answer that is not read: too long, too deep, too big or ambiguous. It is compared as unknown."""


_SIGNS = {
    "−": "-", "–": "-", "×": r"\cdot ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "π": r"\pi ", "∞": r"\infty ",
    "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "∪": r"\cup ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ",
    "≈": r"\approx ", "θ": r"\theta ", "²": "^{2}", "³": "^{3}", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}",
    "¾": r"\frac{3}{4}", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "，": ",", "％": "%", "º": "°",
}
_NAMES = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\dbinom": r"\binom", r"\tbinom": r"\binom",
    r"\le": r"\leq", r"\leqslant": r"\leq", r"\ge": r"\geq", r"\geqslant": r"\geq", r"\lt": "<", r"\gt": ">",
    r"\ne": r"\neq", r"\times": r"\cdot", r"\ast": r"\cdot", r"\div": "/", r"\lbrace": r"\{", r"\rbrace": r"\}",
    r"\lbrack": "[", r"\rbrack": "]", r"\lvert": "|", r"\rvert": "|", r"\vert": "|", r"\mid": "|",
    r"\varnothing": r"\emptyset", r"\quad": " ", r"\qquad": " ", r"\degree": "°", r"\simeq": r"\approx",
    r"\doteq": r"\approx", r"\infin": r"\infty", r"\colon": ":", r"\notin": r"\not\in", r"\lang": r"\langle",
    r"\rang": r"\rangle", r"\cdots": r"\ldots", r"\dots": r"\ldots", r"\dotsc": r"\ldots", r"\euro": "€",
    r"\pounds": "£", r"\percent": "%", r"\dollar": r"\usd",
}
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|boldsymbol|rm|bf|it|"
                    r"middle)(?![A-Za-z])\.?")
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:rm|bf|it|sf|tt|cal)|mbox|hbox|operatorname\*?|emph)"
                   r"\s*\{")
_FUNCTIONS = re.compile(r"(?<![A-Za-z\\{])(sqrt|pi|sin|cos|tan|ln|log|infinity|theta)(?![A-Za-z])")
_SPACES = re.compile(r"(?<!\\)\\[,;: ]|~|\\hspace\*?\{[^{}]*\}|\\phantom\{[^{}]*\}|\s+")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_OPENERS, _CLOSERS = "([{", ")]}"


@lru_cache(maxsize=1 << 14)
def tidy(text: str) -> str:
    r"""The text in one spelling; raises Unreadable where it is over a limit or its braces do not match."""
    if len(text) > CHARACTERS:
        raise Unreadable(f"longer than {CHARACTERS} characters")
    if any(not sign.isprintable() and not sign.isspace() for sign in text):
        raise Unreadable("holds signs that cannot be printed")
    text = _undollar(_renamed(text))
    text = re.sub(r"\^\s*\{?\s*(?:\\circ|°)\s*\}?", "°", text)
    text = _compact(_SPACES.sub(" ", text))
    text = _braced(_thousands(text))
    while len(text) > 1 and text[-1] in ".,;:" and not text.endswith("\\" + text[-1]):
        text = text[:-1].rstrip()
    _check(text)
    return text


def depth_ok(text: str) -> bool:
    """Whether brackets of all kinds nest at most NESTING deep and braces match."""
    depth = braces = 0
    for sign in re.sub(r"\\[{}]", lambda found: "[" if found[0] == r"\{" else "]", text):
        depth += (sign in _OPENERS) - (sign in _CLOSERS)
        braces += (sign == "{") - (sign == "}")
        if depth > NESTING or braces < 0:
            return False
    return braces == 0


def closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes, of whatever kind; -1 where it does not."""
    depth = 0
    for mark in re.finditer(r"\\langle|\\rangle|\\[A-Za-z]+|\\?.", text[start:], re.DOTALL):
        sign = mark[0]
        depth += (sign in ("(", "[", "{", r"\{", r"\langle")) - (sign in (")", "]", "}", r"\}", r"\rangle"))
        if depth == 0:
            return start + mark.start()
    return -1


def _renamed(text: str) -> str:
    for sign, meaning in _SIGNS.items():
        text = text.replace(sign, meaning)
    text = _SIZES.sub(" ", text).replace(r"\!", "").replace(r"\%", "%").replace("**", "^").replace("*", r"\cdot ")
    text = re.sub(r"\\(?:mathrm|text|mathit|operatorname)\s*\{\s*([ei])\s*\}", r"\1 ", text)
    text = _TEXT.sub(r"\\text{", text)
    text = re.sub(r"\\[A-Za-z]+", lambda found: _named(found[0]), text)
    text = _FUNCTIONS.sub(r"\\\1 ", text).replace("\\infinity", "\\infty")
    text = re.sub(r"\{\s*,\s*\}(?=\d{3}(?!\d))", ",", text)
    return re.sub(r"\{\s*,\s*\}", ".", text)


def _named(command: str) -> str:
    return _NAMES.get(command, command)


def _undollar(text: str) -> str:
    r"""Without the dollars and brackets of maths mode; a dollar before a number that has no partner is money."""
    text = re.sub(r"\\[()\[\]]", " ", text)
    text = text.replace(r"\$", r"\usd ")
    if text.count("$") % 2:
        text = re.sub(r"\$(?=\s*[\d.])", lambda _: r"\usd ", text, count=1)
    return text.replace("$", " ")


def _compact(text: str) -> str:
    """Without spaces that part nothing; `, ` keeps its own until thousands are known."""
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r"(\\[A-Za-z]+) (?=[A-Za-z])", "\\1\0", text)
    text = re.sub(r"(?<=[^\W_,;]) (?=[^\W_])", "\0", text)
    text = re.sub(r"(?<=[,;]) (?=\S)", "\0", text)
    return text.replace(" ", "").replace("\0", " ")


def _thousands(text: str) -> str:
    """Numbers without the commas of thousands, which only stand outside brackets; then commas without spaces."""
    for found in reversed(list(_THOUSANDS.finditer(text))):
        before = text[: found.start()].replace(r"\{", "(").replace(r"\}", ")")
        if not sum((sign in "([") - (sign in ")]") for sign in before):
            text = text[: found.start()] + found[0].replace(",", "") + text[found.end():]
    text = re.sub(r"(?<![\d.])(\d{1,3})((?: \d{3})+)(?![\d.])", lambda found: found[0].replace(" ", ""), text)
    return re.sub(r"(?<=[,;]) ", "", text)


def _braced(text: str) -> str:
    r"""With braces around what \frac, \binom, \sqrt, ^ and _ govern."""
    text = re.sub(r"\\(frac|binom) ?(\d|[A-Za-z])(?=[\dA-Za-z{ ])", r"\\\1{\2}", text)
    text = re.sub(r"(\\(?:frac|binom)\{[^{}]*\}) ?(\d|[A-Za-z])", r"\1{\2}", text)
    text = re.sub(r"\\sqrt ?(\d|[A-Za-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"([\^_]) ?(-?\d+|[A-Za-z])", r"\1{\2}", text)
    for opener in (r"\sqrt(", "^("):
        while (at := text.find(opener)) >= 0:
            start = at + len(opener) - 1
            end = closing(text, start)
            if end < 0:
                break
            text = f"{text[:start]}{{{text[start + 1:end]}}}{text[end + 1:]}"
    text = re.sub(r"(?<=[})\]]) (?=\w)", "", text)
    while text.startswith("{") and closing(text, 0) == len(text) - 1:
        text = text[1:-1]
    return text


def _check(text: str) -> None:
    """Refuse what would take for ever to compute."""
    if not text:
        raise Unreadable("empty")
    if not depth_ok(text):
        raise Unreadable(f"braces do not match, or nest more than {NESTING} deep")
    if re.search(rf"\d{{{DIGITS + 1}}}", text):
        raise Unreadable(f"a number of more than {DIGITS} digits")
    if re.search(r"\^\{?-?\d{7}", text):
        raise Unreadable("an exponent of more than six digits")
    if re.search(r"\d{5}!|\^\{[^{}]*\}[)}]*!|!!|\d{5}[)}]+!", text):
        raise Unreadable("the factorial of too large a number")
    if r"\ldots" in text or "..." in text or "…" in text:
        raise Unreadable("an ellipsis")
    if "'" in text and not re.search(r"[A-Za-z]{3}", text):
        raise Unreadable("a prime")
