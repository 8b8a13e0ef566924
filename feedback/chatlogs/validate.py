"""VALIDATE: a second, stronger model checks what the first one found, and only what checks is kept.

Extraction followed by validation keeps about half of the events at far better precision (in logs of coding agents: 54
percent kept, precision .93). The gates: the turn must be about the answer before it; the label must hold; a complaint
must be justified (users are wrong too, and to give in to them teaches to give in); to refuse what would do harm is no
fault; what no text-writing assistant can do is no fault either; applause for harm is no praise.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.asking import Heard, Question, Questions, filled, flag, json_object, one_of, shown
from feedback.chatlogs.detect import CUTS, FEEDBACK
from feedback.chatlogs.turns import candidates, texts
from feedback.jury.parse import Unparsable, why_not
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.feedback_events import VERDICTS
from schemas.funnel import count

REFUSALS = ("none", "harmful", "benign")
_FLAGS = ("about_the_answer", "label_holds", "beyond_reach", "toxic", "context_missing")
_KEYS = ("reason", "justified", "refusal", *_FLAGS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validator says of an event."""

    about_the_answer: bool
    label_holds: bool
    justified: str
    refusal: str
    beyond_reach: bool
    toxic: bool
    context_missing: bool

    def against(self, polarity: str | None) -> str:
        """Why an event of this polarity is dropped; empty where it is kept."""
        negative, positive = polarity == "negative", polarity == "positive"
        gates = (
            (not self.about_the_answer, "not about the answer before it"),
            (not self.label_holds, "the label does not hold"),
            (self.context_missing, "context is missing"),
            (negative and self.refusal == "harmful", "a refusal of harm is no fault"),
            (negative and self.beyond_reach, "beyond what the assistant can do"),
            (negative and self.justified == "no", "not justified"),
            (positive and self.toxic, "applause for harm"),
        )
        return next((reason for fails, reason in gates if fails), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Asks a model whether events hold; made by `validate`."""

    engine: str

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, messages: pl.DataFrame, events: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: one for each event that a model or a cue found in a turn and that says something.

        Raises ConfigError where the engine found the events itself: nobody checks their own work.
        """
        engine = engine_named(engines, self.engine, "validate")
        asked = to_check(events)
        self._check_apart(asked, engine, engines)
        before = candidates(messages).table.select("evidence_msg_id", "previous_msg_id")
        told = texts(asked.select("event_id", *_ASKED).join(before, on="evidence_msg_id", how="left").sort("event_id"),
                     messages, "previous", "target", "evidence")
        return Questions(drawn=lambda: _questions(told), engine=engine, schema=SCHEMA)

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply is a verdict, else why not."""
        return why_not(lambda: read_verdict(text))

    def verdicts(self, messages: pl.DataFrame, events: pl.DataFrame, completions: pl.DataFrame,
                 engines: Mapping[str, Engine]) -> pl.DataFrame:
        """Of each event that was to be checked: event_id, `against` (empty: it holds), `justified`, `failure`."""
        polarity = dict(events.select("event_id", "polarity").iter_rows())
        rows = [_verdict(heard, polarity[heard.question.subject])
                for heard in self.plan(messages, events, engines).heard(completions, self.parse)]
        return pl.DataFrame(rows, schema=dict.fromkeys(("event_id", "against", "justified", "failure"), pl.String),
                            orient="row").sort("event_id")

    def events(self, messages: pl.DataFrame, events: pl.DataFrame, completions: pl.DataFrame,
               engines: Mapping[str, Engine]) -> Made:
        """The events that hold, with `justified`; and those that are not for checking, as they were.

        Counts: events that were to be checked (dropped: the gate that stopped them; failed: no verdict came).
        """
        told = self.verdicts(messages, events, completions, engines)
        holding = told.filter(pl.col("against") == "", pl.col("failure") == "")
        checked = pl.col("event_id").is_in(told["event_id"].implode())
        holds = pl.col("event_id").is_in(holding["event_id"].implode())
        kept = events.filter(~checked | holds).update(holding.select("event_id", "justified"), on="event_id").select(
            events.columns).sort("event_id")
        lost = Counter(told.filter(pl.col("against") != "")["against"])
        failed = Counter(told.filter(pl.col("failure") != "")["failure"])
        return Made(kept, count("feedback_events", "checked events", told.height, out=holding.height, dropped=lost,
                                failed=failed))

    def _check_apart(self, asked: pl.DataFrame, engine: Engine, engines: Mapping[str, Engine]) -> None:
        for name in asked["detector"].unique().sort():
            other = engines.get(name)
            same = other is not None and (other.model, other.revision) == (engine.model, engine.revision)
            if name == self.engine or same:
                raise ConfigError(f"validate: engine '{self.engine}' is the model that found the events (detect: "
                                  f"'{name}'); name another, stronger one")


_ASKED = ("conv_id", "target_msg_id", "evidence_msg_id", "act", "polarity", "quote", "detector")
SCHEMA: Mapping[str, Any] = {
    "type": "object", "additionalProperties": False, "required": list(_KEYS), "properties": {
        "reason": {"type": "string"}, "about_the_answer": {"type": "boolean"}, "label_holds": {"type": "boolean"},
        "justified": {"type": "string", "enum": list(VERDICTS)}, "refusal": {"type": "string", "enum": list(REFUSALS)},
        "beyond_reach": {"type": "boolean"}, "toxic": {"type": "boolean"}, "context_missing": {"type": "boolean"}}}
"""JSON schema of a verdict."""


def validate(engine: str) -> Validate:
    """One engine, stronger than the detector's and another model, checks every event found in the users' words.

    Signals of the log itself, and turns that go on or turn to something else, are not checked. Raises ConfigError.
    """
    if not engine.strip():
        raise ConfigError("validate: engine is empty; write the name of an engine of the engines file")
    return Validate(engine=engine)


def to_check(events: pl.DataFrame) -> pl.DataFrame:
    """The events that were found in the users' words and say something of an answer."""
    return events.filter(pl.col("explicitness") != "structural", pl.col("act").is_in(FEEDBACK))


def read_verdict(text: str) -> Verdict:
    """The verdict of a reply; raises Unparsable."""
    told = json_object(text, _KEYS)
    if not isinstance(told["reason"], str):
        raise Unparsable("'reason' is not text")
    return Verdict(justified=one_of(told["justified"], VERDICTS, "justified"),
                   refusal=one_of(told["refusal"], REFUSALS, "refusal"), **{name: flag(told[name], name)
                                                                            for name in _FLAGS})


def _questions(told: pl.DataFrame) -> Iterator[Question]:
    for row in told.iter_rows(named=True):
        label = f"{row['act']} ({row['polarity']})" + (f': "{shown(row["quote"], 400)}"' if row["quote"] else "")
        yield Question(subject=row["event_id"], conv_id=row["conv_id"], text=filled(
            "validate", before=shown(row["previous"], *CUTS["before"]), answer=shown(row["target"], *CUTS["answer"]),
            turn=shown(row["evidence"], *CUTS["turn"]), label=label))


def _verdict(heard: Heard, polarity: str | None) -> tuple[str, str, str | None, str]:
    if heard.reason:
        return heard.question.subject, "", None, heard.failure
    verdict = read_verdict(heard.text)
    return heard.question.subject, verdict.against(polarity), verdict.justified, ""
