"""A text as it reads once folds are out: strings in pieces, escapes, signs that look alike; and where each stood."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

_LEFT_OUT = "\u00ad\u200b-\u200d\u2060\ufeff"
_FOLD = re.compile(
    r"(?P<joined>\\?[\"'`]\s*(?:\\\s*|[+&.]\s*)?\\?[\"'`](?=[\w@+/=-]))"
    r"|\\+(?P<line>[nrt](?![a-z]{3}))|\\+(?P<slash>/)|\\+u(?P<escaped>[0-9a-fA-F]{4})|%(?P<percent>[2-7][0-9a-fA-F])"
    r"|&#(?:x(?P<entity_hex>[0-9a-fA-F]{2,4})|(?P<entity>[0-9]{2,4}));"
    r"|(?P<at>\s?[\[(]\s?at\s?[\])]\s?)|(?P<dot>\s?[\[(]\s?dot\s?[\])]\s?)"
    r"|(?P<dash>[\u2010-\u2015\u2212\ufe63\uff0d])|(?P<space>[\u00a0\u2000-\u200a\u202f])"
    rf"|(?P<nothing>[{_LEFT_OUT}])|(?P<wide>[\uff01-\uff5e])", re.IGNORECASE)
_SIGNS = re.compile(rf"[\\%&\"'`\u00a0\u2000-\u200a\u2010-\u2015\u202f\u2212\ufe63\uff01-\uff5e{_LEFT_OUT}]")
"""What a fold begins with; most patterns of the other search are slow to tell that they do not."""
_BRACKETS = re.compile(r"[\\%&\"'`\s\[(\u2010-\u2015\u2212\ufe63\uff01-\uff5e" + _LEFT_OUT + "]")
"""The same where `(at)` stands in the text."""
_PIECES = re.compile(r"[\"'`]\s*[+&.]?\s*\\?[\"'`]")
_AS = {"joined": "", "line": "\n", "slash": "/", "at": "@", "dot": ".", "dash": "-", "space": " ", "nothing": ""}


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A text without folds."""

    text: str
    _here: list[int] = field(default_factory=list)
    """Where the stretches of the original begin in `text`."""
    _there: list[int] = field(default_factory=list)
    """Where they begin in the original."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text stood in the original."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, here: int) -> int:
        stretch = bisect_right(self._here, here) - 1
        return self._there[stretch] + here - self._here[stretch]


def unfolded(text: str, lower: bytes) -> Unfolded | None:
    """The text without folds; None where it has none. `lower` is the text in lower case, what is not ASCII as ?."""
    bracketed = b"[at" in lower or b"(at" in lower or b"[ at" in lower or b"( at" in lower
    if not (bracketed or "\\" in text or "%" in text or "&#" in text or not text.isascii() or _PIECES.search(text)):
        return None
    parts: list[str] = []
    here, there = [0], [0]
    length = at = 0
    for sign in (_BRACKETS if bracketed else _SIGNS).finditer(text):
        fold = _FOLD.match(text, sign.start()) if sign.start() >= at else None
        if fold is None:
            continue
        read = _read(fold)
        parts += text[at:fold.start()], read
        here.append(length := length + fold.start() - at)
        there.append(fold.start())
        here.append(length := length + len(read))
        there.append(at := fold.end())
    return Unfolded("".join((*parts, text[at:])), here, there) if parts else None


def _read(match: re.Match[str]) -> str:
    name = str(match.lastgroup)
    if name in _AS:
        return _AS[name]
    if name == "wide":
        return chr(ord(match[0]) - 0xFEE0)
    code = int(match[name], 10 if name == "entity" else 16)
    return chr(code) if 32 <= code < 0xD800 else " "
