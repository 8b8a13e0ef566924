"""When two outputs are the same: for votes by a key, so that no order matters, and for verdicts.

A key is the same for values that Python's == calls equal, 1 and 1.0 and True; a text that is printed is read without
the white space at the ends of its lines and of the whole (PFPO joins lines; judges of contests do the same).
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from feedback.testcases.maths.equal import Equal
from feedback.testcases.sandbox.codec import Unsupported, decode, encode, same_value

Verdict = Literal["pass", "fail", "unknown"]
PASSED, FAILED = "passed", "failed"
"""What a run of a test program gives."""
Compare = Callable[[str, str], Equal]
"""Of two stated answers, the expected one first."""


def vote_key(kind: str, output: str) -> str | None:
    """What an output is counted under; None where it says nothing (nothing was printed)."""
    if kind == "stdin":
        return printed(output) or None
    if kind == "call":
        try:
            return encode(_plain(decode(output)))
        except Unsupported:
            return output
    return output


def commonest(spellings: Counter[str]) -> str:
    """The spelling of one output that is written most often; of several the first in order."""
    return min(spellings, key=lambda text: (-spellings[text], text))


def verdict(kind: str, expected: str, output: str, tolerance: float = 0.0) -> Verdict:
    """Whether an output is what is expected, for every kind but answers."""
    if expected == output:
        return "pass"
    if kind == "tests":
        return "fail"
    if kind == "stdin":
        return "pass" if printed(expected) == printed(output) else "fail"
    try:
        return "pass" if same_value(decode(expected), decode(output), tolerance) else "fail"
    except Unsupported:
        return "unknown"


def printed(text: str) -> str:
    """A printed text without white space at the ends of its lines and of the whole."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _plain(value: Any) -> Any:
    """The value with each number in its simplest type, all the way down."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, complex) and value.imag == 0:
        return _plain(value.real)
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple | set | frozenset):
        return (frozenset if isinstance(value, set) else type(value))(_plain(item) for item in value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value
