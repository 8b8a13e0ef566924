"""Chat messages: their type, their rules, and the ids that come from them."""

from collections.abc import Sequence
from typing import TypedDict

import pyarrow as pa

from schemas.errors import InputError
from schemas.ids import digest

ROLES = ("system", "developer", "user", "assistant", "tool")


class Message(TypedDict):
    """One turn: who speaks (one of ROLES) and what is said."""

    role: str
    content: str


MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))


def check_messages(value: object, where: str) -> list[Message]:
    """The value as messages, or an InputError that begins with `where` and says what is wrong and what to write."""
    remedy = 'write [{"role": "user", "content": "..."}]'
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: messages must be a list that is not empty; {remedy}")
    for number, turn in enumerate(value):
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
            raise InputError(f"{where}: message {number} has no text content; {remedy}")
        if turn.get("role") not in ROLES:
            raise InputError(f"{where}: message {number} has role {turn.get('role')!r}; use one of {', '.join(ROLES)}")
    return [{"role": turn["role"], "content": turn["content"]} for turn in value]


def prompt_id(messages: Sequence[Message], tools: str | None = None) -> str:
    """The id of a prompt: its canonical messages and tools, nothing else."""
    turns = [[turn["role"], turn["content"]] for turn in messages]
    return digest("prompt", turns, tools)
