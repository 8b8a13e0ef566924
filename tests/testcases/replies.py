"""A model in the process: a plan is answered from a function, as COMPLETIONS rows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from generators.ask import Ask
from generators.engines import Engine
from schemas import COMPLETIONS
from tests.testcases.tables import frame

ENGINES = {name: Engine(name=name, model=f"model of {name}", url="http://127.0.0.1:9/v1") for name in ("one", "two")}
Says = Callable[[Ask], str | None]
"""The reply to an ask; None: the request fails."""


def answered(plan: Iterable[Ask], says: Says, engines: Mapping[str, Engine] = ENGINES) -> pl.DataFrame:
    """COMPLETIONS rows, one an ask."""
    return frame(COMPLETIONS, [reply(ask, says(ask), engines=engines) for ask in plan])


def reply(ask: Ask, text: str | None, attempt: int = 0, engines: Mapping[str, Engine] = ENGINES) -> dict[str, Any]:
    engine = engines[ask.engine]
    return {"request_id": ask.request_id(engine), "sample": ask.sample, "attempt": attempt, "prompt_id": ask.prompt_id,
            "engine": ask.engine, "model": engine.model, "status": "error" if text is None else "ok", "text": text,
            "error": "planted" if text is None else None}
