"""An ask on its way to its final reply, and what the lines that carry it need of their run."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from generators.ask import Ask
from generators.budget import NOTHING, Purse, Spend
from generators.engines import Engine
from generators.wire import Answer


@dataclass(slots=True, eq=False)
class Job:
    """An ask on its way to its final reply."""

    ask: Ask
    engine: Engine
    request: dict[str, Any]
    request_id: str
    attempt: int = 0
    tries: int = 0
    refusals: int = 0
    claimed: bool = False
    first_sent: float = 0.0
    seed: int = 0
    body: bytes | None = None
    worst: Spend = NOTHING
    twins: list[Ask] = field(default_factory=list)
    """The same ask, come again meanwhile."""


class Run(Protocol):
    """What a line needs of the run it is part of."""

    purse: Purse
    stopped: bool

    def claim(self, job: Job) -> bool | None:
        """True: send it; False: someone else is asking; None: it is answered and done with."""
        ...

    def landed(self, job: Job, answer: Answer, seconds: float) -> None:
        """A reply, or a final failure, for the store."""
        ...

    def short(self, worst: Spend) -> None:
        """The budget does not hold this request now."""
        ...

    def freed(self) -> None:
        """A try that held some of the budget has ended."""
        ...

    def stop(self, error: BaseException) -> None:
        """Send nothing more; let what is in flight end."""
        ...

    def ended(self) -> None:
        """A try ended."""
        ...
