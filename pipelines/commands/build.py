"""winnow build: runs a dataset's job on the instance that the UI shows, with progress on the terminal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import rich.markup
from rich.console import Console
from rich.table import Table

from assets.home import Build, Home
from assets.log_misuse import check_day
from assets.publishing import REPORT
from assets.recipe import build_name, build_stages
from pipelines import catalog
from pipelines.commands import ready

_LOST = ("dropped", "failed")
_PLACES = 5
"""Broken records that are told on the terminal."""


def run(name: str, build: str | None, console: Console) -> Build:
    """Build a dataset, or finish a build that was interrupted; gives the build."""
    dataset = catalog.load(name)
    ready.check(dataset)
    place = Home.find().build(dataset.slug, build or build_name(dataset))
    if dataset.messages is not None:
        check_day(place.name)
    place.hold()
    console.print(f"building [bold]{dataset.slug}[/]/{place.name}", highlight=False)
    from pipelines.commands.execute import execute  # not at the top: Dagster takes seconds, and mistakes are told first

    execute(dataset, place, console)
    _tell(place, [stage.name for stage in build_stages(dataset)], console)
    return place


def _tell(place: Build, stages: Sequence[str], console: Console) -> None:
    """What came of it: the funnel, the headline, where to look further."""
    shown = Table("step", "unit", "in", "out", "dropped or failed", box=None, header_style="dim")
    for row in _steps(place.funnel(stages), stages):
        shown.add_row(*map(rich.markup.escape, row))
    console.print(shown)
    for line in told_broken(place.broken()):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    told = json.loads((place.path / "audit" / REPORT).read_text())
    events = place.read("feedback_events").height if "feedback_events" in stages else 0
    for line in _headline(told["headline"], events):
        console.print(line, highlight=False)
    if told["judge_accuracy"]:
        console.print(_judges(told["judge_accuracy"]))
    console.print(f"card: {place.folder / 'README.md'}", highlight=False, soft_wrap=True, markup=False)
    console.print("look at it in the Dagster UI: make ui", highlight=False)
    console.print(f"dataset: {place.folder}", highlight=False, soft_wrap=True, markup=False)


def told_broken(places: Sequence[str]) -> list[str]:
    """The first places of records that could not be read, with what is wrong."""
    more = [f"         … and more, in run.json ({len(places)} told)"] if len(places) > _PLACES else []
    return [*(f"broken   {place}" for place in places[:_PLACES]), *more]


def _judges(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What each judge, and their majority, is worth on pairs of which one answer is known to be better."""
    shown = Table("judge", "aspect", "right", "wrong", "undecided", "accuracy", box=None, header_style="dim")
    for row in rows:
        accuracy = "" if row["value"] is None else _interval(row)
        counts = (f"{row[name]:,}" for name in ("right", "wrong", "undecided"))
        shown.add_row(*map(rich.markup.escape, (row["judge"], row["aspect"], *counts, accuracy)))
    return shown


def _steps(funnel: pl.DataFrame, stages: Sequence[str]) -> list[tuple[str, ...]]:
    """The funnel in the order of the build, a unit a row; reasons that nothing had are left out."""
    rows: list[tuple[str, ...]] = []
    for (step, unit), part in sorted(funnel.group_by("step", "unit", maintain_order=True),
                                     key=lambda group: _rank(str(group[0][0]), stages)):
        counts = {(row["fate"], row["reason"]): row["count"] for row in part.iter_rows(named=True)}
        lost = [f"{count:,} {reason}" for (fate, reason), count in counts.items() if count and fate in _LOST]
        rows.append((str(step), str(unit), f"{counts['in', '']:,}", f"{counts['out', '']:,}", ", ".join(lost)))
    return rows


def _rank(step: str, stages: Sequence[str]) -> int:
    name = step.split(",")[0]
    return stages.index(name) if name in stages else len(stages)


def _headline(told: Mapping[str, Any], events: int) -> list[str]:
    voteless = told["outcomes"] or events
    evidence = [f"{told['votes']:,} votes of {told['judges']} judges"] if told["votes"] or not voteless else []
    evidence += [f"{events:,} feedback events"] if events else []
    evidence += [f"{told['outcomes']:,} outcomes of {told['test_cases']:,} test cases"] if told["outcomes"] else []
    lines = [f"{told['kept']:,} of {told['pairs']:,} pairs kept, from {' and '.join(evidence)}"]
    for name, title in (("krippendorff_nominal", "agreement (Krippendorff's alpha)"),
                        ("label_accuracy", "label accuracy against the truth"),
                        ("both_fail", "pairs whose answers both fail"), ("inverted", "pairs that are inverted")):
        if told[name]["value"] is not None:
            lines.append(f"{title}: {_interval(told[name])}")
    return lines


def _interval(told: Mapping[str, Any]) -> str:
    """A figure with its interval, where there is one."""
    return str(told["value"]) if told["low"] is None else f"{told['value']} [{told['low']} to {told['high']}]"
