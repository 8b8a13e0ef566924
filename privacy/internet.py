"""Addresses of machines: IPv4 and IPv6."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv6Address

from privacy.finding import Finding

_V4 = re.compile(r"[0-9](?<![A-Za-z0-9.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![A-Za-z0-9]|\.[0-9])")
_VERSION = re.compile(r"(?:\b(?:versions?|ver\.?|v\.?|release|section|chapter|build)|[=~<>]=|\^)[\s:\"'=]*$",
                      re.IGNORECASE)
_NOBODYS = re.compile(r"127\.|0\.|255\.255\.")
"""This machine, none, masks of networks."""
_COLONS = re.compile(r":(?:[0-9A-Fa-f]{1,4}:|:)")
_V6 = re.compile(r"(?<![A-Za-z0-9.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{1,36}[0-9A-Fa-f](?:(?:\.[0-9]{1,3}){3})?(?![\w:])"
                 r"|(?<![A-Za-z0-9.])[0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{1,4}){1,6}::(?![\w:])")
_FOUR = re.compile(r"[23fF][0-9a-fA-F]{3}:")
_GROUPS = 5


def ipv4(text: str) -> Iterator[Finding]:
    """Four numbers up to 255 with dots between them, unless the text calls them a version."""
    for match in _V4.finditer(text):
        small = all(int(number) < 256 for number in match[0].split("."))
        versions = _VERSION.search(text, max(0, match.start() - 12), match.start())
        if small and not versions and not _NOBODYS.match(match[0]):
            yield Finding("IP", *match.span())


def ipv6(text: str) -> Iterator[Finding]:
    """Addresses whose first group has four digits, as all do that are given out, or that have five groups and more.

    Shorter ones (a::b) are names and slices in programs.
    """
    if _COLONS.search(text) is None:
        return
    for match in _V6.finditer(text):
        groups = len([group for group in match[0].split(":") if group])
        if (_FOUR.match(match[0]) or groups >= _GROUPS) and _is_v6(match[0]):
            yield Finding("IP", *match.span())


def _is_v6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
