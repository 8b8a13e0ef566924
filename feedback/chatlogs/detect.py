"""DETECT: a model says what a user's turn does, of the turns that cues flag and of an audit sample of the others.

The label set is that of Petrak et al. (2023) and its heirs, with the reasons of SPUR and the ordinal of WildReward. A
question shows one turn between what came before and after, cut to size: the rules stand first, so that a server's
prefix cache serves all turns. Extractors are only moderately right (28 to 49 percent of fine acts on real logs): what
they find is a weak label until it is validated.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from feedback.chatlogs.asking import Heard, Question, Questions, between, filled, shown, template_text
from feedback.chatlogs.cues import Cues, cues
from feedback.chatlogs.extracts import Extract, Shown, read_extracts, schema
from feedback.chatlogs.turns import texts
from feedback.chatlogs.wholes import read_numbered, wholes
from feedback.jury.parse import why_not
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.feedback_events import FEEDBACK_EVENTS, event_id
from schemas.funnel import count
from schemas.ids import digest, draw

Turns = Literal["flagged", "all"]
CUTS = {"before": (400, 200), "answer": (1000, 500), "turn": (1400, 600), "after": (300, 0)}
"""First and last characters that are shown of each part."""
FLAGGED, AUDIT, BESIDE = "flagged", "audit", "beside"
"""Why a turn was asked about: a cue spoke, the audit drew it, or another turn of its conversation was asked about."""
FEEDBACK = ("correction", "rejection", "clarification", "repeat_rephrase", "positive", "revision_request")
"""Acts that say something of the answer; to go on or to turn to something else says nothing."""
_IMPLICIT = ("repeat_rephrase", "continue", "topic_switch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """Asks a model what turns do; made by `detect`."""

    engine: str
    turns: Turns
    audit: float
    whole: bool
    seed: int
    flags: Cues

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    @property
    def version(self) -> str:
        """The digest of what turns are found with: the prompt, the schema, the cuts."""
        return digest("detect", self._template, template_text(self._template), schema(self.whole),
                      {name: list(cut) for name, cut in CUTS.items()})

    def strata(self, turn_cues: pl.DataFrame) -> pl.DataFrame:
        """The turns with `stratum`: flagged, audit (drawn among the others), or null where nothing is asked."""
        flagged = turn_cues if self.turns == "all" else self.flags.flagged(turn_cues)
        drawn = [draw(self.seed, "audit", name) < self.audit for name in turn_cues["evidence_msg_id"]]
        spoken = pl.col("evidence_msg_id").is_in(flagged["evidence_msg_id"].implode())
        return turn_cues.with_columns(
            pl.when(spoken).then(pl.lit(FLAGGED)).when(pl.Series(drawn, dtype=pl.Boolean)).then(pl.lit(AUDIT))
            .alias("stratum"))

    def plan(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """The requests to send; iterate it, as often as wanted."""
        engine = engine_named(engines, self.engine, "detect")
        asked = self.strata(turn_cues).drop_nulls("stratum").sort("evidence_msg_id")
        if self.whole:
            conversations = wholes(messages, asked["conv_id"].unique())
            made = [Question(subject=one.conv_id, conv_id=one.conv_id, text=filled(
                self._template, conversation=one.said)) for one in conversations]
            return Questions(drawn=lambda: iter(made), engine=engine, schema=schema(True))
        turns = texts(asked, messages, "previous", "target", "evidence", "next")
        return Questions(drawn=lambda: _windows(turns), engine=engine, schema=schema(False))

    def parse(self, text: str, ask: Ask) -> str | None:
        """None where the reply says what the turn does, else why not."""
        said = ask.messages[-1]["content"]
        return why_not(lambda: read_extracts(text, self._shown(said)))

    def read(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, completions: pl.DataFrame,
             engines: Mapping[str, Engine]) -> pl.DataFrame:
        """Every turn asked about, sorted: evidence_msg_id, stratum, `reason` (empty where its reply was read)."""
        asked = self.plan(messages, turn_cues, engines).heard(completions, self.parse)
        reasons = {heard.question.subject: heard.failure for heard in asked}
        return self._asked(messages, turn_cues).with_columns(
            reason=pl.col("subject").replace_strict(reasons, default=_OFF, return_dtype=pl.String)).select(
            "evidence_msg_id", "stratum", "reason").sort("evidence_msg_id")

    def events(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, completions: pl.DataFrame,
               engines: Mapping[str, Engine]) -> Made:
        """FEEDBACK_EVENTS, one for each act of a turn; the detector is the engine's name.

        Counts: user turns (dropped: not asked about; failed: invalid, no reply, missing), and acts found (dropped:
        those told twice of one turn). A turn in which nothing was found is out, and makes no event.
        """
        asked = self._asked(messages, turn_cues)
        named = {(row["subject"], row["number"]): row for row in asked.to_dicts()}
        context = {row["msg_id"]: row for row in messages.filter(pl.col("msg_id").is_in(
            asked["evidence_msg_id"].implode())).select(_CONTEXT).to_dicts()}
        rows: dict[str, dict[str, Any]] = {}
        lost, failed = Counter[str](), Counter(self.read(messages, turn_cues, completions, engines)["reason"])
        for heard in self.plan(messages, turn_cues, engines).heard(completions, self.parse):
            for found in self._found(heard):
                turn = named.get((heard.question.subject, found.turn))
                row = None if turn is None else self._row(found, turn, context[turn["evidence_msg_id"]], heard)
                if row is None:
                    lost["of a turn that is no candidate"] += 1
                elif row["event_id"] in rows:
                    lost["told twice"] += 1
                else:
                    rows[row["event_id"]] = row
        table = pl.DataFrame(pl.from_arrow(FEEDBACK_EVENTS.rows(rows.values()))).sort("event_id")
        left = Counter({"not asked about": turn_cues.height - asked.height})
        return Made(table, [
            *count("feedback_events", "user turns", turn_cues.height, out=failed.pop("", 0), dropped=+left,
                   failed=failed),
            *count("feedback_events", "acts", len(rows) + lost.total(), out=len(rows), dropped=lost)])

    def calls(self, n_turns: int, n_flagged: int, reasks: int = 2) -> tuple[int, int]:
        """Requests for that many turns, of which so many are flagged: without re-asks, and if all are re-asked."""
        low = n_turns if self.turns == "all" else n_flagged + round(self.audit * (n_turns - n_flagged))
        return low, low * (1 + reasks)

    @property
    def _template(self) -> str:
        return "detect_whole" if self.whole else "detect"

    def _asked(self, messages: pl.DataFrame, turn_cues: pl.DataFrame) -> pl.DataFrame:
        """The turns asked about with `subject` and `number` of the question that shows each."""
        strata = self.strata(turn_cues)
        asked = strata.drop_nulls("stratum")
        if not self.whole:
            return asked.with_columns(subject="evidence_msg_id", number=pl.lit(0))
        numbers = {name: number for one in wholes(messages, asked["conv_id"].unique())
                   for number, name in one.turns.items()}
        whole = strata.filter(pl.col("conv_id").is_in(asked["conv_id"].implode()))
        placed = whole.with_columns(
            pl.col("stratum").fill_null(BESIDE),
            number=pl.col("evidence_msg_id").replace_strict(numbers, default=None, return_dtype=pl.Int64))
        return placed.with_columns(subject=pl.when(pl.col("number").is_not_null()).then("conv_id"))

    def _shown(self, said: str) -> Shown:
        if self.whole:
            return read_numbered(said)
        parts = {name: between(name, said) or "" for name in ("before", "answer", "turn", "after")}
        turn = parts.pop("turn")
        return Shown({0: turn}, "\n".join(parts.values()), False)

    def _found(self, heard: Heard) -> list[Extract]:
        return [] if heard.reason else read_extracts(heard.text, self._shown(heard.question.text))

    def _row(self, found: Extract, turn: Mapping[str, Any], context: Mapping[str, Any],
             heard: Heard) -> dict[str, Any]:
        ids = {name: turn[name] for name in ("conv_id", "target_msg_id", "evidence_msg_id")}
        return {
            **ids, "event_id": event_id(*ids.values(), "follow_up", self.engine, found.act), "compared": [],
            "kind": "follow_up", "labels": [], "quote": found.quote, "polarity": found.polarity, "act": found.act,
            "reasons": list(found.reasons), "ordinal": found.ordinal, "confidence": found.confidence,
            "explicitness": "text_implicit" if found.act in _IMPLICIT else "text_explicit",
            "standing_directive": found.standing_directive, "detector": self.engine, "detector_version": self.version,
            "request_id": heard.request_id, "sample": 0, "attempt": heard.attempt, "actor_kind": "human",
            "actor_hash": context["user_hash"],
            **{name: context[name] for name in ("created_at", "source_format", "place")},
        }


_OFF = "not shown in its conversation"
_CONTEXT = ("msg_id", "user_hash", "created_at", "source_format", "place")


def detect(engine: str, turns: Turns = "flagged", audit: float = 0.03, whole: bool = False, seed: int = 0,
           flags: Cues | None = None) -> Detect:
    """One engine labels the turns that `flags` (cues) flag, and a share `audit` of the others, drawn by a hash.

    `turns="all"` asks about every turn. `whole` asks one question a conversation, which labels all its turns on the
    main path: fewer questions, about four times as many tokens. Raises ConfigError on what cannot be.
    """
    if not engine.strip():
        raise ConfigError("detect: engine is empty; write the name of an engine of the engines file")
    if turns not in ("flagged", "all"):
        raise ConfigError(f"detect: turns={turns!r} must be 'flagged' or 'all'")
    if not 0 <= audit <= 1:
        raise ConfigError(f"detect: audit={audit!r} is no share; write a number from 0 to 1, for example 0.03")
    return Detect(engine=engine, turns=turns, audit=audit, whole=whole, seed=seed, flags=flags or cues())


def _windows(turns: pl.DataFrame) -> Iterator[Question]:
    names = {"before": "previous", "answer": "target", "turn": "evidence", "after": "next"}
    for row in turns.iter_rows(named=True):
        parts = {slot: shown(row[name], *CUTS[slot]) for slot, name in names.items()}
        yield Question(subject=row["evidence_msg_id"], conv_id=row["conv_id"], text=filled("detect", **parts))
