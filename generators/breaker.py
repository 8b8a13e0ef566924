"""When to give an engine up: not for failures, but for nothing except failures.

A steady share of failures never opens it, and neither do a few requests that always fail, at the end of a run when
only they are left: a server that still answers GET /models is not given up for them. Pure: time is an argument.
"""

_START_PATIENCE_S = 3.0
"""How long a server that never answered may fail."""
_PATIENCE_S = 10.0
"""How long a server that has answered may fail, for instance while it is started again."""
_FULL_PATIENCE_S = 120.0
"""How long a server may refuse everything because it is full or starting."""
_FRESH = 20
_ENOUGH = 3
_UNWELCOME = 50


class Breaker:
    """Watches the row of failures since an engine's last good reply."""

    def __init__(self) -> None:
        self.ever_good = False
        self.failures = 0
        self.fresh = 0
        """First tries of requests among the failures: a request that always fails counts once."""
        self.since = 0.0
        """When the first failure of the row was sent."""
        self.refusals = 0
        self.last = "nothing was seen"
        self._refused = 0

    def good(self) -> None:
        """A reply came."""
        self.ever_good = True
        self.failures = self.fresh = self.refusals = 0

    @property
    def row(self) -> int:
        """How many tries failed since the last good one."""
        return self.failures + self.refusals

    def bad(self, sent_at: float, what: str, first_try: bool, full: bool = False) -> None:
        """A request failed, or was refused because the server is full."""
        if not self.row:
            self.since = sent_at
        self.last = what
        if full:
            self.refusals += 1
        else:
            self.failures += 1
            self.fresh += first_try

    def refused(self) -> None:
        """A request was refused for good: the server is there."""
        self.failures = self.fresh = self.refusals = 0
        self._refused += 1

    @property
    def unwelcome(self) -> int:
        """How many requests were refused for good, where those are many and no other was ever answered; else 0."""
        return 0 if self.ever_good or self._refused < _UNWELCOME else self._refused

    def hopeless(self, now: float) -> bool:
        """Whether every one of many requests failed for some time: stop."""
        long = now - self.since
        if self.fresh >= _FRESH and long >= self._patience:
            return True
        return self.refusals >= _FRESH and long >= _FULL_PATIENCE_S

    def doubtful(self, now: float) -> bool:
        """Whether it is time to ask the server if it is there at all."""
        return self.failures >= _ENOUGH and now - self.since >= self._patience

    @property
    def _patience(self) -> float:
        return _PATIENCE_S if self.ever_good else _START_PATIENCE_S
