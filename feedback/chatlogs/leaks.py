"""Whether an answer gives away what was only said after it was asked for: words of the feedback, or bows to it."""

import re
from collections.abc import Iterable
from pathlib import Path

GRAM = 5
"""Words in a row that two texts share by copying, as a rule."""
_WORD = re.compile(r"\w+")
_BOWS = re.compile("|".join(
    line for line in (Path(__file__).parent / "bows_en.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")), re.IGNORECASE)
_BEGINNING = 200
"""Characters in which an answer bows to what was said before it."""


def leak(answer: str, feedback: Iterable[str], prompt: Iterable[str]) -> str | None:
    """What of the feedback shows in an answer to a prompt in which it was not said: the words; None for nothing.

    Five words in a row that feedback and answer share and the prompt lacks, or, at the answer's beginning, words that
    presuppose a complaint ("you're right", "I apologize"; English only, bows_en.txt).
    """
    known = set().union(*(grams(text) for text in prompt))
    own = grams(answer)
    for text in feedback:
        shared = (grams(text) & own) - known
        if shared:
            return " ".join(min(shared))
    bow = _BOWS.search(answer[:_BEGINNING])
    return None if bow is None else bow[0]


def grams(text: str) -> set[tuple[str, ...]]:
    """Every GRAM words in a row of a text, in lower case."""
    words = _WORD.findall(text.lower())
    return {tuple(words[place:place + GRAM]) for place in range(len(words) - GRAM + 1)}
