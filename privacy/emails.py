"""E-mail addresses."""

import re
from collections.abc import Iterator

from privacy.context import near
from privacy.finding import Finding

_LEFT = re.compile(r"\w[\w.%+&='-]*(?<![.'])$")
_RIGHT = re.compile(r"(?:[\w-]{1,63}\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])")
_LOCAL = 64
_SUFFIXES = frozenset(("py", "js", "ts", "java", "cpp", "html", "css", "json", "txt", "png", "jpg", "svg", "sh"))
"""Of files, and no top-level domains: icon@2x.png."""
_TOP = frozenset(("com", "net", "org", "edu", "gov", "info", "io", "co", "ai", "dev", "eu", "de", "fr", "uk", "it",
                  "es", "nl", "ch", "at", "se", "no", "pl", "ru", "cn", "jp", "in", "br", "au", "ca"))
"""Top-level domains that make an address of what stands before the suffix of a file: maria@example.com.json."""
_PROGRAMS = frozenset(("git", "hg", "svn"))
"""Who logs in to fetch a repository: git@host:owner/name is nobody's address."""


PROVIDERS = ("gmail", "googlemail", "yahoo", "hotmail", "outlook", "icloud", "proton", "gmx")
_SPELLED = re.compile(
    rf"(?P<local>\w[\w.+-]{{1,40}})(?: at | ?@ )(?P<host>(?:{'|'.join(PROVIDERS)})\.[a-z]{{2,3}}\b"
    r"|[a-z0-9-]{2,40}(?:(?: dot | ?\. ?)[a-z0-9-]{2,40}){0,2}(?: dot | ?\. )"
    r"(?:com|org|net|edu|gov|io|co|de|fr|uk|eu|info)\b)", re.IGNORECASE)
_SAID = re.compile(r"mail|contact|reach|write|address|ping", re.IGNORECASE)
_OWN = re.compile(r"[._+0-9]")
"""What the name of a mailbox has and a word has not: maria.k at gmail.com, not look at gmail.com."""


def spelled(text: str) -> Iterator[Finding]:
    """maria.k at example dot com, maria.k at gmail.com, maria.k @ example . com, where it does not read as words do."""
    for match in _SPELLED.finditer(text):
        local = match["local"].rstrip(".")
        if _OWN.search(local) or near(_SAID, text, match.start()):
            yield Finding("EMAIL", *match.span())


def emails(text: str) -> Iterator[Finding]:
    """A local part to the left of an @, a host with a top-level domain to its right."""
    at = text.find("@")
    while at >= 0:
        right = _RIGHT.match(text, at + 1)
        left = right and _LEFT.search(text, max(0, at - _LOCAL), at)
        if left and right and not _nobody(left[0], right[0], text[right.end():right.end() + 1]):
            yield Finding("EMAIL", left.start(), right.end())
        at = text.find("@", at + 1)


def _nobody(local: str, host: str, after: str) -> bool:
    if local in _PROGRAMS and after in (":", "/"):
        return True
    before, _, last = host.lower().rpartition(".")
    return last in _SUFFIXES and before.rpartition(".")[2] not in _TOP
