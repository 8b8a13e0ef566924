"""Pairs of transcripts, as in HH-RLHF: `chosen` and `rejected` share a beginning that has to be recovered.

A transcript is a text of turns that begin with a blank line
and "Human:" or "Assistant:". Turns that both sides begin with are the prompt; where an answer first differs, the two
answers are siblings and a vote tells which was preferred. A pair says nothing, and its signal is counted as dropped,
where its sides are the same, where a side does not end with the assistant, or where they part before the last answer.
The transcripts name nobody: those that begin with the same question are one conversation.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn, chained
from feedback.chatlogs.said import once, speaker
from generators.records import Broken, Record

_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")


def _fits(fields: Mapping[str, Any]) -> bool:
    return all(isinstance(fields.get(side), str) and _TURN.match(fields[side]) for side in ("chosen", "rejected"))


def _read(record: Record) -> Iterator[Conversation]:
    chosen, rejected = (_transcript(record, side) for side in ("chosen", "rejected"))
    shared = sum(1 for _ in _shared(chosen, rejected))
    reason = _useless(chosen[shared:], rejected[shared:])
    dropped: Counter[str] = Counter()
    signals = () if reason else (Signal(
        kind="vote", target=chosen[-1].key, compared=(rejected[-1].key,), value=1.0, scale_min=-1.0, scale_max=1.0),)
    yield Conversation(key=chosen[0].key, turns=once([*chosen, *_aside(rejected, shared)], dropped), signals=signals,
                       dropped=dropped, dropped_signals=Counter({reason: 1} if reason else {}))


def _transcript(record: Record, side: str) -> list[Turn]:
    text = record.fields.get(side)
    pieces = _TURN.split(text) if isinstance(text, str) else []
    if len(pieces) < 3 or pieces[0].strip():
        raise Broken(record.place, "no transcript",
                     f"{side} is no transcript; it must begin with a blank line and 'Human:' or 'Assistant:'")
    return chained(Turn(key="", parent=None, role=speaker(who) or "user", text=said.strip())
                   for who, said in zip(pieces[1::2], pieces[2::2], strict=True))


def _shared(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> Iterator[Turn]:
    """The turns that both sides begin with."""
    for one, other in zip(chosen, rejected, strict=False):
        if one.key != other.key:
            return
        yield one


def _useless(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> str:
    """Why what is left of the two sides after their shared turns is no pair; empty where it is one."""
    if not chosen and not rejected:
        return "the sides are the same"
    if any(side and side[-1].role != "assistant" for side in (chosen, rejected)):
        return "a side does not end with the assistant"
    return "" if len(chosen) == len(rejected) == 1 else "the sides part before the last answer"


def _aside(rejected: Sequence[Turn], shared: int) -> Iterator[Turn]:
    """The rejected side: what it does not share is off the main path."""
    yield from rejected[:shared]
    for turn in rejected[shared:]:
        yield replace(turn, on_main_path=False)


FORMAT = Format(name="hh_rlhf", fits=_fits, read=_read)
