"""PRISM: people talk with up to four models at once, score each answer from 1 to 100, and go on with one of them.

A record is a conversation: `conversation_history` lists the messages of each `turn`, first the user's, then those of
the models, told apart by `within_turn_id`. The main path goes through the chosen answers. Scores mean what their user
means by them: compare them within a user. What the user said of the conversation as a whole (`performance_attributes`,
`choice_attributes`) points at no answer and is counted as dropped; `open_feedback` is a comment on the last chosen one.
The models' answers are for non-commercial use only (CC-BY-NC), so the texts are marked as not redistributable.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.said import number, turn, word
from feedback.chatlogs.siblings import SIDE_BY_SIDE
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_OF_THE_WHOLE = ("performance_attributes", "choice_attributes")


def _fits(fields: Mapping[str, Any]) -> bool:
    return "conversation_id" in fields and isinstance(fields.get("conversation_history"), list)


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    key, history = word(fields.get("conversation_id")), fields.get("conversation_history")
    if key is None or not isinstance(history, list):
        raise Broken(record.place, "no conversation",
                     "holds no conversation: conversation_id is a text, conversation_history a list of messages")
    dropped, lost = Counter[str](), Counter[str]()
    rounds = _rounds(history, dropped)
    at = moment(fields.get("generated_datetime"))
    turns: list[Turn] = []
    signals: list[Signal] = []
    before: str | None = None
    for messages in rounds.values():
        added = list(_turns(messages, before, dropped))
        turns += (replace(one, created_at=at) for one in added)
        signals += _signals(messages, {one.key for one in added}, lost)
        before = next((one.key for one in reversed(added) if one.on_main_path), before)
    lost["about the whole conversation"] += _told_of_the_whole(fields)
    remark = fields.get("open_feedback")
    if isinstance(remark, str) and remark.strip() and turns:
        last = next((one for one in reversed(turns) if one.role == "assistant" and one.on_main_path), turns[-1])
        signals.append(Signal(kind="comment", target=last.key, text=remark, what="open_feedback"))
    yield Conversation(key=key, user=word(fields.get("user_id")), turns=turns, signals=signals, dropped=dropped,
                       dropped_signals=+lost, licence="cc-by-nc-4.0", redistributable=False)


def _rounds(history: Sequence[Any], dropped: Counter[str]) -> dict[int, list[Mapping[str, Any]]]:
    """The messages of each turn, turns in their order."""
    rounds: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for message in history:
        if not isinstance(message, Mapping) or type(message.get("turn")) is not int:
            dropped["no turn"] += 1
        else:
            rounds[message["turn"]].append(message)
    return dict(sorted(rounds.items()))


def _turns(messages: Sequence[Mapping[str, Any]], before: str | None, dropped: Counter[str]) -> Iterator[Turn]:
    """The question of a turn, and the answers to it; the chosen one is on the main path."""
    asked = before
    known: set[str] = set()
    for message in sorted(messages, key=lambda message: message.get("role") != "user"):
        read, key = turn(message), _key(message)
        reason = read if isinstance(read, str) else "repeated" if key in known else ""
        if reason or isinstance(read, str):
            dropped[reason] += 1
            continue
        known.add(key)
        if read.role == "user":
            asked = key
            yield replace(read, key=key, parent=before)
        else:
            yield replace(read, key=key, parent=asked, model=word(message.get("model_name")), flags=(SIDE_BY_SIDE,),
                          on_main_path=message.get("if_chosen") is True)


def _key(message: Mapping[str, Any]) -> str:
    turn = message.get("turn")
    return f"{turn} user" if message.get("role") == "user" else f"{turn} model {message.get('within_turn_id')}"


def _signals(messages: Sequence[Mapping[str, Any]], kept: set[str], lost: Counter[str]) -> Iterator[Signal]:
    """The scores of the answers of a turn, and the choice among them."""
    answers: dict[str, Mapping[str, Any]] = {}
    for message in messages:
        key, score = _key(message), number(message.get("score"))
        if message.get("role") == "model" and key in kept and key not in answers:
            answers[key] = message
        elif score is not None:
            lost["of a message that was left out"] += 1
    for key, message in answers.items():
        others = tuple(other for other in answers if other != key)
        score = number(message.get("score"))
        if score is not None:
            yield Signal(kind="score", target=key, compared=others, value=score, scale_min=1.0, scale_max=100.0)
        if message.get("if_chosen") is True and others:
            yield Signal(kind="vote", target=key, compared=others, value=1.0, scale_min=-1.0, scale_max=1.0)


def _told_of_the_whole(fields: Mapping[str, Any]) -> int:
    """How many attributes of the conversation the user rated."""
    held = [fields.get(name) for name in _OF_THE_WHOLE]
    return sum(number(value) is not None for one in held if isinstance(one, Mapping) for value in one.values())


FORMAT = Format(name="prism", fits=_fits, read=_read)
