"""Showing a table in the UI: small deterministic samples as plain text, counts, and plots inline."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.funnel import Count
from schemas.messages import Message

SAMPLE = 5
LIMIT = 8
"""Rows of a table that are shown at most."""
CELL = 200
"""Characters of a cell that are shown; the whole text is in the Parquet file."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A small table. Its cells are plain text to the UI, so that no model's reply can pass for markup."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


def rows(columns: Sequence[str], cells: Iterable[Sequence[Any]], limit: int = LIMIT) -> Rows:
    """The first rows, their cells cut; one more row says how many there are besides."""
    shown = [tuple(_cell(value) for value in row) for row in cells]
    more = [(f"… {len(shown) - limit} more rows", *[""] * (len(columns) - 1))] if len(shown) > limit else []
    return Rows(tuple(columns), (*shown[:limit], *more))


def frame(table: pl.DataFrame, *columns: str, limit: int = LIMIT) -> Rows:
    """Some columns of a frame that it has; those without any value are left out."""
    named = [name for name in columns if name in table.columns and table[name].null_count() < table.height]
    return rows(named, table.select(named).iter_rows(), limit)


def crosstab(table: pl.DataFrame, down: str, across: str) -> Rows:
    """How often the values of one column meet those of another."""
    counted = table.group_by(down, across).len().pivot(across, index=down, values="len").fill_null(0).sort(down)
    return rows((down, *sorted(counted.columns[1:])), counted.select(down, *sorted(counted.columns[1:])).iter_rows())


def cut(text: str, limit: int = CELL) -> str:
    """The text on one line, cut at `limit` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def last_text(messages: Sequence[Message]) -> str:
    """What the last turn says."""
    return messages[-1]["content"] if messages else ""


def funnel(counts: Sequence[Count]) -> Rows:
    """The step's funnel."""
    return rows(("unit", "fate", "reason", "rows"), [(c.unit, c.fate, c.reason, c.count) for c in counts], limit=40)


def pictures(pngs: Mapping[str, bytes]) -> str:
    """PNGs as one Markdown text, which the UI opens with one click."""
    return "\n\n".join(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"
                       for name, png in pngs.items())


def _cell(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, list) and value and isinstance(value[0], dict) and "content" in value[0]:
        return cut(last_text(value))
    return cut(", ".join(map(str, value)) if isinstance(value, list) else str(value))
