"""A text as it reads once folds are out: strings in pieces, escapes, signs that look alike; and where each stood."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from urllib.parse import unquote

from privacy.alike import plain

_LEFT_OUT = ("\u00ad\u034f\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u3164"
             "\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f")
"""Signs that nobody sees."""
_FOLD = re.compile(
    r"(?P<joined>\\?[\"'`]\s*(?:\\\s*|[+&.]\s*)?\\?[\"'`](?=[\w@+/=-]))"
    r"|(?P<broken>\\\r?\n\s*)|\\{1,8}(?P<line>[nrt](?![a-z]{3}))|\\{1,8}(?P<sign>[/_.@+-])"
    r"|\\{1,8}u(?:0000(?=[0-9a-f]{4}))?(?P<escaped>[0-9a-f]{4})|\\{1,8}u\{0*(?P<braced>[0-9a-f]{2,4})\}"
    r"|\\{1,8}x(?P<hex>[0-9a-f]{2})|\\{1,8}(?P<octal>1[0-7]{2}|0[4-7][0-7])"
    r"|%(?:25){0,4}(?P<percent>[2-7][0-9a-fA-F]|0[9ad])"
    r"|(?P<encoded>%[cd][0-9a-f]%[89ab][0-9a-f]|%e[0-9a-f](?:%[89ab][0-9a-f]){2}|%f[0-4](?:%[89ab][0-9a-f]){3})"
    r"|&(?:amp;)?#(?:x0*(?P<entity_hex>[0-9a-fA-F]{2,4})|0*(?P<entity>[0-9]{2,4}));?"
    r"|&(?:amp;)?(?:(?P<commat>commat)|(?P<period>period)|(?P<lowbar>lowbar)|(?P<quote>quot));"
    r"|(?P<at>\s?[\[({<]\s?(?:at|ät)\s?[\])}>]\s?)|(?P<dot>\s?[\[({<]\s?(?:dot|\.)\s?[\])}>]\s?)"
    rf"|(?P<stop>(?<=[a-z0-9])[\u3002\uff61](?=[a-z]))|(?P<nothing>[{_LEFT_OUT}]+)", re.IGNORECASE)
_SIGNS = re.compile(rf"[\\%&\"'`\u3002\uff61{_LEFT_OUT}]")
"""What a fold begins with; most patterns of the other search are slow to tell that they do not."""
_BRACKETS = re.compile(rf"[\\%&\"'`\s\[({{<\u3002\uff61{_LEFT_OUT}]")
"""The same where `(at)` stands in the text."""
_PIECES = re.compile(r"[\"'`]\s*(?:[+&.]\s*)?\\?[\"'`]")
_DOTTED = re.compile(rb"[\[({<]\s?(?:dot|\.)\s?[\])}>]")
_AS = {"joined": "", "broken": "", "line": "\n", "commat": "@", "period": ".", "lowbar": "_", "quote": '"', "at": "@",
       "dot": ".", "stop": ".", "nothing": ""}
_NAMED = re.compile(rb"&(?:amp|quot|commat|period|lowbar);")
_DEEP = 3
"""How often a fold may lie in another: a URL in JSON in a URL."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A text without folds."""

    text: str
    _here: list[int] = field(default_factory=list)
    """Where the stretches of the original begin in `text`."""
    _there: list[int] = field(default_factory=list)
    """Where they begin in the original; every other stretch is a fold, whose one sign stands for all of it."""
    _of: "Unfolded | None" = None
    """What the original itself was unfolded from."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text stood in the original."""
        first, last = (bisect_right(self._here, place) - 1 for place in (start, end - 1))
        begin = self._there[first] + start - self._here[first]
        over = self._there[last + 1] if last % 2 else self._there[last] + end - self._here[last]
        return (begin, over) if self._of is None else self._of.span(begin, over)


def unfolded(text: str, lower: bytes) -> Unfolded | None:
    """The text without folds; None where it has none. `lower` is the text in lower case, what is not ASCII as ?."""
    bracketed = (b"(at" in lower or b"[at" in lower or b"( at" in lower or b"[ at" in lower or b"{at" in lower
                 or b"<at" in lower or b"(?t" in lower or (b"@" in lower and _DOTTED.search(lower) is not None)
                 or b"[.]" in lower)
    if not (bracketed or "\\" in text or "%" in text or b"&#" in lower or _NAMED.search(lower)
            or not text.isascii() or _PIECES.search(text)):
        return None
    alike = text if text.isascii() else plain(text)
    signs = _BRACKETS if bracketed else _SIGNS
    found = _pass(alike, signs, None)
    for _ in range(_DEEP - 1):
        deeper = found and ("\\" in found.text or "%" in found.text) and _pass(found.text, signs, found)
        if not deeper:
            break
        found = deeper
    if found is None and alike != text:
        return Unfolded(alike, [0], [0])
    return found


def _pass(text: str, signs: re.Pattern[str], of: Unfolded | None) -> Unfolded | None:
    """The text without the folds that are seen now; None where there are none."""
    parts: list[str] = []
    here, there = [0], [0]
    length = at = 0
    for sign in signs.finditer(text):
        fold = _FOLD.match(text, sign.start()) if sign.start() >= at else None
        if fold is None:
            continue
        read = _read(fold)
        parts += text[at:fold.start()], read
        here.append(length := length + fold.start() - at)
        there.append(fold.start())
        here.append(length := length + len(read))
        there.append(at := fold.end())
    return Unfolded("".join((*parts, text[at:])), here, there, of) if parts else None


def _read(match: re.Match[str]) -> str:
    name = str(match.lastgroup)
    if name in _AS:
        return _AS[name]
    if name == "sign":
        return match[name]
    if name == "encoded":
        return plain(unquote(match[0])[0])
    code = int(match[name], {"entity": 10, "octal": 8}.get(name, 16))
    return chr(code) if 32 <= code < 0xD800 else " "
