"""Battles of Chatbot Arena: two models answer the same questions, a person votes for one, a tie, or that both are bad.

Three shapes were released: `conversation_a` and `conversation_b` as lists of messages (33k, 100k), the same with lists
of parts as content and `evaluation_session_id` (140k), and texts that hold JSON lists of `prompt`, `response_a` and
`response_b` with a column for each outcome (55k). The vote speaks of the answers of round `turn`, else of the last two;
where a battle had several rounds its sides have histories of their own, and these answers are no siblings. A battle
that is not the first of its session was preceded by others (`full_conversation`): its first question says so with the
flag "context left out". The human judgments of MT-Bench have the first shape.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

from feedback.chatlogs.languages import language
from feedback.chatlogs.parts import Conversation, Format, Signal, Turn, chained
from feedback.chatlogs.said import first, listing, mapping, once, turns, word
from feedback.chatlogs.siblings import SIDE_BY_SIDE
from feedback.chatlogs.times import moment
from generators.records import Broken, Record
from schemas.ids import digest

_WINNERS = {
    "model_a": "a", "model_b": "b", "tie": "tie", "tie (bothbad)": "both bad", "both_bad": "both bad",
    "bothbad": "both bad",
}
_COLUMNS = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie"}


def _fits(fields: Mapping[str, Any]) -> bool:
    lists = {"conversation_a", "conversation_b", "winner"} <= fields.keys()
    return lists or {"response_a", "response_b", *_COLUMNS} <= fields.keys()


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    dropped: Counter[str] = Counter()
    at, spoken = moment(fields.get("tstamp") or fields.get("timestamp")), language(fields.get("language"))
    sides = {side: _side(record, side, at, spoken, dropped) for side in "ab"}
    if not all(side and side[-1].role == "assistant" for side in sides.values()):
        raise Broken(record.place, "no answer", "a side ends without an answer; each ends with the model's message")
    signals, useless = _vote(fields, {side: _judged(read, fields.get("turn")) for side, read in sides.items()}, at)
    key = first(fields.get("question_id"), fields.get("id")) or digest(*(side[-1].key for side in sides.values()))
    user = None if at is None else first(fields.get("judge_hash"), fields.get("judge"))  # MT-Bench: they asked nothing
    yield Conversation(key=key, user=user, turns=once([*sides["a"], *sides["b"]], dropped), signals=signals,
                       dropped=dropped, dropped_signals=useless)


def _judged(side: Sequence[Turn], round: Any) -> str:
    """The key of the answer of a round that is judged; of the last one where the log does not say which."""
    answers = [turn.key for turn in side if turn.role == "assistant"]
    return answers[round - 1] if type(round) is int and 0 < round <= len(answers) else answers[-1]


def _side(record: Record, side: str, at: datetime | None, spoken: str | None, dropped: Counter[str]) -> list[Turn]:
    """The turns of one side; that of model_a is the main path, and questions that both share are on it."""
    fields = record.fields
    model = word(fields.get(f"model_{side}"))
    order = fields.get("evaluation_order")
    cut = isinstance(order, int) and order > 1
    read = [replace(turn, language=spoken, created_at=at, model=model if turn.role == "assistant" else None,
                    flags=(*turn.flags, *_flags(turn, fields, cut and place == 0)), on_main_path=side == "a")
            for place, turn in enumerate(turns(_messages(record, side), dropped))]
    return chained(read)


def _messages(record: Record, side: str) -> list[Any]:
    fields = record.fields
    if f"conversation_{side}" in fields:
        messages = listing(fields[f"conversation_{side}"])
    else:
        rounds = zip_longest(listing(fields.get("prompt")), listing(fields.get(f"response_{side}")))
        messages = [{"role": role, "content": said} for pair in rounds
                    for role, said in zip(("user", "assistant"), pair, strict=True)]
    if not messages:
        raise Broken(record.place, "no conversation", f"side {side} holds no list of messages")
    return messages


def _flags(turn: Turn, fields: Mapping[str, Any], cut: bool) -> Iterator[str]:
    if turn.role == "assistant":
        yield SIDE_BY_SIDE
    if cut:
        yield "context left out"
    tags = mapping(fields.get("toxic_chat_tag")).values()
    if turn.role == "user" and any(mapping(tag).get("flagged") for tag in tags):
        yield "toxic"


def _vote(fields: Mapping[str, Any], last: Mapping[str, str], at: datetime | None) -> tuple[list[Signal], Counter[str]]:
    """The vote on the last answers: 1 for the winner, 0 for a tie, -1 for both bad."""
    outcome = _WINNERS.get((_winner(fields) or "").strip().lower())
    if outcome is None:
        return [], Counter({"unknown winner": 1})
    if last["a"] == last["b"]:
        return [], Counter({"the answers are the same": 1})
    target, other = (last["b"], last["a"]) if outcome == "b" else (last["a"], last["b"])
    value = {"tie": 0.0, "both bad": -1.0}.get(outcome, 1.0)
    judge = fields.get("judge_hash") or fields.get("judge")  # a list for a model: ["gpt-4", "pair-v2"]
    labels = ("names shown",) if fields.get("anony") is False else ()
    return [Signal(kind="vote", target=target, compared=(other,), value=value, scale_min=-1.0, scale_max=1.0,
                   labels=labels, created_at=at, actor=first(*judge) if isinstance(judge, list) else word(judge),
                   actor_kind="llm" if isinstance(judge, list) else "human")], Counter()


def _winner(fields: Mapping[str, Any]) -> str | None:
    if "winner" in fields:
        return word(fields["winner"])
    won = [winner for column, winner in _COLUMNS.items() if fields.get(column) in (1, "1", True)]
    return won[0] if len(won) == 1 else None


FORMAT = Format(name="arena", fits=_fits, read=_read)
