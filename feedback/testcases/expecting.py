"""What models expect of an input: of one reply what it says, if it says one thing, and of several what most say."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from feedback.testcases.values import commonest, vote_key


def expectations(kind: str, found: Iterable[tuple[str, str]]) -> list[tuple[str, str | None]]:
    """The different inputs of one reply, each with what it expects; None where it expects several things."""
    said: dict[str, list[str]] = defaultdict(list)
    for value, expected in found:
        said[value].append(expected)
    return [(value, every[0] if len({_known_by(kind, one) for one in every}) == 1 else None)
            for value, every in said.items()]


def most_expected(kind: str, votes: Sequence[str]) -> tuple[str, str | None, float]:
    """What most replies expect, in its commonest spelling, and their share; or why there is none, None and 0."""
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for expected in votes:
        spelt[_known_by(kind, expected)][expected] += 1
    sizes = sorted((vote.total(), key) for key, vote in spelt.items())
    if not sizes:
        return "contradiction", None, 0.0
    top, best = sizes[-1]
    if len(sizes) > 1 and sizes[-2][0] == top:
        return "tie", None, 0.0
    return "", commonest(spelt[best]), top / len(votes)


def _known_by(kind: str, expected: str) -> str:
    """What an expected output is counted under: that nothing is printed can be expected, too."""
    return vote_key(kind, expected) or ""
