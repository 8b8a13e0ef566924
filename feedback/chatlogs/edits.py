"""How much of an answer a person changed: the Levenshtein distance of words, as PRELUDE counts the cost of an edit."""

import re

_TOKEN = re.compile(r"\w+|[^\w\s]")
MOST_TOKENS = 4000
"""Longer texts are compared by their beginnings: the distance takes time quadratic in the length."""


def tokens(text: str) -> list[str]:
    """The words and marks of a text."""
    return _TOKEN.findall(text)


def distance(before: list[str], after: list[str]) -> int:
    """How many tokens must be added, removed or replaced to make one text of the other (Levenshtein 1966)."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    before, after = before[start:len(before) - end], after[start:len(after) - end]
    row = list(range(len(after) + 1))
    for number, token in enumerate(before, 1):
        corner, row[0] = row[0], number
        for place, other in enumerate(after, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (token != other))
    return row[-1]


def edit_ratio(before: str, after: str) -> float:
    """The distance of two texts in tokens, as a share of the longer one: 0 for equal ones, 1 for a new text."""
    first, second = tokens(before)[:MOST_TOKENS], tokens(after)[:MOST_TOKENS]
    longer = max(len(first), len(second))
    return distance(first, second) / longer if longer else 0.0
