"""Secrets known by where they stand: PEM blocks, credentials in URLs, what is assigned to a password or key."""

import re
from collections.abc import Iterator
from itertools import chain

from privacy.finding import Finding

_PEM = re.compile(r"-{3,5}[\s+]?BEGIN[ +]([A-Z0-9 +]{3,40}?)[\s+]?-{3,5}", re.IGNORECASE)
_PUTTY = re.compile(r"Private-Lines:\s*[0-9]+\s+[A-Za-z0-9+/=\s]{40,}")
_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s:,\"'\\.>|#*+-]|Proc-Type|DEK-Info)*")
_LONGEST = 1 << 16
_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}://([^\s/:@\"'<>]*:[^\s@\"'<>/]+)@(?=[^\s@])")
_TEMPLATE = re.compile(r"[{}\[\]$<>*]|^[^:]*:(?:\*+|x+|\.+|password|passwd|pass|pwd|pw|secret|token)$", re.IGNORECASE)
_CURL = re.compile(r"\bcurl\b[^\n]{0,300}?\s(?:-u|--user)[ =]?[\"']?([^\s:\"']+:[^\s\"']+)")
_BEARER = re.compile(r"(?:\b(?:[Bb]earer|BEARER|[Bb]asic)|(?<=: )(?:[Tt]oken|[Aa]pi-?[Kk]ey))\s+"
                     r"([A-Za-z0-9._~+/-]{16,}=*)")
FOREIGN = (b"kennwort", b"contrase", b"mot de passe", b"wachtwoord", b"senha", b"parola", b"identified by")
"""Of other languages, SQL among them."""
_FOREIGN = re.compile(rb"kennwort|contrase..?a|mot de passe|wachtwoord|senha\b|parola\b|identified by")
_WORD = re.compile(rb"passw|passphrase|pwd|secret|token|credential"
                   rb"|(?:api|access|account|auth|secret|private|encryption|signing|master|subscription)[ _-]?key")
_ASSIGNED = re.compile(
    r"[a-zA-Z0-9_ -]{0,20}(?:\\?[\"'`])?[\s+]*(?:\][\s+]*)?(?::=|=>|==?|:|\(|\bis\b)[\s+]*"
    r"(?:(?P<quote>\\?[\"'`])(?P<quoted>[^\s\"'`\\]{8,200}+)(?P=quote)"
    r"|(?P<bare>[A-Za-z0-9+/_~!@#$%^&*-]{16,200}+={0,2})(?![\w(\[=]|\.\w))")
_SPOKEN = re.compile(r"(?:or[dt]|wd|phrase)?(?P<by>(?: (?:is|ist|lautet|est|es|.)|:) (?:now )?|=|>|\s+[\"']?)"
                     r"(?P<bare>[^\s\"'`<>()\[\]{},;]{6,64}+)(?![(\[=])")
"""After passw, pwd: what people tell each other, and what programs are told."""
_PASSWORDS = (b"passw", b"pwd", b"passphrase")
_PLACEHOLDER = re.compile(r"<[A-Z_]+_[0-9]+>")
_SIGNS = (re.compile(r"[0-9]"), re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[^A-Za-z0-9_]"))
_MIXED, _DIGITS = re.compile(r"[A-Za-z0-9]{20,}"), 4
"""What nobody writes as a name, though its letters be of one case."""
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")


def pem(text: str) -> Iterator[Finding]:
    """PEM blocks whole; one that is cut off, as far as its letters go."""
    after = 0
    for match in _PEM.finditer(text):
        if match.start() < after:
            continue
        end = re.compile(rf"-{{3,5}}[\s+]?END[ +]{re.escape(match[1])}[\s+]?-{{3,5}}", re.IGNORECASE).search(
            text, match.end(), match.end() + _LONGEST)
        body = _BODY.match(text, match.end())
        after = end.end() if end else body.end() if body else match.end()
        yield Finding("PRIVATE_KEY", match.start(), after)
    for match in _PUTTY.finditer(text):
        yield Finding("PRIVATE_KEY", *match.span())


def url_credentials(text: str) -> Iterator[Finding]:
    """user:password of scheme://user:password@host, unless it is a template or the word password."""
    for match in _URL.finditer(text):
        if not _TEMPLATE.search(match[1]):
            yield Finding("CREDENTIALS", *match.span(1))


def curl_credentials(text: str) -> Iterator[Finding]:
    """user:password after curl's -u or --user."""
    for match in _CURL.finditer(text):
        if not _TEMPLATE.search(match[1]):
            yield Finding("CREDENTIALS", *match.span(1))


def bearers(text: str, start: int, end: int) -> Iterator[Finding]:
    """What follows Bearer or Basic, when it looks drawn at random."""
    for match in _BEARER.finditer(text, start, end):
        if _random(match[1], 3):
            yield Finding("SECRET", *match.span(1))


def assigned(text: str, lower: bytes) -> Iterator[Finding]:
    """What is assigned to a name that says secret, and looks like one: digits and letters, not another name.

    `lower` is the text in lower case, what is not ASCII as ?.
    """
    foreign = any(word in lower for word in FOREIGN)
    for word in chain(_WORD.finditer(lower), _FOREIGN.finditer(lower) if foreign else ()):
        match = _ASSIGNED.match(text, word.end())
        password = word[0] in _PASSWORDS or word.re is _FOREIGN
        spoken = _SPOKEN.match(text, word.end()) if match is None and password else None
        if match is not None and match["quoted"]:
            which, kinds = "quoted", 2
        elif match is not None or spoken is not None:
            told = spoken is not None and spoken["by"].strip()[-2:] not in ("=", ">", "", '"', "'")
            which, kinds = "bare", 2 if told else 3
        else:
            continue
        given = match or spoken
        if given is not None and _random(given[which], kinds) and not _PLACEHOLDER.search(given[which]):
            yield Finding("SECRET", *given.span(which))


_QUERY = re.compile(r"[?&;](?:x-(?:amz|goog)-signature|signature|sig|code|session_?id|sid|auth|hmac"
                    r"|pwd|api_?key|key|token|(?:access|refresh|id)_token)=([A-Za-z0-9%._~+/-]{16,}=*)", re.IGNORECASE)
_COOKIE = re.compile(r"cookie:[^\n]{0,400}?\b\w{0,40}?(?:sess|sid|auth|token)\w{0,40}=([^;\s\"']{16,})", re.IGNORECASE)


def signed(text: str) -> Iterator[Finding]:
    """Signatures, codes and keys in the query of a URL."""
    for match in _QUERY.finditer(text):
        if _random(match[1], 2):
            yield Finding("SECRET", *match.span(1))


def cookies(text: str) -> Iterator[Finding]:
    """Sessions in the header of a request."""
    for match in _COOKIE.finditer(text):
        if _random(match[1], 2):
            yield Finding("SECRET", *match.span(1))


def _random(value: str, kinds: int) -> bool:
    """Whether a value has a digit and so many kinds of signs; or is all hex."""
    if _HEX.fullmatch(value) or (_MIXED.fullmatch(value) and sum(map(str.isdigit, value)) >= _DIGITS):
        return True
    return _SIGNS[0].search(value) is not None and sum(sign.search(value) is not None for sign in _SIGNS) >= kinds
