"""E-mail addresses."""

import re
from collections.abc import Iterator

from privacy.finding import Finding

_LEFT = re.compile(r"[\w.%+&='/-]*[\w%+&=-]$")
_RIGHT = re.compile(r"(?:[\w-]{1,63}\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])")
_LOCAL = 64
_NO_DOMAINS = frozenset(("py", "js", "ts", "java", "cpp", "html", "css", "json", "txt", "png", "jpg", "md", "sh"))
_PROGRAMS = frozenset(("git", "hg", "svn"))
"""Who logs in to fetch a repository: git@host:owner/name is no one's address."""


def emails(text: str) -> Iterator[Finding]:
    """Whatever stands around an @: a local part to its left, a host with a top-level domain to its right."""
    at = text.find("@")
    while at >= 0:
        left = _LEFT.search(text, max(0, at - _LOCAL), at)
        right = _RIGHT.match(text, at + 1)
        if left and right:
            start = at - len(left[0].lstrip(".'/=&-"))
            local = text[start:at]
            if local and not _no_address(local, right[0], text[right.end():right.end() + 1]):
                yield Finding("EMAIL", start, right.end())
        at = text.find("@", at + 1)


def _no_address(local: str, host: str, after: str) -> bool:
    return (local in _PROGRAMS and after in (":", "/")) or host.rpartition(".")[2].lower() in _NO_DOMAINS
