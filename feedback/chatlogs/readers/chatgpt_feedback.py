"""What a ChatGPT data export tells of its answers: thumbs (message_feedback.json) and choices (model_comparisons.json).

Older exports name the judged message `id`, newer ones `message_id`; a thumb's tags and comment are JSON in a text. Of a
comparison the export names the new answer and, where it kept it, the original: without that there is no pair.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Signal
from feedback.chatlogs.said import first, mapping, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record


def is_feedback(fields: Mapping[str, Any]) -> bool:
    """Whether a record is of message_feedback.json or of model_comparisons.json."""
    thumb = isinstance(fields.get("conversation_id"), str) and _thumb(fields.get("rating")) != 0
    return thumb or _step(fields) is not None


def feedback(record: Record) -> Conversation:
    """The signal of such a record; raises Broken where it names no answer."""
    step = _step(record.fields)
    return _rated(record) if step is None else _compared(record, step)


def _rated(record: Record) -> Conversation:
    fields = record.fields
    conversation, target = word(fields.get("conversation_id")), first(fields.get("message_id"), fields.get("id"))
    if conversation is None or target is None:
        raise Broken(record.place, "no target", "names no message that is judged; message_id and conversation_id do")
    thumb = _thumb(fields.get("rating"))
    if not thumb:
        return Conversation(key=conversation, dropped_signals=Counter({"neither up nor down": 1}))
    said = mapping(fields.get("content"))
    tags = said.get("tags")
    text = first(said.get("text"), fields.get("text"))
    signal = Signal(
        kind="thumb", target=target, value=thumb, scale_min=-1.0, scale_max=1.0, text=text,
        labels=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        created_at=moment(fields.get("create_time")), actor=word(fields.get("user_id")))
    return Conversation(key=conversation, signals=[signal])


def _thumb(rating: Any) -> float:
    bare = rating.replace("_", "").lower() if isinstance(rating, str) else ""
    return {"thumbsup": 1.0, "thumbsdown": -1.0}.get(bare, 0.0)


def _step(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is told of a comparison of two answers."""
    step = mapping(fields.get("output")).get("feedback_step_2")
    return step if isinstance(step, dict) else None


def _compared(record: Record, step: Mapping[str, Any]) -> Conversation:
    """A comparison: the new answer was asked for again, or stood beside the original."""
    conversation = word(mapping(record.fields.get("input")).get("conversation_id"))
    new, original = _answer(step.get("new_turn")), _answer(step.get("original_turn"))
    if conversation is None or new is None:
        raise Broken(record.place, "no target", "names no answer that is judged; input.conversation_id and "
                     "output.feedback_step_2.new_turn do")
    rating = step.get("completion_comparison_rating")
    if rating not in ("new", "original", "same") or original is None:
        reason = "no choice" if original else "the other answer is not named"
        return Conversation(key=conversation, dropped_signals=Counter({reason: 1}))
    target, other = (original, new) if rating == "original" else (new, original)
    return Conversation(key=conversation, signals=[Signal(
        kind="vote", target=target, compared=(other,), value=0.0 if rating == "same" else 1.0, scale_min=-1.0,
        scale_max=1.0, actor=word(record.fields.get("user_id")), created_at=moment(record.fields.get("create_time")))])


def _answer(turn: Any) -> str | None:
    """The id of the first message of a turn."""
    return word(mapping(turn[0]).get("id")) if isinstance(turn, list) and turn else None
