"""The funnel table: what went into each step, what came out, and what became of the rest."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import SchemaError
from schemas.table import Column, Rule, Table

FATES = ("in", "out", "dropped", "failed")

FUNNEL = Table(
    name="funnel",
    version=1,
    meaning="how many of a step's units met one fate",
    columns=(
        Column("step", pa.string(), "the step, named after the table it makes"),
        Column("unit", pa.string(), "what is counted: prompts, requests, votes, pairs"),
        Column("fate", pa.string(), "in = out + dropped + failed", values=FATES),
        Column("reason", pa.string(), "why dropped or failed; empty otherwise"),
        Column("count", pa.int64(), "how many"),
    ),
    key=("step", "unit", "fate", "reason"),
    rules=(Rule("count is not negative", lambda t: pc.greater_equal(t["count"], 0)),),
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a step's units met one fate."""

    step: str
    unit: str
    fate: str
    reason: str
    count: int


def count(step: str, unit: str, total: int, *, out: int, dropped: Counter[str] | None = None,
          failed: Counter[str] | None = None) -> list[Count]:
    """The funnel rows of one step; an unbalanced sum is a SchemaError, so that no row is ever lost silently."""
    rows = [Count(step, unit, "in", "", total), Count(step, unit, "out", "", out)]
    rows += [Count(step, unit, "dropped", reason, n) for reason, n in sorted((dropped or Counter()).items())]
    rows += [Count(step, unit, "failed", reason, n) for reason, n in sorted((failed or Counter()).items())]
    check_balance(rows)
    return rows


def check_balance(rows: Iterable[Count]) -> None:
    """Raise a SchemaError that names the step where in is not out + dropped + failed."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        sums[row.step, row.unit] += row.count if row.fate == "in" else -row.count
    for (step, unit), left in sums.items():
        if left:
            raise SchemaError(f"funnel: step {step} does not account for {left} of its {unit}")


def summed(rows: Iterable[Count]) -> list[Count]:
    """One row for each step, unit, fate and reason, where several parts of a step count the same."""
    sums: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows:
        sums[row.step, row.unit, row.fate, row.reason] += row.count
    return [Count(*key, number) for key, number in sorted(sums.items())]


def told_as(step: str, rows: Iterable[Count]) -> list[Count]:
    """The rows under another step's name, where a step does inside what is elsewhere a step of its own."""
    return [Count(step, row.unit, row.fate, row.reason, row.count) for row in rows]


def funnel_table(rows: Iterable[Count]) -> pa.Table:
    """The rows as a table, sorted by step, unit and fate."""
    return FUNNEL.rows(asdict(row) for row in rows)
