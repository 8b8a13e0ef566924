"""What a detector says: a list of acts, each with words of the user's turn that show it; read strictly.

A reply that names an unknown act, polarity or reason, a turn that was not to be labelled, or quotes words that do not
stand in the turn, is no reply: it is asked again, and then counted. There is no default, ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from feedback.chatlogs.asking import CUT, fields, flag, json_object, one_of, restored
from feedback.jury.parse import Unparsable
from schemas.feedback_events import ACTS, POLARITIES, REASONS

NOTHING = "none"
_KEYS = ("act", "polarity", "reasons", "quote", "ordinal", "standing_directive", "confidence")
_AGAINST = {"positive": "negative", "correction": "positive", "rejection": "positive", "repeat_rephrase": "positive"}
"""Polarities that an act cannot have."""


@dataclass(frozen=True, slots=True)
class Extract:
    """One act that a model found in a turn."""

    turn: int
    """The turn's number as it was shown; 0 where one turn was shown."""
    act: str
    polarity: str
    reasons: tuple[str, ...]
    quote: str
    ordinal: int
    standing_directive: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Shown:
    """The turns that a question shows: those to be labelled, by number, and all that is said besides."""

    turns: Mapping[int, str]
    besides: str
    numbered: bool
    """Whether a reply must name the turn."""


def read_extracts(text: str, shown: Shown) -> list[Extract]:
    """The acts of a reply, "none" left out; raises Unparsable."""
    events = json_object(text, ("events",))["events"]
    if not isinstance(events, list):
        raise Unparsable("'events' is not a list")
    return [found for event in events if (found := _extract(event, shown)) is not None]


@cache
def schema(numbered: bool) -> Mapping[str, Any]:
    """JSON schema of a reply."""
    event: dict[str, Any] = {
        "act": {"type": "string", "enum": [*ACTS, NOTHING]},
        "polarity": {"type": "string", "enum": list(POLARITIES)},
        "reasons": {"type": "array", "items": {"type": "string", "enum": list(REASONS)}},
        "quote": {"type": "string"}, "ordinal": {"type": "integer", "minimum": 1, "maximum": 5},
        "standing_directive": {"type": "boolean"}, "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }
    if numbered:
        event = {"turn": {"type": "integer"}, **event}
    item = {"type": "object", "properties": event, "required": list(event), "additionalProperties": False}
    return {"type": "object", "properties": {"events": {"type": "array", "items": item}}, "required": ["events"],
            "additionalProperties": False}


def _extract(event: object, shown: Shown) -> Extract | None:
    told = fields(event, ("turn", *_KEYS) if shown.numbered else _KEYS, "an event is not an object")
    act = one_of(told["act"], (*ACTS, NOTHING), "act")
    turn = _turn(told["turn"], shown) if shown.numbered else 0
    if act == NOTHING:
        return None
    polarity = one_of(told["polarity"], POLARITIES, "polarity")
    if _AGAINST.get(act) == polarity:
        raise Unparsable(f"a {polarity} {act}")
    reasons = told["reasons"]
    if not isinstance(reasons, list):
        raise Unparsable("'reasons' is not a list")
    named = tuple(sorted({one_of(reason, REASONS, "reason") for reason in reasons}))
    return Extract(turn, act, polarity, named, _quote(told["quote"], turn, shown), _ordinal(told["ordinal"]),
                   flag(told["standing_directive"], "standing_directive"), _confidence(told["confidence"]))


def _turn(value: object, shown: Shown) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in shown.turns:
        raise Unparsable("an event of a turn that was not to be labelled")
    return value


def _quote(value: object, turn: int, shown: Shown) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unparsable("no quote")
    value = restored(value)
    if CUT in value or not stands(value, [shown.turns[turn]]):
        others = [text for number, text in shown.turns.items() if number != turn]
        where = "stands in another turn" if stands(value, [*others, shown.besides]) else "does not stand in the turn"
        raise Unparsable(f"the quote {where}")
    return value


def stands(quote: str, texts: Sequence[str]) -> bool:
    """Whether the quote stands in one of the texts, letter by letter."""
    return any(quote in text for text in texts)


def _ordinal(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
        raise Unparsable("'ordinal' is not a whole number from 1 to 5")
    return value


def _confidence(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Unparsable("'confidence' is not a number from 0 to 1")
    return float(value)
