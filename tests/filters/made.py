"""Pairs whose texts the test chooses, with the responses they name."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from preferences.pair import pair
from tests.preferences.small import Answer, world


def pairs(*sides: tuple[str | Mapping[str, Any], str | Mapping[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """preferences and responses: one prompt p0, p1, ... for each (chosen, rejected), texts or parts of a response."""
    answers: dict[str, list[Answer]] = {}
    for number, (chosen, rejected) in enumerate(sides):
        better, worse = ({"text": side} if isinstance(side, str) else dict(side) for side in (chosen, rejected))
        answers[f"p{number}"] = [{"name": "c", "score": 2.0, **better}, {"name": "r", "score": 1.0, **worse}]
    prompts, responses, rankings = world(answers)
    return pair("all")(prompts, responses, rankings).table, responses


def reasons(dropped: pl.DataFrame) -> dict[str, str]:
    """The reason of each dropped pair by its prompt."""
    return dict(dropped.select("prompt_id", "reason").iter_rows())
