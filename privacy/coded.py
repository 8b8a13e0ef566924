"""Base64 that says a secret once it is decoded: a header, a field of a manifest, a whole letter."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator

from privacy.finding import Finding

_SHORTEST, _TRIED = 24, 24
_OTHER = bytes.maketrans(b"-_", b"+/")


def coded(text: str, start: int, end: int, found: Callable[[str], list[Finding]]) -> Iterator[Finding]:
    """The run of letters and digits, where it is base64 of a text in which `found` finds anything; it goes whole."""
    if end - start < _SHORTEST:
        return
    begins = _decoded(text[start:start + _TRIED])
    if begins is None or not all(sign.isprintable() or sign in "\n\r\t" for sign in begins):
        return
    whole = _decoded(text[start:end])
    findings = found(whole) if whole else []
    if findings:
        yield Finding(findings[0].kind, start, end + len(text[end:end + 2]) - len(text[end:end + 2].lstrip("=")))


def _decoded(run: str) -> str | None:
    """The text that the run codes; None where it codes none."""
    try:
        raw = run.encode("ascii").translate(_OTHER)
        return b64decode(raw + b"=" * (-len(raw) % 4)).decode()
    except (UnicodeError, binascii.Error):
        return None
