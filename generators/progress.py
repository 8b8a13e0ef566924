"""How far a run of requests is: for the command line and the UI."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run of requests as it stands."""

    done: int
    """Asks that have their final reply, from the store or new."""
    planned: int | None
    """Asks in the plan, where it says how many."""
    from_store: int
    failed: int
    """Asks that ended without a reply."""
    invalid: int
    """Asks whose last reply does not parse either."""
    tokens_out: int
    cost: float | None
    """New spend in the engines' currency; None where a price or a count is unknown."""
    per_s: float
    """New replies a second, lately."""
    left_s: float | None
    engines: dict[str, int]
    """Requests in flight at each engine."""
    trouble: dict[str, str] = field(default_factory=dict)
    """Engines that have answered nothing for some seconds, and why."""
    unit: str = "requests"
    """What is counted: requests, or runs of programs, which have no replies and no cost."""


class Pace:
    """Replies a second over the last ten seconds."""

    def __init__(self, now: float) -> None:
        self._marks = deque([(now, 0)], maxlen=20)

    def per_s(self, now: float, count: int) -> float:
        """The pace, `count` replies being there now."""
        then, before = self._marks[0]
        self._marks.append((now, count))
        return (count - before) / (now - then) if now > then else 0.0
