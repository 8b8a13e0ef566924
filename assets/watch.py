"""Watching long work: what a build's requests are doing, for a log or a terminal."""

import time
from collections.abc import Callable
from typing import Any

from generators.progress import Progress
from generators.serve import Start

_LOG_EVERY_S = 10.0


class Watcher:
    """Logs a line of progress every ten seconds and keeps what was spent; the command line draws it instead."""

    def __init__(self) -> None:
        self._title = ""
        self._log: Callable[[str], None] = lambda _: None
        self._told = 0.0
        self._last: Progress | None = None
        self._servers: list[dict[str, Any]] = []

    def begin(self, title: str, log: Callable[[str], None]) -> None:
        """A stage begins."""
        self._title, self._log, self._last, self._told = title, log, None, time.monotonic()

    def update(self, progress: Progress) -> None:
        """Some requests were answered."""
        self._last = progress
        if time.monotonic() - self._told >= _LOG_EVERY_S:
            self._told = time.monotonic()
            self._log(f"{self._title}: {line(progress)}")

    def server(self, start: Start) -> None:
        """A server is being started, or is ready."""
        self._log(f"{self._title}: {start}")
        if start.url is not None:
            self._servers.append({"engines": list(start.engines), "command": list(start.command),
                                  "version": start.version, "seconds": round(start.seconds, 1)})

    def spent(self) -> dict[str, Any]:
        """What the stage asked for and spent, and the servers it started."""
        servers, self._servers = self._servers, []
        started = {"servers": servers} if servers else {}
        if self._last is None:
            return started
        last, self._last = self._last, None
        if last.unit != "requests":
            return {**started, last.unit: last.done - last.from_store, "from_store": last.from_store}
        return {**started, "asked": last.done - last.from_store, "from_store": last.from_store, "failed": last.failed,
                "tokens_out": last.tokens_out, "cost": last.cost}


def line(progress: Progress) -> str:
    """Progress in one line: done of planned, rate, cost, time left."""
    planned = f"{progress.planned:,}" if progress.planned else "?"
    left = "" if progress.left_s is None else f", {progress.left_s:.0f} s left"
    begun = (f"{progress.done:,} of {planned} {progress.unit} ({progress.from_store:,} from the store), "
             f"{progress.per_s:.1f}/s")
    if progress.unit != "requests":
        return begun + left
    cost = "cost unknown" if progress.cost is None else f"cost {progress.cost:.4f}"
    waits = "".join(f"; waiting for engine '{name}': {why}" for name, why in progress.trouble.items())
    return (f"{begun}, {progress.failed} failed, {progress.invalid} unparsable, "
            f"{progress.tokens_out:,} tokens, {cost}{left}{waits}")
