"""Ratings of Open WebUI: in a message's `annotation`, and in the rows of the feedback export.

A rating is 1 or -1, as a number or a text. In the arena, where answers of several models stand side by side, it is a
vote: 1 means that the answer is better than those beside it, -1 that each of them is better. Elsewhere it is a thumb.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Signal
from feedback.chatlogs.said import mapping, number, word
from feedback.chatlogs.times import moment

Message = Mapping[str, Any]


def is_feedback(fields: Mapping[str, Any]) -> bool:
    """Whether a record is a row of the feedback export."""
    return isinstance(fields.get("data"), dict) and isinstance(fields.get("meta"), dict) and (
        "snapshot" in fields or "message_id" in fields["meta"])


def rated(fields: Mapping[str, Any], kept: Mapping[str, Message],
          above: Mapping[str, str | None]) -> tuple[list[Signal], Counter[str]]:
    """The signals of a record's ratings, and how many say nothing, by reason."""
    signals: list[Signal] = []
    unread: Counter[str] = Counter()
    ratings: list[tuple[str | None, Message, Message, Any, str | None]] = [
        (name, message["annotation"], {"arena": message.get("arena")}, None, None)
        for name, message in kept.items() if isinstance(message.get("annotation"), dict)]
    if is_feedback(fields):
        ratings.insert(0, (word(fields["meta"].get("message_id")), fields["data"], fields["meta"],
                           fields.get("updated_at") or fields.get("created_at"), word(fields.get("user_id"))))
    for name, data, meta, at, actor in ratings:
        beside = [] if name is None else _beside(name, data, kept, above)
        found = [] if name is None else list(_signals(name, data, bool(meta.get("arena")), beside, at, actor))
        signals += found
        if not found:
            unread["no rating" if name else "names no message"] += 1
    return signals, unread


def _signals(name: str, data: Message, arena: bool, beside: list[str], at: Any, actor: str | None) -> Iterator[Signal]:
    rating = {"1": 1.0, "-1": -1.0}.get(str(data.get("rating")))
    told: dict[str, Any] = {"labels": _labels(data), "text": word(data.get("comment")), "created_at": moment(at),
                            "actor": actor}
    if rating is not None and arena and beside:
        yield from _vote(name, rating, beside, told)
    elif rating is not None:
        yield Signal(kind="thumb", target=name, value=rating, scale_min=-1.0, scale_max=1.0, **told)
    score = number(mapping(data.get("details")).get("rating"))
    if score is not None and 1 <= score <= 10:
        yield Signal(kind="score", target=name, value=score, scale_min=1.0, scale_max=10.0, **told)


def _vote(name: str, rating: float, beside: list[str], told: dict[str, Any]) -> Iterator[Signal]:
    if rating > 0:
        yield Signal(kind="vote", target=name, compared=tuple(beside), value=1.0, scale_min=-1.0, scale_max=1.0, **told)
        return
    for winner in beside:
        yield Signal(kind="vote", target=winner, compared=(name,), value=1.0, scale_min=-1.0, scale_max=1.0,
                     what=f"over {name}", created_at=told["created_at"], actor=told["actor"])
    if told["text"] or told["labels"]:  # said of the answer that lost
        yield Signal(kind="comment", target=name, polarity="negative", **told)


def _labels(data: Message) -> tuple[str, ...]:
    tags = data.get("tags")
    told = [data.get("reason"), *(tags if isinstance(tags, list) else [])]
    return tuple(tag for tag in told if isinstance(tag, str) and tag)


def _beside(name: str, data: Message, kept: Mapping[str, Message], above: Mapping[str, str | None]) -> list[str]:
    """The answers beside one: those to the same message, of the models that the rating names."""
    models = data.get("sibling_model_ids")
    named = set(map(str, models)) if isinstance(models, list) else None
    return [other for other, message in kept.items()
            if other != name and name in above and above[other] == above[name] and message["role"] == "assistant"
            and (named is None or not named or word(message.get("model")) in named
                 or word(message.get("selectedModelId")) in named)]
