"""What a build from chat logs asks, for an estimate; of replies that are not there yet the least or the most it can be.

Stored replies are read as the build reads them. For the others stand in replies in which nothing is found, or in which
every turn does everything, every label holds and every complaint and edit holds a wish.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from assets import again, cascade
from assets.dataset import PreferenceDataset
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.answers import Logged
from feedback.chatlogs.asking import CUT, between
from feedback.chatlogs.detect import FEEDBACK, Detect
from feedback.chatlogs.validate import Validate
from feedback.chatlogs.wholes import read_numbered
from generators.ask import Ask
from generators.engines import Engine
from generators.store import ReplyStore
from pipelines.commands import expected
from pipelines.commands.expected import Reads, StandIn

_POLARITY = {"positive": "positive", "revision_request": "neutral"}
_QUOTED = 400


@dataclass(slots=True, kw_only=True)
class Forecast:
    """What is asked, table by table, and what comes of it."""

    dataset: PreferenceDataset
    engines: Mapping[str, Engine]
    store: ReplyStore
    most: bool
    """Whether replies that are not there yet are taken to lead to the most calls, or to the least."""
    tables: dict[str, pl.DataFrame]
    plans: dict[str, Iterable[Ask]] = field(default_factory=dict)
    """What is asked for each table of replies, in their order."""

    def cascade(self) -> None:
        """What is asked about users' words, and the events that hold."""
        said, tellers = self.tables["messages"], self.dataset.tellers
        for part in (part for part in tellers if isinstance(part, Detect)):
            plan = part.plan(said, self.tables["turn_cues"], self.engines)
            self._ask(cascade.FOUND, plan, part.parse, partial(everything, part.whole))
        for checker in (part for part in tellers if isinstance(part, Validate)):
            found, _ = cascade.found(self.dataset, self.tables, self.engines)
            self._ask(cascade.CHECKED, checker.plan(said, found, self.engines), checker.parse, _upheld)
        self.tables["feedback_events"], _ = cascade.checked(self.dataset, self.tables, self.engines)

    def again(self, part: LoggedAgain) -> None:
        """What is asked for wishes and for answers given again; prompts and responses with them."""
        said = self.tables["messages"], self.tables["feedback_events"]
        for name, reader in part.again.readers.items():
            self._ask(again.READ[name], reader.plan(*said, self.engines), reader.parse, _wish)
        replies = {name: self.tables[again.READ[name]] for name in part.again.readers}
        wishes = part.again.criteria(*said, replies, self.engines).table
        self._ask(again.ASKED, part.again.plan(*said, wishes, self.engines), part.again.parse, expected.long_text)
        self.tables["prompts"] = part.prompts(*said, wishes).table
        new = part.again.responses(*said, wishes, self.tables[again.ASKED], self.engines).table
        self.tables["responses"] = pl.concat([part.logged.responses(*said).table, new])

    def _ask(self, name: str, plan: Iterable[Ask], parse: Reads, stand_in: StandIn) -> None:
        self.plans[name] = plan
        self.tables[name] = expected.completions(plan, parse, stand_in if self.most else _nothing, self.engines,
                                                 self.store, self.dataset.reasks)


def read(dataset: PreferenceDataset, home: Path) -> dict[str, pl.DataFrame]:
    """The tables that are made of the logs without a model."""
    if dataset.messages is None:
        return {}
    made = dataset.messages.read(home, datetime.now(UTC).date())
    cues = cascade.cues_of(dataset)
    return {"messages": made.messages, "signals": made.signals,
            **({"turn_cues": cues.measure(made.messages).table} if cues else {})}


def forecast(dataset: PreferenceDataset, tables: Mapping[str, pl.DataFrame], engines: Mapping[str, Engine],
             store: ReplyStore, most: bool) -> Forecast:
    """What is asked up to the responses of a recipe from logs, with the least or the most that is to come."""
    found = Forecast(dataset=dataset, engines=engines, store=store, most=most, tables=dict(tables))
    found.cascade()
    said = found.tables["messages"], found.tables["feedback_events"]
    if isinstance(dataset.responses, LoggedAgain):
        found.again(dataset.responses)
    elif isinstance(dataset.prompts, Logged):
        found.tables["prompts"] = dataset.prompts.prompts(*said).table
        if isinstance(dataset.responses, Logged):
            found.tables["responses"] = dataset.responses.responses(*said).table
    return found


def _nothing(ask: Ask, engine: Engine) -> None:
    """No reply: nothing is found, nothing holds, and nothing more is asked."""


def everything(whole: bool, ask: Ask, engine: Engine) -> str:
    """A reply that sees in every turn shown every act that is checked."""
    said = ask.messages[-1]["content"]
    turns = read_numbered(said).turns if whole else {0: between("turn", said) or ""}
    return json.dumps({"events": [
        {**({"turn": number} if whole else {}), "act": act, "polarity": _POLARITY.get(act, "negative"), "reasons": [],
         "quote": max(text.split(CUT), key=len).strip()[:_QUOTED], "ordinal": 3, "standing_directive": False,
         "confidence": 1} for number, text in turns.items() for act in FEEDBACK]})


def _upheld(ask: Ask, engine: Engine) -> str:
    """A verdict under which any label holds."""
    return json.dumps({"reason": "", "about_the_answer": True, "label_holds": True, "justified": "unclear",
                       "refusal": "none", "beyond_reach": False, "toxic": False, "context_missing": False})


def _wish(ask: Ask, engine: Engine) -> str:
    """A wish at the length limit."""
    return json.dumps({"wishes": [expected.long_text(ask, engine).strip()]})
