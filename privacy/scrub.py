"""Personal data and secrets out of a conversation: each becomes a placeholder that says what it was.

The same address has the same placeholder throughout its conversation, so that who is who can still be followed, and a
quote of a scrubbed text stands in the scrubbed text.
"""

import re
from typing import Any

from privacy.find import found
from privacy.names import Names

_LONGEST_NUMBER = 1 << 20
_FORMS = re.compile(r"[\s().\-\"'+]+")


class Scrub:
    """The placeholders of one conversation, numbered as they are met; `names` finds names besides."""

    def __init__(self, names: Names | None = None) -> None:
        self._names = names
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: dict[str, int] = {}

    def text(self, text: str) -> tuple[str, frozenset[str]]:
        """The text with `<EMAIL_1>` and its like in place of what was found, and the kinds that were."""
        findings = found(text, self._names)
        if not findings:
            return text, frozenset()
        parts: list[str] = []
        at = 0
        for kind, start, end in findings:
            parts += text[at:start], self._placeholder(kind, text[start:end])
            at = end
        return "".join((*parts, text[at:])), frozenset(kind for kind, _, _ in findings)

    def value(self, value: Any) -> Any:
        """A JSON value with every text in it scrubbed, keys too, and numbers that are someone's as texts."""
        if isinstance(value, str):
            return self.text(value)[0]
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return self._number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    def _object(self, value: dict[Any, Any]) -> dict[str, Any]:
        scrubbed: dict[str, Any] = {}
        for key, inner in value.items():
            name = clean = self.text(str(key))[0]
            again = 1
            while name in scrubbed:  # two keys that differ in what is gone
                again += 1
                name = f"{clean} ({again})"
            scrubbed[name] = self.value(inner)
        return scrubbed

    def _number(self, number: int | float) -> Any:
        if abs(number) < _LONGEST_NUMBER:
            return number
        told = repr(number)
        scrubbed = self.text(told)[0]
        return number if scrubbed == told else scrubbed

    def _placeholder(self, kind: str, what: str) -> str:
        name = (kind, _FORMS.sub("", what).lower())  # +1 (415) 555-2671 and +14155552671 are one number
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = self._last[kind] = self._last.get(kind, 0) + 1
        return f"<{kind}_{number}>"
