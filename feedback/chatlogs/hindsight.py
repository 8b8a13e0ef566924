"""HINDSIGHT: a turn that says nothing inherits the praise that follows soon, where questions are alike (WildReward).

How alike two questions are is measured by feedback.chatlogs.repeats, a measure of form, where WildReward compares
embeddings: fewer turns inherit. Complaints are not inherited, as there.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.repeats import similarity
from feedback.chatlogs.turns import texts
from generators.made import Made
from schemas.errors import ConfigError
from schemas.feedback_events import FEEDBACK_EVENTS, event_id
from schemas.funnel import count
from schemas.ids import digest

NEUTRAL, GOOD = 3, 4
REACH = 2
"""How many of the user's turns later the praise may come."""
ALIKE = 0.5
_DETECTOR = "hindsight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """Lets neutral turns inherit; made by `in_hindsight`."""

    alike: float

    def events(self, messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame,
               read: pl.DataFrame) -> Made:
        """The FEEDBACK_EVENTS that neutral turns inherit from `events`; see `hindsight`."""
        return hindsight(messages, turn_cues, events, read, self.alike)


def in_hindsight(alike: float = ALIKE) -> Hindsight:
    """The last part of a cascade: neutral turns inherit praise, where questions are `alike` or more (WildReward).

    It needs a detector before it: a turn is neutral only where a model looked. Raises ConfigError for what is no share.
    """
    if not 0.0 <= alike <= 1.0:
        raise ConfigError(f"in_hindsight: alike is {alike}; give a similarity from 0 to 1")
    return Hindsight(alike=alike)


def ordinal_of(events: pl.DataFrame) -> dict[str, int]:
    """What each user's turn says of the answer before it, 1 to 5: the worst of its complaints, else its best word."""
    told: defaultdict[str, list[int]] = defaultdict(list)
    for turn, ordinal in events.filter(pl.col("explicitness") != "structural").select(
            "evidence_msg_id", "ordinal").drop_nulls().iter_rows():
        told[turn].append(ordinal)
    return {turn: min(those) if min(those) < NEUTRAL else max(those) for turn, those in sorted(told.items())}


def hindsight(messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame, read: pl.DataFrame,
              alike: float = ALIKE) -> Made:
    """FEEDBACK_EVENTS for neutral turns that inherit: act "continue", explicitness "text_implicit", the later ordinal.

    `read` is what Detect.read gives: a turn is neutral only where a model looked and found nothing, or a 3. The praise
    (4 or 5) comes with one of the next two turns of the user, and the questions answered are alike from `alike` on.
    Counts: neutral turns (dropped: `no praise soon after`, `other questions`).
    """
    said, version = ordinal_of(events), digest(_DETECTOR, 1, REACH, alike)
    looked = read.filter(pl.col("reason") == "")["evidence_msg_id"]
    turns = {row["evidence_msg_id"]: row for row in texts(turn_cues, messages, "previous").to_dicts()}
    neutral = [name for name in sorted(looked) if name in turns and said.get(name, NEUTRAL) == NEUTRAL]
    context = {row["msg_id"]: row for row in messages.filter(pl.col("msg_id").is_in(neutral)).select(
        "msg_id", "user_hash", "created_at", "source_format", "place").to_dicts()}
    rows, lost = [], Counter[str]()
    for name in neutral:
        later = [turn for turn in _next(name, turns) if said.get(turn, NEUTRAL) >= GOOD]
        near = [turn for turn in later if _alike(turns[name], turns[turn]) >= alike]
        if near:
            rows.append(_row(turns[name], near[0], said[near[0]], context[name]) | {"detector_version": version})
        else:
            lost["other questions" if later else "no praise soon after"] += 1
    table = pl.DataFrame(pl.from_arrow(FEEDBACK_EVENTS.rows(rows))).sort("event_id")
    return Made(table, count("feedback_events", "neutral turns", len(neutral), out=len(rows), dropped=lost))


def _next(name: str, turns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The user's next turns within reach, the first one first."""
    found: list[str] = []
    after = turns[name]["next_msg_id"]
    while after in turns and len(found) < REACH:
        found.append(after)
        after = turns[after]["next_msg_id"]
    return found


def _alike(turn: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    if turn["previous"] is None or other["previous"] is None:
        return 0.0
    return similarity(turn["previous"], other["previous"])


def _row(turn: Mapping[str, Any], later: str, ordinal: int, context: Mapping[str, Any]) -> dict[str, Any]:
    ids = {name: turn[name] for name in ("conv_id", "target_msg_id", "evidence_msg_id")}
    return {
        **ids, "event_id": event_id(*ids.values(), "follow_up", _DETECTOR, later), "compared": [], "kind": "follow_up",
        "labels": [], "polarity": "positive", "act": "continue", "reasons": [], "ordinal": ordinal,
        "explicitness": "text_implicit", "standing_directive": False, "detector": _DETECTOR,
        "actor_kind": "human", "actor_hash": context["user_hash"],
        **{name: context[name] for name in ("created_at", "source_format", "place")},
    }
