"""How many requests to keep in flight at a server whose capacity we do not know.

The limit doubles while goodput (good replies a second) grows with it. After that it rests at the best limit found and
probes around it: an additive step up, kept if goodput grew with it; a multiplicative step down, kept if goodput did not
fall. A wave of refusals (429, 503) at a limit steps back to the last one without. Decisions are taken on windows of
replies, never on single errors, so that faults which have nothing to do with load leave the limit where it is.

Pure: time comes in as an argument. Goodput is good replies per second in flight, times the limit, and counts only
requests sent at the present limit, so that bursts do not blur it.
"""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["good", "bad", "full"]
"""A reply; a failure; a refusal because the server is full."""

_DOUBLING_PAYS = 1.4
_STEP_UP = 0.125
_STEP_DOWN = 0.15
_BACK_OFF = 0.85
_WAVE = 0.25
_MOST_PATIENCE = 16
_LONG_SHUT_S = 5.0


@dataclass(slots=True)
class _Window:
    """What became of the requests sent since the limit last changed."""

    since: float
    good: int = 0
    bad: int = 0
    full: int = 0
    spent: float = 0.0
    """Seconds that finished requests were in flight."""
    idle: int = 0
    """How often there was nothing to send although there was room."""

    @property
    def finished(self) -> int:
        return self.good + self.bad

    def goodput(self, limit: float) -> float:
        """Good replies a second that `limit` requests in flight bring (Little's law)."""
        return limit * self.good / self.spent if self.spent > 0 else 0.0


class Limit:
    """The number of requests that may be in flight; tell it of every send and every end."""

    def __init__(self, most: int = 256, start: int = 16) -> None:
        self.most = most
        self.in_flight = 0
        self._start = self._limit = min(start, most)
        self._rest = self._limit
        """The limit we return to when a probe does not pay."""
        self._best = 0.0
        """Goodput at `_rest`, smoothed."""
        self._growing = True
        self._patience = 1
        self._rested = 0
        self._up_next = True
        self._climbs = 0
        """Steps up in a row that paid; after two we double again."""
        self._closed = 0
        """Places closed by refusals until the next good reply, so that refusals do not breed."""
        self._shut_at: float | None = None
        """Since when the server lets nobody in."""
        self._window = _Window(since=0.0)

    @property
    def allowed(self) -> int:
        """How many requests may be in flight now."""
        return max(1, self._limit - self._closed)

    def sent(self) -> None:
        """A request goes out."""
        self.in_flight += 1

    def idle(self) -> None:
        """There is room, but nothing to send."""
        self._window.idle += 1

    def done(self, sent_at: float, now: float, outcome: Outcome) -> None:
        """A request that went out at `sent_at` came to its end."""
        window = self._window
        self.in_flight -= 1
        if outcome == "full":
            self._closed = min(self._closed + 1, self._limit - 1)
            if not self.in_flight and self._shut_at is None:
                self._shut_at = now
        elif outcome == "good":
            self._closed = max(0, self._closed - 1)
            shut, self._shut_at = now - (now if self._shut_at is None else self._shut_at), None
            if shut >= _LONG_SHUT_S:
                self._begin_anew(now)
                return
        if sent_at < window.since:
            return
        window.spent += now - sent_at
        setattr(window, outcome, getattr(window, outcome) + 1)
        enough = max(self._limit * (1 if self._growing else 2), 16)
        if window.full >= max(8, 2 * _WAVE * enough):
            self._refused(now)
        elif window.finished >= enough:
            self._judge(now)

    def _judge(self, now: float) -> None:
        window = self._window
        if window.full >= max(6, _WAVE * window.finished):
            self._refused(now)
            return
        if window.idle > 0.3 * window.finished:
            self._go(self._limit, now)  # the plan, not the server, set the pace: nothing was learnt
            return
        goodput = window.goodput(self._limit)
        if self._growing:
            self._grow(goodput, now)
        elif self._limit == self._rest:
            self._rest_window(goodput, now)
        else:
            self._probe_window(goodput, now)

    def _grow(self, goodput: float, now: float) -> None:
        if self._best and goodput < self._best * _DOUBLING_PAYS and self._limit > self._rest:
            knee = self._rest * max(1.0, goodput / self._best)
            self._growing = False
            self._best = max(goodput, self._best)
            self._rest = min(self._limit, round(knee * 1.1) + 1)
            self._go(self._rest, now)
        else:
            self._best, self._rest = goodput, self._limit
            self._growing = self._limit < self.most
            self._go(self._limit * 2, now)

    def _rest_window(self, goodput: float, now: float) -> None:
        self._rested += 1
        self._best = goodput if not self._best else 0.7 * self._best + 0.3 * goodput
        if self._rested < self._patience:
            self._go(self._limit, now)
            return
        self._rested = 0
        up, self._up_next = self._up_next, not self._up_next
        self._go(self._rest + max(1, round(self._rest * _STEP_UP)) if up
                 else min(self._rest - 1, round(self._rest * (1 - _STEP_DOWN))), now)

    def _probe_window(self, goodput: float, now: float) -> None:
        change = self._limit / self._rest - 1
        pays = goodput >= self._best * (1 + change * (0.5 if change > 0 else 0.2))
        if pays:
            self._rest, self._best, self._patience = self._limit, goodput, 1
            self._growing = change > 0 and self._climbs > 0
            self._climbs = self._climbs + 1 if change > 0 else 0
            self._up_next = change > 0
        else:
            self._climbs = 0
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._go(2 * self._rest if self._growing else self._rest, now)

    def _begin_anew(self, now: float) -> None:
        """A server that was shut, or was still starting, taught nothing about its capacity."""
        self._growing, self._best, self._patience, self._rested, self._climbs = True, 0.0, 1, 0, 0
        self._rest = self._limit = max(self._limit, self._start)
        self._go(self._limit, now)

    def _refused(self, now: float) -> None:
        self._growing = False
        if self._limit > self._rest:
            self._rest = max(self._rest, min(self.in_flight, self._limit - 1))
        else:
            self._rest = max(1, min(self._limit - 1, max(self.in_flight, int(self._limit * _BACK_OFF))))
            self._best = 0.0
        self._patience, self._rested, self._up_next = min(2 * self._patience, _MOST_PATIENCE), 0, True
        self._go(self._rest, now)

    def _go(self, limit: int, now: float) -> None:
        self._limit = max(1, min(limit, self.most))
        self._closed = min(self._closed, self._limit - 1)
        self._window = _Window(since=now)
