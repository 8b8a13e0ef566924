"""Replies of judges: the JSON a judge is asked for, and the strict reading of what it says.

A reply is a vote or it is not: a score outside the scale, a letter that is missing or was not shown, another verdict,
a key given twice, or text around the JSON make it Unparsable with a reason. There is no default, ever.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from string import ascii_uppercase
from typing import Any, TypeVar

VERDICTS = ("A", "B", "tie", "both_bad")

Scale = tuple[float, float]
"""The lowest and the highest score, both allowed."""
Reading = TypeVar("Reading")

_FENCE = re.compile(r"\s*```json[ \t\r]*\n(.*)\n[ \t]*```\s*", re.DOTALL)


class Unparsable(ValueError):
    """A reply that is no vote; its text says why, in words that do not quote the reply at length."""


def read_score(text: str, scale: Scale) -> tuple[list[float], str | None]:
    """The one score (as a list of one) and the rationale of a RATE reply on one answer; raises Unparsable."""
    reply = _object(text, "score")
    return [_score(reply["score"], scale, "score")], _rationale(reply)


def read_scores(text: str, scale: Scale, count: int | None) -> tuple[list[float], str | None]:
    """The scores of answers A, B, C ... in that order and the rationale of a RATE reply on `count` answers.

    Where `count` is unknown (None) the letters must run from A without a gap. Raises Unparsable.
    """
    reply = _object(text, "scores")
    scores = reply["scores"]
    if not isinstance(scores, dict):
        raise Unparsable("'scores' is not an object")
    letters = ascii_uppercase[: max(1, len(scores)) if count is None else count]
    for letter in letters:
        if letter not in scores:
            raise Unparsable(f"no score for answer {letter}")
    if len(scores) > len(letters):
        raise Unparsable("a score for an answer that was not shown")
    return [_score(scores[letter], scale, f"score of {letter}") for letter in letters], _rationale(reply)


def read_verdict(text: str) -> tuple[str, str | None]:
    """The verdict (one of VERDICTS) and the rationale of a COMPARE reply; raises Unparsable."""
    reply = _object(text, "verdict")
    verdict = reply["verdict"]
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise Unparsable(f"verdict {_short(verdict)} is not one of {', '.join(VERDICTS)}")
    return verdict, _rationale(reply)


def why_not(read: Callable[[], object]) -> str | None:
    """None where `read` returns, else the reason of its Unparsable."""
    try:
        read()
    except Unparsable as error:
        return str(error)
    return None


@cache
def score_schema(scale: Scale) -> Mapping[str, Any]:
    """JSON schema of a RATE reply on one answer."""
    return _schema("score", _number(scale))


@cache
def scores_schema(scale: Scale, count: int) -> Mapping[str, Any]:
    """JSON schema of a RATE reply on `count` answers."""
    letters = list(ascii_uppercase[:count])
    scores = {"type": "object", "properties": {letter: _number(scale) for letter in letters},
              "required": letters, "additionalProperties": False}
    return _schema("scores", scores)


@cache
def verdict_schema() -> Mapping[str, Any]:
    """JSON schema of a COMPARE reply."""
    return _schema("verdict", {"type": "string", "enum": list(VERDICTS)})


def _schema(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"rationale": {"type": "string"}, key: value},
            "required": ["rationale", key], "additionalProperties": False}


def _number(scale: Scale) -> dict[str, Any]:
    return {"type": "number", "minimum": scale[0], "maximum": scale[1]}


def _object(text: str, key: str) -> dict[str, Any]:
    """The reply's JSON object, which must hold `key`, may hold a rationale, and nothing else."""
    fenced = _FENCE.fullmatch(text)
    try:
        reply = _DECODER.decode(fenced[1] if fenced else text)
    except Unparsable:
        raise
    except (ValueError, RecursionError):
        raise Unparsable("not one JSON object" if text.strip() else "empty") from None
    if not isinstance(reply, dict):
        raise Unparsable("not one JSON object")
    if key not in reply:
        raise Unparsable(f"no '{key}'")
    if unknown := reply.keys() - {key, "rationale"}:
        raise Unparsable(f"unknown key {_short(min(unknown))}")
    return reply


def _score(value: object, scale: Scale, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unparsable(f"{what} is not a number")
    low, high = scale
    if not low <= value <= high:
        raise Unparsable(f"{what} is outside {low:g} to {high:g}")
    if value * 2 % 1:
        raise Unparsable(f"{what} is not a whole or half point")
    return float(value)


def _rationale(reply: dict[str, Any]) -> str | None:
    """The judge's reasons; a lone surrogate, which no file can hold, becomes a question mark."""
    rationale = reply.get("rationale")
    if rationale is None:
        return None
    if not isinstance(rationale, str):
        raise Unparsable("'rationale' is not text")
    return rationale if rationale.isascii() else rationale.encode("utf-8", "replace").decode()


def _no_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unparsable("a key is given twice")
    return found


def _not_json(constant: str) -> None:
    raise Unparsable(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_doubles, parse_constant=_not_json)


def _short(value: object) -> str:
    told = ascii(value)
    return told if len(told) <= 30 else f"{told[:27]}..."
