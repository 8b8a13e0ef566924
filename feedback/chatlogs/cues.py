"""CUES: what shows in a user's turn without asking a model, and the events that it alone licenses.

Cues find explicit speech acts: "that is wrong", "I meant", "thanks". They do not find quality: an answer that drew no
cue is not a good answer, and cues must never be used to say so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from feedback.chatlogs.classifier import Classifier, load
from feedback.chatlogs.features import ERRORS, code_ratio, pasted_error
from feedback.chatlogs.repeats import similarity
from feedback.chatlogs.turns import candidates, texts
from generators.made import Made
from schemas.errors import ConfigError
from schemas.feedback_events import FEEDBACK_EVENTS, event_id
from schemas.funnel import count
from schemas.ids import digest
from schemas.turn_cues import CUE_FAMILIES, TURN_CUES

HEAD, TAIL = 400, 200
"""Characters of a turn in which cues are looked for: its first and its last. What is between is mostly pasted."""
REPEAT = 0.8
"""The similarity from which a turn repeats the user's turn before."""
PACKS = ("en",)
SEAM = "\0"
"""Stands where the middle of a turn is left out; no cue runs over it."""
ACTS = {"correction": ("correction", "negative", 2), "rejection": ("rejection", "negative", 1),
        "clarification": ("clarification", "negative", None), "repeat": ("repeat_rephrase", "negative", None),
        "revision": ("revision_request", "neutral", 3), "positive": ("positive", "positive", 5)}
"""By cue, in order of priority: act, polarity, ordinal. A new wish is no complaint; a question may be either."""
_DETECTOR = "cues"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cues:
    """Reads cues; made by `cues`."""

    repeat: float
    families: tuple[str, ...]
    learned: Classifier | None = None
    """What flags turns in place of cues."""

    def measure(self, messages: pl.DataFrame) -> Made:
        """TURN_CUES of the messages: a row for each user's turn that follows an answer. Takes no threshold."""
        found = candidates(messages)
        turns = texts(found.table, messages, "evidence", "previous")
        told = measured(turns)
        if self.learned is not None:
            scores = self.learned.scores(told.with_columns(turns["evidence"]))
            told = told.with_columns(scores, cues_version=pl.lit(digest(version(), self.learned.digest)))
        return Made(told, found.counts)

    def flagged(self, turn_cues: pl.DataFrame) -> pl.DataFrame:
        """The turns that a cue of these families, a repeat or a pasted error speaks for; or the learned filter."""
        if self.learned is not None:
            return turn_cues.filter(pl.col("learned") >= self.learned.threshold)
        spoken = [pl.col(family).is_not_null() for family in self.families]
        return turn_cues.filter(pl.any_horizontal(
            *spoken, pl.col("similarity").fill_null(0.0) >= self.repeat, pl.col("pasted_error").is_not_null()))

    def events(self, messages: pl.DataFrame, turn_cues: pl.DataFrame) -> Made:
        """FEEDBACK_EVENTS of the cues alone, at most one a turn, for who asks no model: detector "cues".

        Of several acts the first counts: correction, rejection, clarification, repeat, revision, positive. Counts:
        user turns (dropped: `no cue`; `pasted error only`, which does not say whose error it is).
        """
        told = turn_cues.with_columns(act_of(self.families, self.repeat).alias("cue"))
        lost = Counter({"pasted error only": told.filter(pl.col("cue").is_null()).drop_nulls("pasted_error").height})
        lost["no cue"] = told.filter(pl.col("cue").is_null(), pl.col("pasted_error").is_null()).height
        context = messages.select(evidence_msg_id="msg_id", actor_hash="user_hash", created_at="created_at",
                                  source_format="source_format", place="place")
        kept = told.drop_nulls("cue").join(context, on="evidence_msg_id", how="left").sort("evidence_msg_id")
        rows = (self._row(row) for row in kept.iter_rows(named=True))
        table = pl.DataFrame(pl.from_arrow(FEEDBACK_EVENTS.rows(rows))).sort("event_id")
        return Made(table, count("feedback_events", "user turns", told.height, out=table.height, dropped=+lost))

    def _row(self, row: dict[str, object]) -> dict[str, object]:
        cue = str(row["cue"])
        act, polarity, ordinal = ACTS[cue]
        ids = {name: row[name] for name in ("conv_id", "target_msg_id", "evidence_msg_id")}
        return {
            **ids, "event_id": event_id(*map(str, ids.values()), "follow_up", _DETECTOR, act), "compared": [],
            "kind": "follow_up", "labels": [], "quote": None if cue == "repeat" else row[cue], "polarity": polarity,
            "act": act, "reasons": [], "ordinal": ordinal,
            "explicitness": "text_implicit" if cue == "repeat" else "text_explicit", "standing_directive": False,
            "detector": _DETECTOR, "detector_version": row["cues_version"], "actor_kind": "human",
            **{name: row[name] for name in ("actor_hash", "created_at", "source_format", "place")},
        }


def cues(repeat: float = REPEAT, families: Sequence[str] = CUE_FAMILIES, learned: Path | None = None) -> Cues:
    """Cues of these families and repeats from this similarity on flag a turn; raises ConfigError for what cannot be.

    `families=("rejection",)` is precise and finds few: about one in four complaints. English turns, and those whose
    language the log does not say, are read with the English pack; others by repeats and pasted errors only. `learned`
    is the file of a filter (feedback.chatlogs.classifier) that flags turns in place of all this.
    """
    if not 0 < repeat <= 1:
        raise ConfigError(f"cues: repeat={repeat!r} is no similarity; write a number above 0, up to 1")
    if isinstance(families, str) or set(families) - set(CUE_FAMILIES):
        raise ConfigError(f"cues: families={families!r} must be a list of {', '.join(CUE_FAMILIES)}")
    return Cues(repeat=repeat, families=tuple(families), learned=None if learned is None else load(learned))


def measured(turns: pl.DataFrame) -> pl.DataFrame:
    """TURN_CUES of turns that hold the texts `evidence` and `previous` beside the columns of turns.FIELDS."""
    language = pl.col("language").fill_null("en")
    pack = pl.when(language.is_in(PACKS)).then(language)
    packs = turns.with_columns(pack=pack, clipped=_clipped(pl.col("evidence")))
    alike = [None if before is None else similarity(before, after)
             for before, after in turns.select("previous", "evidence").iter_rows()]
    return packs.select(
        "evidence_msg_id", "conv_id", "target_msg_id", "previous_msg_id", "next_msg_id", "language", "pack",
        *(_found(family) for family in CUE_FAMILIES),
        pl.Series("similarity", alike, pl.Float64),
        pasted_error(pl.col("evidence")).alias("pasted_error"),
        pl.col("evidence").str.len_chars().cast(pl.Int32).alias("characters"),
        code_ratio(pl.col("evidence")).alias("code_ratio"),
        pl.lit(None, pl.Float64).alias("learned"),
        pl.lit(version()).alias("cues_version"),
    ).select(TURN_CUES.schema.names)


def act_of(families: Sequence[str] = CUE_FAMILIES, repeat: float = REPEAT) -> pl.Expr:
    """The first of the cues of a turn, in the order of ACTS; null where there is none."""
    spoken = {family: pl.col(family).is_not_null() for family in families}
    spoken["repeat"] = pl.col("similarity").fill_null(0.0) >= repeat
    return pl.coalesce(*(pl.when(spoken[cue]).then(pl.lit(cue)) for cue in ACTS if cue in spoken))


@cache
def pack(language: str) -> dict[str, str]:
    """The families of a cue pack, each as one regular expression of Rust's kind that catches the cue."""
    found: dict[str, list[str]] = {}
    for line in _lines(language):
        if line.startswith("[") and line.endswith("]") and line[1:-1] in CUE_FAMILIES:
            found[line[1:-1]] = []
        else:
            found[next(reversed(found))].append(_expression(line))
    return {family: "(?i)(" + "|".join(f"(?:{one})" for one in ones) + ")" for family, ones in found.items()}


@cache
def version() -> str:
    """The digest of the packs and the rules: other cues, other rows."""
    return digest("cues", 1, HEAD, TAIL, list(ERRORS), {language: list(_lines(language)) for language in PACKS})


def _lines(language: str) -> list[str]:
    text = Path(__file__).with_name(f"cues_{language}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _expression(line: str) -> str:
    """A line of a pack as a regular expression; word boundaries are those of ASCII, which a finite automaton finds."""
    spaced = line.replace("'", "['’]?").replace(" ?", r"\s*").replace(" ", r"\s+").replace(
        "~", r"[a-z0-9,_\s-]{1,40}?")
    return spaced.replace(r"\b", r"(?-u:\b)").replace(r"\W", rf"[^\w{SEAM}]")


def _clipped(text: pl.Expr) -> pl.Expr:
    long = text.str.len_chars() > HEAD + TAIL
    return pl.when(long).then(pl.concat_str(text.str.head(HEAD), pl.lit(SEAM), text.str.tail(TAIL))).otherwise(text)


def _found(family: str) -> pl.Expr:
    by_pack = [pl.when(pl.col("pack") == language).then(
        pl.col("clipped").str.extract(pack(language)[family]).str.strip_chars()) for language in PACKS]
    return pl.coalesce(*by_pack).alias(family)
