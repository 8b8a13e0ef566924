"""Unions of intervals with exact ends: as the points they hold, however they are cut and ordered."""

from fractions import Fraction
from typing import Literal

from feedback.testcases.maths.form import Form

_Edge = tuple[Fraction | float, int]
"""A place on the line and -1, 0, 1 for just before, at, or just after it."""


def same_union(one: Form, other: Form) -> Literal["equal", "different"] | None:
    """The verdict on two unions (or intervals) all of whose ends are numbers or infinite; None for others."""
    mine, yours = _merged(one), _merged(other)
    if mine is None or yours is None:
        return None
    return "equal" if mine == yours else "different"


def _merged(form: Form) -> list[tuple[_Edge, _Edge]] | None:
    """The pieces in order, those that touch made one."""
    pieces = [_piece(part) for part in (form.parts if form.kind == "union" else (form,))]
    merged: list[tuple[_Edge, _Edge]] = []
    for piece in sorted(piece for piece in pieces if piece is not None):
        if merged and piece[0] <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], piece[1]))
        else:
            merged.append(piece)
    return None if None in pieces else merged


def _piece(form: Form) -> tuple[_Edge, _Edge] | None:
    """Where an interval begins and ends: an open low end begins just after it. Also {a} as [a, a]."""
    if form.kind == "set" and len(form.parts) == 1 and (only := _place(form.parts[0])) is not None:
        return (only, 0), (only, 1)
    if form.kind != "seq" or len(form.parts) != 2:
        return None
    low, high = map(_place, form.parts)
    if low is None or high is None or low > high or (low == high and form.ends != "[]"):
        return None
    return (low, 0 if form.ends[0] == "[" else 1), (high, 1 if form.ends[1] == "]" else 0)


def _place(form: Form) -> Fraction | float | None:
    if form.unit or form.label:
        return None
    signs = {"\\infty": float("inf"), "+\\infty": float("inf"), "-\\infty": float("-inf")}
    return form.value if form.kind == "number" else signs.get(form.text)
