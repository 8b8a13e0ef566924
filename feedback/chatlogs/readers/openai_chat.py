"""Requests to a chat-completions API as a proxy of one's own logs them: one request and its response a line.

Shapes: `request` and `response` beside each other; the fields of a request with `response` or `choices` (LiteLLM's
logging payloads too); the two files of a batch, joined by `custom_id`; and `messages` alone, as for fine-tuning. A
streamed response may be a list of chunks. Each request repeats the history: messages are named by all that was said up
to them, so that a growing prefix is one conversation. Its name is the session in the metadata; where there is none, the
user with all up to the first answer. Several choices are siblings made for one asking. The answer that a failed request
never got is counted as dropped.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Turn
from feedback.chatlogs.said import exchange, first, listing, mapping, parsed, turns, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record
from schemas.ids import digest

_SESSIONS = ("session_id", "session", "conversation_id", "thread_id", "chat_id", "sessionId", "threadId")
_USERS = ("user_id", "user", "userId", "end_user", "user_api_key_end_user_id")
_FAILED = "the request failed"


def _fits(fields: Mapping[str, Any]) -> bool:
    if "custom_id" in fields and ("body" in fields or "response" in fields):
        return True
    foreign = {"programmer_id", "conversationId", "mapping", "history", "chat", "traceId", "trace"}
    if foreign & fields.keys():
        return False
    messages = parsed(_request(fields).get("messages"))
    return isinstance(messages, list) and all(isinstance(one, Mapping) and "role" in one for one in messages[:4])


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    if "custom_id" in fields:
        yield _of_a_batch(record)
        return
    request, metadata = _request(fields), _metadata(fields)
    messages = parsed(request.get("messages"))
    if not isinstance(messages, list):
        raise Broken(record.place, "no messages", "holds no messages; a request holds messages as a list")
    dropped: Counter[str] = Counter()
    response = _response(fields)
    answers = _answers(response)
    if not answers and (fields.keys() & {"response", "status", "error"}):
        dropped[_FAILED] += 1
    at = _moment(fields, response)
    read = exchange(messages, answers, dropped, model=first(response.get("model"), request.get("model")), asked_at=at,
                    answered_at=at)
    user = first(*(held.get(name) for held in (request, fields, metadata) for name in (*_USERS, "safety_identifier")))
    session = first(*(metadata.get(name) for name in _SESSIONS), *(fields.get(name) for name in _SESSIONS))
    yield Conversation(key=session or _root(user, read), user=user, turns=read, dropped=dropped)


def _of_a_batch(record: Record) -> Conversation:
    """Either half of a batch: messages are named by their places, for the answer stands in another file."""
    name, dropped = word(record.fields.get("custom_id")), Counter[str]()
    if name is None:
        raise Broken(record.place, "no custom_id", "its custom_id is empty; a batch names each request by one")
    body = mapping(record.fields.get("body"))
    asked = turns(listing(body.get("messages")), dropped)
    keys = [*map(str, range(len(asked) - 1)), "asked"]
    read = [replace(turn, key=key, parent=before)
            for turn, key, before in zip(asked, keys, [None, *keys], strict=False)]
    if "response" in record.fields:
        response = _response(record.fields)
        answers = _answers(response)
        dropped[_FAILED] += not answers
        at, model = moment(response.get("created")), word(response.get("model"))
        given = exchange((), answers, dropped, model=model, answered_at=at)
        read += (replace(turn, key=f"answer {place}", parent="asked") for place, turn in enumerate(given))
    user = first(*(body.get(one) for one in _USERS))
    return Conversation(key=f"batch {name}", user=user, turns=read, dropped=+dropped)


def _request(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was sent."""
    request = mapping(fields.get("request"))
    return mapping(request.get("body")) or request or mapping(fields.get("body")) or fields


def _metadata(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    own, sent = mapping(fields.get("metadata")), mapping(_request(fields).get("metadata"))
    return {**mapping(own.get("requester_metadata")), **own, **sent}


def _response(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came back, a streamed one put together; empty where nothing did."""
    response = fields.get("response", fields if "choices" in fields else None)
    if isinstance(response, str) and response and not mapping(response) and not listing(response):
        return {"choices": [{"message": {"role": "assistant", "content": response}}]}
    chunks = listing(response)
    return _streamed(chunks) if chunks else mapping(mapping(response).get("body")) or mapping(response)


def _answers(response: Mapping[str, Any]) -> list[Any]:
    """The messages of the choices, in the order of their index, each with why it ended."""
    choices = [choice for choice in listing(response.get("choices")) if isinstance(choice, Mapping)]
    choices.sort(key=lambda choice: choice["index"] if type(choice.get("index")) is int else 0)
    return [{"role": "assistant", "content": choice.get("text"), **mapping(choice.get("message")),
             "finish_reason": choice.get("finish_reason")} for choice in choices]


def _streamed(chunks: Sequence[Any]) -> Mapping[str, Any]:
    """A response from its chunks."""
    texts: defaultdict[int, list[str]] = defaultdict(list)
    reasons: dict[int, str | None] = {}
    head: Mapping[str, Any] = {}
    for chunk in chunks:
        head = head or mapping(chunk)
        for choice in listing(mapping(chunk).get("choices")):
            place = choice.get("index") if isinstance(choice, Mapping) else None
            if type(place) is int:
                piece = mapping(choice.get("delta")).get("content")
                texts[place].append(piece if isinstance(piece, str) else "")
                reasons[place] = word(choice.get("finish_reason")) or reasons.get(place)
    return {"model": head.get("model"), "created": head.get("created"), "choices": [
        {"index": place, "finish_reason": reasons[place], "message": {"role": "assistant", "content": "".join(pieces)}}
        for place, pieces in texts.items()]}


def _moment(fields: Mapping[str, Any], response: Mapping[str, Any]) -> datetime | None:
    """When the request was made, by the fields that logs have for it."""
    named = (fields.get(name) for name in ("startTime", "start_time", "created_at", "timestamp", "time", "created"))
    return next((at for value in (*named, response.get("created")) if (at := moment(value)) is not None), None)


def _root(user: str | None, read: Sequence[Turn]) -> str:
    """The name of a conversation without one: who asked, and all up to the first answer."""
    asked = list(takewhile(lambda turn: turn.role != "assistant", read))
    return digest(user, [turn.key for turn in read[:len(asked) + 1]][-1:])


FORMAT = Format(name="openai_chat", fits=_fits, read=_read)
