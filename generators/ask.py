"""One thing to ask of an engine, and plans: streams of such asks that can be drawn again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, cast

from generators.engines import BOUNDS, OURS, Engine
from schemas.errors import ConfigError
from schemas.ids import digest, seed_of
from schemas.messages import Message

_NOT_IN_ID = ("n", "seed")
_NOT_OURS = OURS.keys() - set(_NOT_IN_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One sample of one request to one engine."""

    engine: str
    messages: Sequence[Message]
    params: Mapping[str, Any] = field(default_factory=dict)
    """Request parameters; they win over the engine's defaults. `n` and `seed` are ours and ignored here."""
    schema: Mapping[str, Any] | None = None
    """JSON schema that the reply must follow."""
    sample: int = 0
    prompt_id: str

    def request(self, engine: Engine) -> dict[str, Any]:
        """The canonical request: all that decides what a reply can be, and nothing else (no URL, key or seed)."""
        if not self.params.keys().isdisjoint(_NOT_OURS):
            name = next(iter(self.params.keys() & _NOT_OURS))
            raise ConfigError(f"request to engine '{engine.name}': params must not hold '{name}': {OURS[name]}")
        params = {**engine.params, **self._named_for(engine)}
        for name in _NOT_IN_ID:
            params.pop(name, None)
        return {"engine": engine.name, "model": engine.model, "revision": engine.revision,
                "messages": list(self.messages), "params": params, "schema": self.schema}

    def _named_for(self, engine: Engine) -> Mapping[str, Any]:
        """The ask's own parameters, its bound under the name that the engine's has: servers refuse two bounds."""
        own, other = (next((name for name in BOUNDS if name in params), "") for params in (engine.params, self.params))
        if not own or not other or own in self.params:
            return self.params
        return {own if name == other else name: value for name, value in self.params.items()}

    def request_id(self, engine: Engine) -> str:
        """The digest of the canonical request; samples and attempts of one request share it."""
        return request_digest(self.request(engine))


Parse = Callable[[str], str | None] | Callable[[str, Ask], str | None]
"""Given a reply's text, and its Ask if wanted: None when it parses, else the reason why it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Asks that are made when they are drawn, and made again, the same, when they are drawn again."""

    asks: Callable[[], Iterator[Ask]]
    of: Callable[[str], Iterator[Ask]]
    """Those of one engine alone, without making the others."""
    count: int | None = None
    """How many asks there are, if known."""

    def __iter__(self) -> Iterator[Ask]:
        return self.asks()


AnyPlan = Iterable[Ask] | Callable[[], Iterator[Ask]]
"""What `collect` takes: anything that gives the same asks each time it is iterated or called.

Each engine draws its own: from `of(engine)` where the plan has that, as Plan does, else by picking from all."""


def draw_asks(plan: AnyPlan, engine: str) -> Iterator[Ask]:
    """The plan's asks from the start: the engine's alone where the plan can make them apart, else everybody's.

    ConfigError where it is an iterator, which would not give them twice.
    """
    if not callable(plan) and isinstance(plan, Iterator):
        raise ConfigError("a plan is drawn more than once, and an iterator gives its asks only once; give a list, a "
                          "Plan, or the function that makes the iterator")
    of = getattr(plan, "of", None)
    if of is not None:
        return cast(Iterator[Ask], of(engine))
    return plan() if callable(plan) else iter(plan)


def count_asks(plan: AnyPlan) -> int | None:
    """How many asks the plan has, where it says so."""
    if isinstance(plan, Plan):
        return plan.count
    return len(plan) if isinstance(plan, Sized) else None


def request_digest(request: Mapping[str, Any]) -> str:
    """The id of a canonical request."""
    return digest("request", request)


def request_body(request: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    """What is sent to the server for a canonical request."""
    body = {"model": request["model"], "messages": request["messages"], **request["params"]}
    if seed is not None:
        body["seed"] = seed
    if request["schema"] is not None:
        body["response_format"] = {"type": "json_schema",
                                   "json_schema": {"name": "reply", "schema": request["schema"], "strict": True}}
    return body


def reply_seed(request_id: str, sample: int, attempt: int) -> int:
    """The seed sent with one attempt of one sample, so that each is another draw and the same draw each time."""
    return seed_of(request_id, sample, attempt)
