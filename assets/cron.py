"""Cron expressions, checked before Dagster sees them: minute, hour, day of month, month, day of week."""

import re

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []), ("hour", 0, 23, []), ("day of month", 1, 31, []), ("month", 1, 12, ["", *_MONTHS]),
    ("day of week", 0, 7, _DAYS))
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def why_no_cron(text: str) -> str | None:
    """What is wrong with a cron expression of five fields; None where nothing is."""
    said = text.lower().split()
    if len(said) != len(_FIELDS):
        return f"it has {len(said)} fields, not five"
    for field, (name, low, high, words) in zip(said, _FIELDS, strict=True):
        for part in field.split(","):
            if not _is_part(part, low, high, words):
                return f"{part!r} is no {name} ({low} to {high})"
    return None


def _is_part(part: str, low: int, high: int, words: list[str]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match["step"] == "0" or (match["first"] == "*" and match["last"]):
        return False
    given = [match[name] for name in ("first", "last") if match[name] not in (None, "*")]
    numbers = [words.index(one) if one in words else int(one) if one.isdecimal() else -1 for one in given]
    return all(low <= number <= high for number in numbers) and numbers == sorted(numbers)
