"""The figures of a build that its card shows, beside what the exported tables themselves say."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

Scalar = str | int | float | bool | None
Row = Mapping[str, Scalar]
Figures = Sequence[Row] | Mapping[str, "Scalar | Figures"]
"""Rows of a table, a mapping from titles to such rows, or a nested mapping from what is measured to its number."""


class Facts(TypedDict, total=False):
    """Every key is optional; the card leaves out the section of a missing one.

    A null about a model, a judge or the cost is shown as unknown; one among measurements was not measured.
    """

    about: str
    """What the dataset is, in plain words."""
    models: Sequence[Row]
    """Who answered: `model`, `revision`, `licence`; anything else is shown too."""
    judges: Sequence[Row]
    """Who judged: `judge`, `model`, `revision`, `licence`; anything else is shown too."""
    method: Figures
    """How it was made: order policy, aggregation, pair policy, filters, seed."""
    funnel: Figures
    """What went into each step and what became of it."""
    agreement: Figures
    """How far the judges agree, with intervals."""
    tie_rate: float | None
    """Share of the judges' outcomes that are ties, once the orders in which a pair was shown are combined."""
    bias: Figures
    """Position, length and self-preference bias of each judge."""
    tests: Figures
    """What the test cases are, what came of them, and how right they are where that is known."""
    feedback: Figures
    """Who gave what feedback, how it was found, and what it made."""
    wins: Figures
    """How often each model wins."""
    truth: Figures
    """Label accuracy, where the truth is planted or checked."""
    cost: Figures
    """Requests, tokens and money; null where the price is unknown."""
    limits: Sequence[str]
    """Known limits, one sentence each."""
