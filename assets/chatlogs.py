"""Stages of chat logs: messages and the signals in them, feedback events, and the answers these speak of."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from assets import cascade, log_pieces
from assets import chatlog_views as views
from assets.asked import Asked
from assets.chatlog_checks import EVENT_CHECKS, EVENT_PAIR_CHECKS, check_event_pairs, check_events
from assets.dataset import PreferenceDataset
from assets.home import BETWEEN, BROKEN
from assets.log_misuse import check_day
from assets.memory import give_back
from assets.stage import Means, Output, Stage, Tables
from assets.views import dropped
from assets.views import pairs as pair_view
from assets.views import prompts as prompt_view
from assets.views import responses as response_view
from assets.views import unpaired as label_view
from feedback.chatlogs.answers import Logged
from feedback.chatlogs.cues import Cues
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.imports import day_of
from feedback.chatlogs.logs import ChatLogs
from filters.rule import ResponseRule, apply_unpaired
from generators.made import Made
from preferences.by_events import PairByEvents
from preferences.unpaired_by_events import UnpairedByEvents
from schemas import (
    CHAT_MESSAGES,
    DROPPED,
    FEEDBACK_EVENTS,
    MEASUREMENTS,
    PREFERENCES,
    PROMPTS,
    RESPONSES,
    SIGNALS,
    UNPAIRED,
)
from schemas.funnel import told_as
from schemas.turn_cues import TURN_CUES

_READ = ("prompts", "responses", "messages", "feedback_events")
"""What labels by events are made from."""
BROKEN_TOLD = 20
"""Broken records whose places run.json tells."""


def messages(logs: ChatLogs) -> Stage:
    """The stage that reads the logs; no model is called, and what it writes is scrubbed."""

    def make(means: Means, _: Tables) -> Output:
        check_day(means.build)
        read = logs.read(means.home, means.today, day_of(means.build))
        told = {BROKEN: BETWEEN.join(read.told[:BROKEN_TOLD])} if read.told else {}
        return Output(tables=Asked({"messages": lambda: read.messages, "signals": lambda: read.signals}),
                      pieces={"messages": read.pieces()}, counts=read.counts, spent=told)

    return Stage(name="messages", meaning=CHAT_MESSAGES.meaning,
                 writes={"messages": CHAT_MESSAGES, "signals": SIGNALS}, needs=(),
                 narrow={"messages": log_pieces.shown}, make=make,
                 show={"messages": views.messages, "signals": views.signals})


def turn_cues(cues: Cues) -> Stage:
    """The stage that looks for cues; it takes no threshold, so that those of a recipe can change for nothing."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("turn_cues", cues.measure(tables["messages"]))

    return Stage(name="turn_cues", meaning=TURN_CUES.meaning, writes={"turn_cues": TURN_CUES}, needs=("messages",),
                 narrow={"messages": log_pieces.users_words}, make=make, show={"turn_cues": views.turn_cues})


def feedback_events(dataset: PreferenceDataset) -> Stage:
    """The stage that puts together what the logs hold and what is found in users' words, and holds."""
    audited = any(isinstance(part, Detect) for part in dataset.tellers)
    alone = [part for part in dataset.tellers if isinstance(part, Cues)] if len(dataset.tellers) == 1 else []

    def make(means: Means, tables: Tables) -> Output:
        events, counts = cascade.checked(dataset, tables, means.engines)
        more = {cascade.RECALL: cascade.missed(dataset, tables, events, means.engines)} if audited else {}
        return Output(tables={"feedback_events": events, **more}, counts=counts)

    writes = {"feedback_events": FEEDBACK_EVENTS, **({cascade.RECALL: MEASUREMENTS} if audited else {})}
    return Stage(name="feedback_events", meaning=FEEDBACK_EVENTS.meaning, writes=writes,
                 needs=("messages", "signals", *cascade.read_tables(dataset)),
                 narrow={"messages": log_pieces.cued_words(alone[0])} if alone else {}, make=make,
                 show={"feedback_events": views.events, **({cascade.RECALL: views.recall} if audited else {})},
                 checks=EVENT_CHECKS, check=check_events)


def prompts(answers: Logged) -> Stage:
    """The stage that finds what was asked before the answers that events speak of."""
    return Stage(name="prompts", meaning=PROMPTS.meaning, writes={"prompts": PROMPTS},
                 needs=("messages", "feedback_events"), narrow={"messages": log_pieces.spoken_words},
                 make=_made("prompts", answers.prompts),
                 show={"prompts": prompt_view})


def responses(answers: Logged) -> Stage:
    """The stage that finds the answers that events speak of."""
    return Stage(name="responses", meaning=RESPONSES.meaning, writes={"responses": RESPONSES},
                 needs=("prompts", "messages", "feedback_events"), narrow={"messages": log_pieces.spoken_words},
                 make=_made("responses", answers.responses),
                 show={"responses": response_view})


def preferences(operator: PairByEvents) -> Stage:
    """The stage that pairs the answers by what users did and said."""

    def make(_: Means, tables: Tables) -> Output:
        known = set(tables["responses"]["response_id"])  # alone: texts of answers and messages are never held together
        claims = operator.claims(known, tables["messages"], tables["feedback_events"])
        made, measured = operator.paired(tables["prompts"], tables["responses"], tables["feedback_events"], claims)
        give_back()
        return Output(tables={"preferences": made.table, "measurements": measured}, counts=made.counts)

    return Stage(name="preferences", meaning="candidate pairs, before the filters",
                 writes={"preferences": PREFERENCES, "measurements": MEASUREMENTS},
                 needs=_READ, narrow={"messages": log_pieces.spoken_words}, make=make,
                 show={"preferences": _pairs}, checks=EVENT_PAIR_CHECKS,
                 check=check_event_pairs)


def unpaired(dataset: PreferenceDataset, operator: UnpairedByEvents) -> Stage:
    """The stage that labels single answers by what users did and said, and filters them."""
    rules = [rule for rule in dataset.kept if isinstance(rule, ResponseRule)]

    def make(_: Means, tables: Tables) -> Output:
        known = set(tables["responses"]["response_id"])  # as above
        said, lost = operator.said(known, tables["messages"], tables["feedback_events"])
        made = operator.labelled(tables["prompts"], tables["responses"], said, lost)
        give_back()
        result = apply_unpaired(rules, made.table, tables["responses"])
        give_back()
        return Output(tables={"unpaired": result.kept, "unpaired_dropped": result.dropped},
                      counts=[*made.counts, *told_as("unpaired, filtered", result.counts)])

    return Stage(name="unpaired", meaning=UNPAIRED.meaning, writes={"unpaired": UNPAIRED, "unpaired_dropped": DROPPED},
                 needs=_READ, narrow={"messages": log_pieces.spoken_words}, make=make,
                 show={"unpaired": _labels, "unpaired_dropped": dropped("unpaired_dropped")})


def prompts_of(dataset: PreferenceDataset, home: Path) -> tuple[Made, list[str]]:
    """The prompts of a dataset, and the places of records that could not be read.

    Of one from chat logs they are those that a build of everything would have if no model were asked.
    """
    if not (dataset.messages and isinstance(dataset.prompts, Logged)):
        return dataset.prompts(), []
    read = dataset.messages.read(home, datetime.now(UTC).date())
    tables = {"messages": read.messages, "signals": read.signals}
    if cues := cascade.cues_of(dataset):
        tables["turn_cues"] = cues.measure(read.messages).table
    made = dataset.prompts.prompts(read.messages, cascade.found(dataset, tables, {})[0])
    return Made(made.table, [*read.counts, *made.counts]), read.told


def _labels(tables: Tables) -> dict[str, object]:
    """The labels, by model, and what good and bad answers look like."""
    return {**label_view(tables), **views.labels(tables)}


def _pairs(tables: Tables) -> dict[str, object]:
    """The pairs, by rule, with what the users said."""
    return {**pair_view("preferences")(tables), **views.pairs(tables)}


def _made(name: str, operator: Callable[[pl.DataFrame, pl.DataFrame], Made]
          ) -> Callable[[Means, Tables], Output]:
    def make(_: Means, tables: Tables) -> Output:
        return Output.of(name, operator(tables["messages"], tables["feedback_events"]))

    return make
