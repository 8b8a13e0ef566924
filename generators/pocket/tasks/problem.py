"""A checkable problem, and which of them no training may ever draw."""

import hashlib
from dataclasses import dataclass

HELD_OUT = 10
"""One problem in so many is kept for evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A question whose right answers are known by calculation."""

    task: str
    key: str
    """What is asked, without the wording: `gain/34,27`. Problems of one key fall on the same side of the split."""
    prompt: str
    reference: str
    """The right number, or a right program."""
    solution: str
    """What a model is taught to answer."""

    @property
    def held_out(self) -> bool:
        """Whether the problem is for evaluation only."""
        return held_out(f"{self.task}:{self.key}")


def held_out(key: str) -> bool:
    """The split: a hash of the key, so that the same question is never on both sides, whoever draws it."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % HELD_OUT == 0
