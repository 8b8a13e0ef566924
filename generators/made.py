"""What every operator returns: a table, and the funnel rows that account for each of its units."""

from dataclasses import dataclass

import polars as pl

from schemas.funnel import Count


@dataclass(frozen=True, slots=True)
class Made:
    """The table an operator made and what became of everything that went in."""

    table: pl.DataFrame
    counts: list[Count]
    """Made by schemas.funnel.count, which raises when in is not out + dropped + failed."""
