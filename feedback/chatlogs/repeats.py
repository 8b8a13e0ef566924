"""How alike two turns of a user are: whether a question was asked again in other words.

The measure is a token-set ratio: the distinct words of both, sorted, are compared by the longest common subsequence of
characters, the words that both have first. A turn that the other contains is as alike as it is long: a few words said
again do not repeat a question. It is our own measure of form. Nothing here knows what words mean: "car" and "auto" have
next to nothing in common.
"""

import re

MOST = 600
"""Characters of each turn that are compared."""
_WORD = re.compile(r"\w+")
_FLOOR = 0.5
"""Where the words in common leave no way to this, the characters of the others are not compared."""


def similarity(before: str, after: str) -> float:
    """From 0 (nothing in common) to 1 (the same words), the same either way round."""
    first, second = set(_WORD.findall(before[:MOST].lower())), set(_WORD.findall(after[:MOST].lower()))
    shared = first & second
    if first == second:
        return 1.0 if first else 0.0
    common, left, right = _joined(shared), _joined(first - shared), _joined(second - shared)
    matched, total = len(common), _length(common, left) + _length(common, right)
    if left and right and 2 * _length(common, min(left, right, key=len)) >= _FLOOR * total:
        matched += _subsequence(left, right) + bool(common)  # and the space that stands between
    return 2 * matched / total


def _joined(words: set[str]) -> str:
    return " ".join(sorted(words))


def _length(common: str, own: str) -> int:
    return len(common) + len(own) + bool(common and own)


def _subsequence(first: str, second: str) -> int:
    """The length of the longest common subsequence, a row of its table at a time as the bits of one whole number."""
    places: dict[str, int] = {}
    for place, letter in enumerate(first):
        places[letter] = places.get(letter, 0) | 1 << place
    mask = (1 << len(first)) - 1
    row = mask
    for letter in second:
        hits = row & places.get(letter, 0)
        row = (row + hits | row - hits) & mask
    return len(first) - row.bit_count()
