"""Stages of the cascade: a model says what turns do, another checks it, an audit estimates what is missed."""

from collections import Counter
from collections.abc import Mapping
from functools import partial

import polars as pl

from assets.dataset import PreferenceDataset
from assets.generation import asked, snapshot
from assets.stage import Means, Output, Stage, Tables
from assets.views import replies
from feedback.chatlogs.cues import Cues
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.hindsight import Hindsight
from feedback.chatlogs.recall import recall
from feedback.chatlogs.validate import Validate
from generators.engines import Engine
from generators.turns import Errand
from schemas import COMPLETIONS, MEASUREMENTS
from schemas.funnel import Count, count

FOUND, CHECKED = "detect_completions", "validate_completions"
RECALL = "recall"


def cues_of(dataset: PreferenceDataset) -> Cues | None:
    """The cues that turns are measured with; None where nobody reads them."""
    parts = [part.flags if isinstance(part, Detect) else part for part in dataset.tellers]
    return next((part for part in parts if isinstance(part, Cues)), None)


def asking(dataset: PreferenceDataset) -> list[Stage]:
    """The stages that ask models about users' words; none where no model reads them."""
    detectors = [part for part in dataset.tellers if isinstance(part, Detect)]
    validators = [part for part in dataset.tellers if isinstance(part, Validate)]
    return [*(_detected(dataset, part) for part in detectors), *(_validated(dataset, part) for part in validators)]


def read_tables(dataset: PreferenceDataset) -> tuple[str, ...]:
    """The tables that events are read from, besides messages and signals."""
    cued = ("turn_cues",) if cues_of(dataset) else ()
    return (*cued, *(name for stage in asking(dataset) for name in stage.writes))


def found(dataset: PreferenceDataset, tables: Tables,
          engines: Mapping[str, Engine]) -> tuple[pl.DataFrame, list[Count]]:
    """The signals, and what cues or a model find in users' words, before anything is checked.

    Of several events with one id the first stands: the log's own, then those of the recipe's parts in their order.
    """
    messages, signals = tables["messages"], tables["signals"]
    parts, counts = [signals], count("feedback_events", "signals", signals.height, out=signals.height)
    for part in dataset.tellers:
        if isinstance(part, Validate | Hindsight) or (isinstance(part, Detect) and FOUND not in tables):
            continue
        if isinstance(part, Cues):
            made = part.events(messages, tables["turn_cues"])
        elif isinstance(part, Detect):
            made = part.events(messages, tables["turn_cues"], tables[FOUND], engines)
        else:
            made = part(messages, signals)
        parts.append(made.table)
        counts += made.counts
    every = pl.concat(parts)
    events = every.unique("event_id", keep="first", maintain_order=True)
    if twice := every.height - events.height:
        counts += count("feedback_events, together", "events", every.height, out=events.height,
                        dropped=Counter({"duplicate": twice}))
    return events.sort("event_id"), counts


def checked(dataset: PreferenceDataset, tables: Tables,
            engines: Mapping[str, Engine]) -> tuple[pl.DataFrame, list[Count]]:
    """The events that hold, and those that neutral turns inherit from them."""
    events, counts = found(dataset, tables, engines)
    for part in dataset.tellers:
        if isinstance(part, Validate) and CHECKED in tables:
            made = part.events(tables["messages"], events, tables[CHECKED], engines)
            events, counts = made.table, [*counts, *made.counts]
    for part in dataset.tellers:
        if isinstance(part, Hindsight) and FOUND in tables:
            looked = [reader.read(tables["messages"], tables["turn_cues"], tables[FOUND], engines)
                      for reader in dataset.tellers if isinstance(reader, Detect)]
            made = part.events(tables["messages"], tables["turn_cues"], events, pl.concat(looked))
            events, counts = pl.concat([events, made.table]).sort("event_id"), [*counts, *made.counts]
    return events, counts


def missed(dataset: PreferenceDataset, tables: Tables, events: pl.DataFrame,
           engines: Mapping[str, Engine]) -> pl.DataFrame:
    """MEASUREMENTS of the cascade: recall of the cues, rate of feedback, calls and tokens, of all turns together."""
    rows: list[dict[str, object]] = []
    for part in dataset.tellers:
        if isinstance(part, Detect):
            read = part.read(tables["messages"], tables["turn_cues"], tables[FOUND], engines)
            paid = [tables[name] for name in (FOUND, CHECKED) if name in tables]
            told = recall(read, tables["turn_cues"], events, paid)
            values: dict[str, float | None] = {
                "turns": told.turns, "flagged": told.flagged, "audited": told.audited, "calls": told.calls,
                "calls of all turns": told.calls_of_all, "times fewer calls": told.fewer_calls, "tokens": told.tokens,
                "tokens of all turns": told.tokens_of_all}
            for name, estimate in (("recall", told.recall), ("rate of feedback", told.rate)):
                values |= dict(zip((name, f"{name}, low", f"{name}, high"), estimate or (), strict=False))
            rows += [{"subject_id": "cascade", "name": name, "value": float(value), "source": part.engine}
                     for name, value in values.items() if value is not None]
    return pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(sorted(rows, key=lambda row: str(row["name"])))))


def _detected(dataset: PreferenceDataset, part: Detect) -> Stage:
    """The stage that asks what turns do."""

    def make(means: Means, tables: Tables) -> Output:
        errand = Errand(plan=partial(part.plan, tables["messages"], tables["turn_cues"]), parse=part.parse)
        return snapshot(FOUND, asked(dataset, means, [errand], part.engines))

    return Stage(name=FOUND, meaning="the raw replies of the model that says what users' turns do",
                 writes={FOUND: COMPLETIONS}, needs=("messages", "turn_cues"), make=make, show={FOUND: replies(FOUND)},
                 engines=frozenset(part.engines))


def _validated(dataset: PreferenceDataset, part: Validate) -> Stage:
    """The stage that asks another model whether what was found holds."""
    before = tuple(name for name in (FOUND,) if any(isinstance(one, Detect) for one in dataset.tellers))

    def make(means: Means, tables: Tables) -> Output:
        events, _ = found(dataset, tables, means.engines)
        errand = Errand(plan=partial(part.plan, tables["messages"], events), parse=part.parse)
        return snapshot(CHECKED, asked(dataset, means, [errand], part.engines))

    return Stage(name=CHECKED, meaning="the raw replies of the model that checks what was found",
                 writes={CHECKED: COMPLETIONS}, needs=("messages", "signals", "turn_cues", *before), make=make,
                 show={CHECKED: replies(CHECKED)}, engines=frozenset(part.engines))
