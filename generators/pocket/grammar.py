"""Constrained decoding: which tokens may come next, so that a reply is JSON of a schema the family was trained on.

A grammar is a stack of what must still come, topmost first, moved on byte by byte; a token may come if all its bytes
may. Between values stand the separators that `json.dumps` writes and no other white space: left free, small models
write spaces until they reach their limit.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Part = tuple[Any, ...]
"""`("text", bytes left)`, `("one of", bytes of each)`, or a kind of value with what it needs to go on."""
State = tuple[Part, ...]
"""The parts still to come; empty: the reply is complete."""
Masks = NDArray[np.bool_]

_TEXT = {"type": "string"}
TRAINED: Mapping[str, Mapping[str, Any]] = {
    "verdict": {
        "type": "object",
        "properties": {"rationale": _TEXT, "verdict": {"type": "string", "enum": ["A", "B", "tie", "both_bad"]}},
        "required": ["rationale", "verdict"], "additionalProperties": False,
    },
    "inputs": {
        "type": "object", "properties": {"inputs": {"type": "array", "items": {"type": "array"}}},
        "required": ["inputs"], "additionalProperties": False,
    },
}
"""The schemas that are enforced: a verdict of feedback/jury, the inputs of a function of feedback/testcases."""

_DEEPEST = 16
_MOST_MASKS = 4096
_HEX = frozenset(b"0123456789abcdefABCDEF")
_DIGITS = frozenset(b"0123456789")
_CONTINUED: Mapping[int, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(range(0xC2, 0xE0), ((0x80, 0xBF),)),
    **dict.fromkeys(range(0xE1, 0xF0), ((0x80, 0xBF),) * 2), 0xE0: ((0xA0, 0xBF), (0x80, 0xBF)),
    0xED: ((0x80, 0x9F), (0x80, 0xBF)),
    **dict.fromkeys(range(0xF1, 0xF4), ((0x80, 0xBF),) * 3), 0xF0: ((0x90, 0xBF), *((0x80, 0xBF),) * 2),
    0xF4: ((0x80, 0x8F), *((0x80, 0xBF),) * 2),
}
"""Which bytes may follow the first byte of a character beyond ASCII."""
_NUMBER: Mapping[str, Mapping[str, str]] = {
    "-": {"0": "zero", "1-9": "whole"}, "zero": {".": "point", "e": "e"},
    "whole": {"0": "whole", "1-9": "whole", ".": "point", "e": "e"}, "point": {"0": "part", "1-9": "part"},
    "part": {"0": "part", "1-9": "part", "e": "e"}, "e": {"+": "sign", "-": "sign", "0": "power", "1-9": "power"},
    "sign": {"0": "power", "1-9": "power"}, "power": {"0": "power", "1-9": "power"},
}
"""JSON's numbers: from a state and a kind of sign to the next state."""
_WHOLE_NUMBERS = ("zero", "whole", "part", "power")


def name_of(schema: object) -> str | None:
    """The name of a schema that is enforced; None for all others."""
    return next((name for name, known in TRAINED.items() if known == schema), None)


@cache
def start(name: str) -> State:
    """What must come for a reply of the schema of that name."""
    return _of(TRAINED[name])


def advance(state: State, byte: int) -> State | None:
    """What must come after the byte; None where it must not come here."""
    if not state:
        return None
    (kind, *about), rest = state[0], state[1:]
    moved: State | None = _MOVES[kind](byte, *about)
    if moved is not None:
        return moved + rest
    if kind == "number" and about[0] in _WHOLE_NUMBERS:  # only what follows shows that a number is over
        return advance(rest, byte)
    return None


class Grammar:
    """The masks over one vocabulary's tokens, remembered by state."""

    def __init__(self, pieces: Sequence[bytes], ends: frozenset[int]) -> None:
        self._pieces = pieces
        self._ends = ends
        self._masks: dict[State, Masks] = {}

    def allowed(self, state: State) -> Masks:
        """Which tokens may come; where the reply is complete, only those that end it."""
        if state not in self._masks:
            if len(self._masks) >= _MOST_MASKS:
                self._masks.clear()
            found = [self.after(state, token) is not None for token in range(len(self._pieces))]
            self._masks[state] = np.array(found)
        return self._masks[state]

    def after(self, state: State, token: int) -> State | None:
        """The state after a token; None where it must not come."""
        if token in self._ends:
            return None if state else ()
        reached: State | None = state if self._pieces[token] else None
        for byte in self._pieces[token]:
            reached = advance(reached, byte) if reached is not None else None
        return reached


def _of(schema: Mapping[str, Any], depth: int = 0) -> State:
    match schema:
        case {"enum": options}:
            return (("one of", tuple(json.dumps(option).encode() for option in options)),)
        case {"type": "object", "properties": properties}:
            parts: list[Part] = []
            for number, (name, inner) in enumerate(properties.items()):
                parts += [("text", f"{', ' if number else '{'}{json.dumps(name)}: ".encode()), *_of(inner, depth + 1)]
            return (*parts, ("text", b"}"))
        case {"type": "array"}:
            return (("text", b"["), ("first item", _frozen(schema.get("items")), depth + 1))
        case {"type": "string"}:
            return (("text", b'"'), ("string",))
    return (("any", depth),)


def _frozen(schema: Mapping[str, Any] | None) -> str:
    return json.dumps(schema or {})


def _text(byte: int, left: bytes) -> State | None:
    if byte != left[0]:
        return None
    return (("text", left[1:]),) if len(left) > 1 else ()


def _one_of(byte: int, options: tuple[bytes, ...]) -> State | None:
    left = tuple(option[1:] for option in options if option[:1] == bytes([byte]))
    if not left:
        return None
    return () if left == (b"",) else (("one of", left),)


def _string(byte: int) -> State | None:
    if byte == ord('"'):
        return ()
    if byte == ord("\\"):
        return (("escape",), ("string",))
    if byte in _CONTINUED:
        return (*(("byte", low, high) for low, high in _CONTINUED[byte]), ("string",))
    return (("string",),) if 0x20 <= byte < 0x80 else None


def _escape(byte: int) -> State | None:
    if byte == ord("u"):  # d is the first digit of halves of characters, which are no text when they stand alone
        return (("hex", b"dD"), ("hex", b""), ("hex", b""), ("hex", b""))
    return () if byte in b'"\\/bfnrt' else None


def _byte(byte: int, low: int, high: int) -> State | None:
    return () if low <= byte <= high else None


def _number(byte: int, state: str) -> State | None:
    sign = chr(byte).lower()
    reached = _NUMBER[state].get("1-9" if sign in "123456789" else sign)
    return (("number", reached),) if reached else None


def _any(byte: int, depth: int) -> State | None:
    """Any JSON value, nested no deeper than a parser likes."""
    sign = chr(byte)
    if sign == '"':
        return (("string",),)
    if sign == "-" or byte in _DIGITS:
        return (("number", "-" if sign == "-" else "zero" if sign == "0" else "whole"),)
    if sign in "tfn":
        return (("text", {"t": b"rue", "f": b"alse", "n": b"ull"}[sign]),)
    if depth < _DEEPEST and sign == "[":
        return (("first item", "{}", depth + 1),)
    if depth < _DEEPEST and sign == "{":
        return (("first name", depth + 1),)
    return None


def _first_item(byte: int, schema: str, depth: int) -> State | None:
    if byte == ord("]"):
        return ()
    item = _of(json.loads(schema), depth)
    moved = advance(item, byte)
    return None if moved is None else (*moved, ("more items", schema, depth))


def _more_items(byte: int, schema: str, depth: int) -> State | None:
    if byte == ord("]"):
        return ()
    item = _of(json.loads(schema), depth)
    return (("text", b" "), *item, ("more items", schema, depth)) if byte == ord(",") else None


def _first_name(byte: int, depth: int) -> State | None:
    return () if byte == ord("}") else _named(depth) if byte == ord('"') else None


def _more_names(byte: int, depth: int) -> State | None:
    return () if byte == ord("}") else (("text", b' "'), *_named(depth)) if byte == ord(",") else None


def _named(depth: int) -> State:
    return (("string",), ("text", b": "), ("any", depth), ("more names", depth))


_MOVES: Mapping[str, Any] = {
    "text": _text, "one of": _one_of, "string": _string, "escape": _escape, "byte": _byte, "number": _number,
    "any": _any, "first item": _first_item, "more items": _more_items, "first name": _first_name,
    "more names": _more_names, "hex": lambda byte, but: () if byte in _HEX and byte not in but else None,
}
