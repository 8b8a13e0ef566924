"""Small conversations for the tests of the cascade: messages named by the test, engines, and replies to a plan."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from generators.ask import Ask
from generators.engines import Engine
from generators.made import Made
from schemas import CHAT_MESSAGES, COMPLETIONS
from schemas.table import Table

Says = Callable[[Ask], str | Sequence[str] | None]
"""What an engine replies: a text, one text an attempt, or None where the request failed for good."""
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINE = {"reason": "It says so.", "about_the_answer": True, "label_holds": True, "justified": "yes", "refusal": "none",
        "beyond_reach": False, "toxic": False, "context_missing": False}
"""A verdict of a validator that lets everything pass."""


def frame(table: Table, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def obeys(table: Table, rows: pl.DataFrame) -> bool:
    """Whether the rows keep the table's rules."""
    return not table.check(table.conform(rows.to_arrow()))[0]


def message(name: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
    """A row of messages; its conversation is what stands before the slash of its name."""
    return {"msg_id": name, "conv_id": name.split("/")[0], "parent_id": parent, "depth": 0, "branch": 0,
            "on_main_path": True, "role": role, "text": text, "synthetic": False, "flags": [], "placeholders": [],
            "source_format": "test", "source": "log", "place": f"log, {name}", "redistributable": True,
            "created_at": WHEN, "user_hash": "u", **more}


def talk(conversation: str, *said: str, **more: Any) -> list[dict[str, Any]]:
    """A conversation: user, assistant, user, ... its messages are named c/0, c/1, ..."""
    return [message(f"{conversation}/{place}", f"{conversation}/{place - 1}" if place else None,
                    ("user", "assistant")[place % 2], text, **more) for place, text in enumerate(said)]


def messages(*talks: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return frame(CHAT_MESSAGES, [row for rows in talks for row in rows])


def staff(*names: str) -> dict[str, Engine]:
    """Engines of these names, each with a model of its own."""
    return {name: Engine(name=name, url="http://127.0.0.1:9/v1", model=f"model-{name}", revision="r1")
            for name in names}


def replies(plan: Iterable[Ask], engines: Mapping[str, Engine], say: Says) -> pl.DataFrame:
    """The completions of a plan, every attempt up to the last text that is said."""
    rows = []
    for ask in plan:
        engine, said = engines[ask.engine], say(ask)
        base = {"request_id": ask.request_id(engine), "sample": ask.sample, "prompt_id": ask.prompt_id,
                "engine": engine.name, "model": engine.model, "revision": engine.revision, "prompt_tokens": 100}
        if said is None:
            rows.append({**base, "attempt": 0, "status": "error", "error": "400 too long"})
        for attempt, text in enumerate([said] if isinstance(said, str) else said or []):
            rows.append({**base, "attempt": attempt, "status": "ok", "text": text})
    return frame(COMPLETIONS, rows)


def counted(made: Made, unit: str) -> dict[str, int]:
    """The fates of a unit by reason; "in" and "out" where there is none."""
    return {row.reason or row.fate: row.count for row in made.counts if row.unit == unit}
