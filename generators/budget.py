"""A hard limit on what one run newly spends: the worst case is reserved before a request goes out, then settled."""

import threading
from dataclasses import dataclass
from typing import Any

from generators.engines import BOUNDS, Budget, Engine
from schemas.errors import ConfigError

_TEMPLATE_TOKENS = 256
"""Room for what a server's chat template adds to the messages."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens and money; money is None where the price is unknown."""

    tokens: int = 0
    cost: float | None = 0.0


NOTHING = Spend()


def worst_case(engine: Engine, params: dict[str, Any], body_bytes: int) -> Spend:
    """The most a request can spend: no tokenizer makes more tokens than bytes, no server more than max_tokens."""
    bounds = [params[name] for name in BOUNDS if isinstance(params.get(name), int)]
    if not bounds:
        raise ConfigError(f"engine '{engine.name}': under a budget every request needs a bound; write "
                          f"params = {{ max_tokens = 1024 }} in its table, or give max_tokens in the recipe")
    most_in = body_bytes + _TEMPLATE_TOKENS
    most_out = max(bounds)  # of two, a server may know either
    return Spend(most_in + most_out, engine.cost(most_in, most_out))


class Purse:
    """What a run may still spend; never more is reserved and spent together than the budget, by any thread."""

    def __init__(self, budget: Budget | None) -> None:
        self.budget = budget or Budget()
        self.limited = self.budget.usd is not None or self.budget.tokens is not None
        self.tokens = 0
        self.cost = 0.0
        self._held_tokens = 0
        self._held_cost = 0.0
        self._lock = threading.Lock()

    @property
    def holds(self) -> bool:
        """Whether something is set aside for requests that are on their way."""
        return self._held_tokens > 0

    def check(self, engine: Engine) -> None:
        """A budget in money needs prices in dollars; else a ConfigError."""
        if self.budget.usd is None:
            return
        if engine.price_in is None or engine.price_out is None:
            raise ConfigError(f"engine '{engine.name}' has no price, so a budget in usd cannot hold; write price_in "
                              "and price_out (per million tokens; 0 where it is free), or a budget in tokens")
        if engine.currency != "USD":
            raise ConfigError(f"engine '{engine.name}' is priced in {engine.currency}, so a budget in usd cannot hold; "
                              "write its prices in USD, or a budget in tokens")

    def reserve(self, worst: Spend) -> bool:
        """Set the worst case aside; False where the budget does not hold it."""
        with self._lock:
            tokens = self.tokens + self._held_tokens + worst.tokens
            cost = self.cost + self._held_cost + (worst.cost or 0.0)
            if self.budget.tokens is not None and tokens > self.budget.tokens:
                return False
            if self.budget.usd is not None and cost > self.budget.usd:
                return False
            self._held_tokens += worst.tokens
            self._held_cost += worst.cost or 0.0
            return True

    def settle(self, worst: Spend, spent: Spend) -> None:
        """Put what was really spent in the place of what was set aside."""
        with self._lock:
            self._held_tokens -= worst.tokens
            self._held_cost -= worst.cost or 0.0
            self.tokens += spent.tokens
            self.cost += spent.cost or 0.0

    def __str__(self) -> str:
        told = []
        if self.budget.usd is not None:
            told.append(f"{self.cost:.6g} of {self.budget.usd:g} USD")
        if self.budget.tokens is not None:
            told.append(f"{self.tokens:,} of {self.budget.tokens:,} tokens")
        return " and ".join(told) or "without limit"
