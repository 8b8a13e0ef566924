"""What the words before a number say of it."""

import re

_BEFORE = 48


def near(words: re.Pattern[str], text: str, place: int) -> bool:
    """Whether one of the words stands shortly before the place."""
    return words.search(text, max(0, place - _BEFORE), place) is not None
