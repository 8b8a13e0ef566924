"""One pass over a text: all that must not stay in it, of every kind.

A text is first looked at as bytes in classes, ten times faster than a pattern reads it: without a run of digits there
is no telephone number, without a run of letters and digits no key. Most texts end there.
"""

import re
from collections.abc import Iterator

from privacy.accounts import cards, ibans, social_security
from privacy.coded import coded
from privacy.emails import PROVIDERS, emails, spelled
from privacy.finding import Finding
from privacy.folds import unfolded
from privacy.internet import ipv4, ipv6
from privacy.names import Names
from privacy.phones import phones
from privacy.secrets import FOREIGN, assigned, bearers, cookies, curl_credentials, pem, signed, url_credentials
from privacy.tokens import aws_secrets, tokens, web_tokens

_KEY, _NUMBER, _ADDRESS = b"A" * 16, b"0" * 7, b"0" * 4
_KEY_SIGNS = frozenset(b"_-/+")
_KEYS = bytes(65 if sign < 128 and (chr(sign).isalnum() or sign in _KEY_SIGNS) else 32 for sign in range(256))
_DIGITS = bytes(48 if 48 <= sign < 58 else 32 for sign in range(256))
_BETWEEN = b" .-()/:+_\"'\n?"
"""What may stand between the digits of a number; ? is what is not ASCII."""
_SECRET_WORDS = (b"key", b"passw", b"token", b"secret", b"pwd", b"credential", b"passphrase", *FOREIGN)
"""Parts of the words that announce a secret."""
_MAIL = re.compile(rb" at (?:" + "|".join(PROVIDERS).encode() + rb")\.")
_BEFORE, _AFTER = 40, 400
"""How far a key may reach around its run of letters and digits."""


def found(text: str, names: Names | None = None) -> list[Finding]:
    """What was found, from left to right, no two overlapping; `names` finds names besides."""
    data = text.encode("ascii", "replace")  # a byte a character
    lower = data.lower()
    findings = list(_plain(text, data, lower))
    smooth = unfolded(text, lower)
    if smooth is not None:
        again = smooth.text.encode("ascii", "replace")
        findings += [Finding(kind, *smooth.span(start, end))
                     for kind, start, end in _plain(smooth.text, again, again.lower())]
    if names is not None:
        findings += names(text)
    return _apart(findings) if findings else findings


def _plain(text: str, data: bytes, lower: bytes) -> Iterator[Finding]:
    """Every finding of every kind, the surer kinds first."""
    runs = data.translate(_KEYS)
    keyed = _KEY in runs
    if b"begin " in lower or (keyed and (b"begin+" in lower or b"private-lines" in lower)):
        yield from pem(text)
    if keyed:
        yield from _keys(text, runs)
        if b"cookie:" in lower:
            yield from cookies(text)
        if "://" in text and "=" in text:
            yield from signed(text)
        if b"aws" in lower or b"akia" in lower or b"asia" in lower:
            yield from aws_secrets(text)
    if b"curl" in lower:
        yield from curl_credentials(text)
    if "@" in text:
        if "://" in text:
            yield from url_credentials(text)
        yield from emails(text)
    if b" dot " in lower or ("@ " in text and "." in text) or _MAIL.search(lower):
        yield from spelled(text)
    digits = data.translate(_DIGITS, _BETWEEN)
    if _ADDRESS in digits:
        yield from _numbers(text, digits)
    if "::" in text or text.count(":") >= 5:
        yield from ipv6(text)
    if b"0" in digits and any(word in lower for word in _SECRET_WORDS):  # a secret has a digit
        yield from assigned(text, lower)


def _numbers(text: str, digits: bytes) -> Iterator[Finding]:
    yield from ipv4(text)
    if _NUMBER in digits:
        yield from ibans(text)
        yield from cards(text)
        yield from social_security(text)
        yield from phones(text)


def _keys(text: str, runs: bytes) -> Iterator[Finding]:
    """Keys around runs of sixteen letters and digits."""
    if "eyJ" in text:
        yield from web_tokens(text)
    done, at = 0, runs.find(_KEY)
    while at >= 0:
        last = runs.find(b" ", at)
        end = last if last >= 0 else len(runs)
        start = max(done, at - _BEFORE)
        yield from tokens(text, start, end + _AFTER)
        yield from bearers(text, start, end + _AFTER)
        yield from coded(text, at, end, found)
        done, at = end, runs.find(_KEY, end)


def _apart(findings: list[Finding]) -> list[Finding]:
    """Those that overlap put together, under the name of the one that was found first."""
    apart: list[tuple[int, Finding]] = []
    for rank, (kind, start, end) in sorted(enumerate(findings), key=lambda item: (item[1].start, item[0])):
        if apart and start < apart[-1][1].end:
            before, other = apart.pop()
            kind = kind if rank < before else other.kind
            start, end, rank = other.start, max(end, other.end), min(rank, before)
        apart.append((rank, Finding(kind, start, end)))
    return [finding for _, finding in apart]
