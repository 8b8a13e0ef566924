"""Messages as chat programs write them - role and content, from and value, lists of parts - in one shape.

Of a message we keep who spoke, what was said, and what is no text as parts: images, tool calls, reasoning. Encoded
bytes in a part are left out: a log of pictures would otherwise be a table of pictures.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from feedback.chatlogs.parts import Turn, chained
from feedback.chatlogs.siblings import SIDE_BY_SIDE

SPEAKERS = {
    "system": "system", "developer": "developer", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "model": "assistant", "ai": "assistant", "bot": "assistant", "tool": "tool", "function": "tool",
}
"""What logs call those who speak, in lower case; the values are schemas.messages.ROLES."""

_SAID = ("content", "value", "parts", "text")
_INPUTS = ("messages", "input", "prompt", "question", "query", "text", "kwargs", "contents")
_OUTPUTS = ("content", "output", "completion", "answer", "response", "text", "message", "result")
_WRAPPED = 5  # how deep we look for messages in the objects around them
_TEXTS = ("text", "input_text", "output_text", None)
_ENCODED = re.compile(r"(data:[\w/+.-]*(;[\w=.-]+)*,)?[A-Za-z0-9+/_=-]{256,}\s*")


def turn(message: Any) -> Turn | str:
    """A message as a turn without a key; a text says why it is none."""
    if not isinstance(message, Mapping):
        return "not an object"
    role = speaker(message.get("role", message.get("from", message.get("type"))))
    if role is None:
        return "unknown role"
    said = next((message[name] for name in _SAID if message.get(name) is not None), None)
    text, parts = content(said)
    parts += tuple(_aside(message))
    refusal = None if text else word(message.get("refusal"))
    if text is None and not parts and refusal is None:
        return "no text"
    return Turn(key="", parent=None, role=role, text=refusal or text or "", parts=parts,
                finish_reason=word(message.get("finish_reason")), flags=() if refusal is None else ("refusal",))


def speaker(name: Any) -> str | None:
    """One of schemas.messages.ROLES for what a log calls who speaks; None for a name we do not know."""
    return SPEAKERS.get(name.strip().lower()) if isinstance(name, str) else None


def content(said: Any) -> tuple[str | None, tuple[Mapping[str, Any], ...]]:
    """The text and the parts of what was said: a text, an object or a list of them; None where nothing was."""
    if isinstance(said, str):
        return said, ()
    if isinstance(said, Mapping):
        said = [said]
    if not isinstance(said, Sequence):
        return None, ()
    texts: list[str] = []
    parts: list[Mapping[str, Any]] = []
    for part in said:
        text = part if isinstance(part, str) else _text_of(part)
        if text is not None:
            texts.append(text)
        elif isinstance(part, Mapping):
            parts.append(_light(part))
    return ("\n".join(texts) if texts else None), tuple(parts)


def turns(messages: Iterable[Any], dropped: Counter[str]) -> list[Turn]:
    """The messages that can be read, without keys; the others are counted in `dropped` by reason."""
    read: list[Turn] = []
    for message in messages:
        found = turn(message)
        if isinstance(found, str):
            dropped[found] += 1
        else:
            read.append(found)
    return read


def exchange(asked: Iterable[Any], answers: Iterable[Any], dropped: Counter[str], *, model: str | None = None,
             asked_at: datetime | None = None, answered_at: datetime | None = None,
             names: tuple[tuple[str, str], ...] = ()) -> list[Turn]:
    """One request to a model: the history it was sent, and its answers beside each other, all named by what was said.

    Of the history only the last message is as old as the request. Several answers are siblings made for one asking: the
    first is the one that `names` mean, and on the main path until a later request shows which one was gone on with.
    """
    history = turns(asked, dropped)
    if history and history[-1].role != "assistant":
        history[-1] = replace(history[-1], created_at=asked_at)
    history = chained(history)
    before = history[-1].key if history else None
    given = [replace(answer, role="assistant", model=model, created_at=answered_at)
             for answer in turns(answers, dropped)]
    beside = (SIDE_BY_SIDE,) if len(given) > 1 else ()
    return history + [replace(chained([answer], before)[0], flags=(*answer.flags, *beside), on_main_path=place == 0,
                              names=() if place else names) for place, answer in enumerate(given)]


def once(read: Iterable[Turn], dropped: Counter[str]) -> list[Turn]:
    """The turns, those of a key that was before left out and counted."""
    known: dict[str, Turn] = {}
    for one in read:
        if one.key in known:
            dropped["repeated"] += 1
        known.setdefault(one.key, one)
    return list(known.values())


def asked(value: Any, depth: int = _WRAPPED) -> list[Any]:
    """The messages that a logged input holds: a list of them, an object around it, JSON of either, or a bare text."""
    value = parsed(value)
    if isinstance(value, Mapping) and not _is_message(value):
        held = next((value[name] for name in _INPUTS if value.get(name) is not None), None)
        return asked(held, depth - 1) if depth else []
    if isinstance(value, list):
        inner = value[0] if len(value) == 1 and isinstance(value[0], list) else value
        return [_by("user", item) if isinstance(item, str) else item for item in inner]
    return _single("user", value)


def answered(value: Any, depth: int = _WRAPPED) -> list[Any]:
    """The answers that a logged output holds: a message, choices, a list of either, JSON of them, or a bare text."""
    value = parsed(value)
    if isinstance(value, Mapping):
        if isinstance(value.get("choices"), list):
            return [choice.get("message", choice) if isinstance(choice, Mapping) else choice
                    for choice in value["choices"]]
        if isinstance(value.get("messages"), list):
            value = value["messages"]
    if isinstance(value, Mapping) and not _is_message(value) and "tool_calls" not in value:
        held = next((value[name] for name in _OUTPUTS if value.get(name) is not None), None)
        return answered(held, depth - 1) if depth else []
    if isinstance(value, list):
        return [_by("assistant", item) if isinstance(item, str) else item for item in value[-1:]]
    return _single("assistant", value)


def word(value: Any) -> str | None:
    """A name that the log gives, as text; None where it gives none."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def first(*values: Any) -> str | None:
    """The first of the values that names something."""
    return next((found for value in values if (found := word(value)) is not None), None)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object or JSON of one, else an empty one."""
    value = parsed(value)
    return value if isinstance(value, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """The value if it is a list or JSON of one, else an empty one."""
    value = parsed(value)
    return value if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """The value if it is a number that a table can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def parsed(value: Any) -> Any:
    """What a text holds, where it is the JSON of an object or a list; else the value itself."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return _mended(value) if "\\ud" in value.lower() else value
    return value


def _mended(text: str) -> Any:
    """What JSON holds that names halves of characters, each of them replaced; the text itself if it is none."""
    try:
        return orjson.loads(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        return text


def _is_message(value: Mapping[str, Any]) -> bool:
    return speaker(value.get("role")) is not None


def _single(role: str, value: Any) -> list[Any]:
    """One message or one bare text as a list of messages."""
    if isinstance(value, str):
        return [_by(role, value)] if value else []
    return [{"role": role, **value}] if isinstance(value, Mapping) else []


def _by(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def _text_of(part: Any) -> str | None:
    """The text of a part that is one."""
    if not isinstance(part, Mapping) or part.get("type") not in _TEXTS:
        return None
    text = part.get("text", part.get("content"))
    return text if isinstance(text, str) else None


def _aside(message: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What stands beside the content of a message: tool calls, reasoning."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            yield {"type": "tool_call", "call": _light(call)}
    if isinstance(message.get("function_call"), Mapping):
        yield {"type": "tool_call", "call": _light(message["function_call"])}
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(reasoning, str):
        yield {"type": "reasoning", "text": reasoning}


def _light(part: Mapping[str, Any]) -> dict[str, Any]:
    """The part, encoded bytes in it and in what it holds left out."""
    return {name: {inner: _without_bytes(value) for inner, value in held.items()} if isinstance(held, Mapping)
            else _without_bytes(held) for name, held in part.items()}


def _without_bytes(value: Any) -> Any:
    if isinstance(value, str) and len(value) >= 256 and _ENCODED.fullmatch(value):
        return f"({len(value)} encoded characters left out)"
    return value
