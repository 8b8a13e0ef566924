"""Values as strict tagged JSON: None, bool, int, float, complex, str, bytes, list, tuple, dict, set and frozenset only.

encode writes the one text of a value: equal values of equal types encode equally (sets and dicts are sorted), and every
text decodes to the value it came from. Subclasses are refused, so no value carries code. decode trusts nothing: it is
bounded in size and depth and refuses any text that encode would not have written.

Plain JSON stands for None, bool, int, finite float, str and list; an object with one key for the rest: {"t": tuple},
{"d": [[key, value], ...]}, {"s": set}, {"z": frozenset}, {"b": bytes in hex}, {"c": [real, imaginary]}, {"f": "nan"},
{"i": a large int in hex}, {"u": a str with lone surrogates, as code points}. Only the standard library is imported:
the same file serves inside the sandbox and outside.
"""

import json
import math
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
MAX_CHARS = 16_000_000
PLAIN_BITS = 1024
"""Larger integers are written in hex: decimal digits cost quadratic time, and Python refuses more than 4300."""

_PLAIN = frozenset({type(None), bool, str, int, float})
_written = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False)
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
"""What json.dumps and json.loads come to: these make an encoder for each text, and look for spaces around it."""


class Unsupported(ValueError):
    """A value that is none of the built-in types, lies too deep, or is too large; or a text that encodes no value."""


def dumped(tree: Any) -> str:
    """JSON without spaces."""
    return "".join(_written(tree, 0))


def scanned(text: str) -> tuple[Any, int]:
    """What JSON says that begins with the text, and where it ends; raises ValueError or StopIteration."""
    tree, end = _scan(text, 0)
    return tree, end


def encode(value: Any, limit: int = MAX_CHARS, ordered: bool = False) -> str:
    """The canonical text of a value; raises Unsupported where it holds another type or is longer than `limit`.

    With `ordered` dicts keep their order: for arguments, which programs may go through in that order.
    """
    try:
        text = dumped((_tree_in_order if ordered else _tree)(value, 0))
    except (RecursionError, OverflowError) as error:
        raise Unsupported(f"a value that cannot be written: {type(error).__name__}") from None
    if len(text) > limit:
        raise Unsupported(f"a value of {len(text)} characters, more than {limit}")
    return text


def decode(text: str, limit: int = MAX_CHARS, ordered: bool = False, trusted: bool = False) -> Any:
    """The value of a text that encode wrote; raises Unsupported for any other text, or most others if it is trusted."""
    if len(text) > limit:
        raise Unsupported(f"a text of {len(text)} characters, more than {limit}")
    try:
        tree, end = scanned(text)
        value = _value(tree, 0)
    except Unsupported:
        raise
    except (StopIteration, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise Unsupported(f"not an encoded value: {type(error).__name__}") from None
    if end != len(text) or not (trusted or encode(value, limit, ordered) == text):
        raise Unsupported("not the canonical text of its value")
    return value


def same_value(expected: Any, got: Any, tolerance: float = 0.0) -> bool:
    """Whether two decoded values are equal as Python's == has it, with NaN equal to NaN.

    Where the expected number is a float (or complex), `tolerance` is allowed, absolute or relative, whichever is wider.
    """
    if type(expected) is float and type(got) in (float, int, bool):
        return _near(expected, got, tolerance)
    if type(expected) is complex and type(got) in (complex, float, int, bool):
        other = complex(got)
        return _near(expected.real, other.real, tolerance) and _near(expected.imag, other.imag, tolerance)
    if type(expected) in (list, tuple) and type(expected) is type(got):
        return len(expected) == len(got) and all(
            same_value(one, other, tolerance) for one, other in zip(expected, got, strict=True))
    if type(expected) is dict and type(got) is dict:
        return expected.keys() == got.keys() and all(
            same_value(value, got[key], tolerance) for key, value in expected.items())
    return bool(expected == got)


def _near(expected: float, got: float, tolerance: float) -> bool:
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return True
    try:
        return tolerance > 0 and math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def _tree(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is list:
        return _items(value, depth)
    if kind in _WRITERS:
        return _WRITERS[kind](value, depth)
    if kind is bool or value is None:
        return value
    raise Unsupported(f"a value of type {str(kind.__name__)[:60]}")


def _tree_in_order(value: Any, depth: int) -> Any:
    """The same, but dicts in their order; they may stand in lists, tuples and dicts, never in sets."""
    if type(value) is dict:
        pairs = [[_tree_in_order(key, depth + 1), _tree_in_order(held, depth + 1)] for key, held in value.items()]
        return {"d": _shallow(pairs, depth)}
    if type(value) is list or type(value) is tuple:
        items = _shallow([_tree_in_order(each, depth + 1) for each in _shallow(value, depth)], depth)
        return items if type(value) is list else {"t": items}
    return _tree(value, depth)


def _shallow(values: Any, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise Unsupported(f"a value nested deeper than {MAX_DEPTH}")
    return values


def _items(values: Any, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise Unsupported(f"a value nested deeper than {MAX_DEPTH}")
    return [_tree(value, depth + 1) for value in values]


def _sorted_items(values: Any, depth: int) -> list[Any]:
    return sorted(_items(values, depth), key=dumped)


def _pairs(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    keys = _items(value, depth)
    values = _items(value.values(), depth)
    return {"d": sorted(([key, held] for key, held in zip(keys, values, strict=True)), key=dumped)}


def _int(value: int, depth: int) -> Any:
    return value if value.bit_length() <= PLAIN_BITS else {"i": hex(value)}


def _float(value: float, depth: int) -> Any:
    return value if math.isfinite(value) else {"f": repr(value)}


def _str(value: str, depth: int) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"u": [ord(letter) for letter in value]}
    return value


_WRITERS: dict[type, Callable[[Any, int], Any]] = {
    int: _int, float: _float, str: _str, dict: _pairs,
    bytes: lambda value, depth: {"b": value.hex()},
    complex: lambda value, depth: {"c": [_float(value.real, depth), _float(value.imag, depth)]},
    tuple: lambda value, depth: {"t": _items(value, depth)},
    set: lambda value, depth: {"s": _sorted_items(value, depth)},
    frozenset: lambda value, depth: {"z": _sorted_items(value, depth)},
}


def _value(tree: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unsupported(f"a value nested deeper than {MAX_DEPTH}")
    if type(tree) is list:
        return [_value(item, depth + 1) for item in tree]
    if type(tree) is not dict:
        return tree
    (tag, held), = tree.items()
    return _READERS[tag](held, depth)


def _several(held: Any, depth: int) -> list[Any]:
    if type(held) is not list:
        raise Unsupported("not an encoded value: a collection without items")
    values: list[Any] = _value(held, depth)
    return values


def _read_dict(held: Any, depth: int) -> dict[Any, Any]:
    pairs = [(_value(key, depth + 1), _value(value, depth + 1)) for key, value in held]
    made: dict[Any, Any] = _whole(dict(pairs), pairs)
    return made


def _whole(made: Any, items: list[Any]) -> Any:
    if len(made) != len(items):
        raise Unsupported("not an encoded value: equal items in a set or dict")
    return made


def _read_set(kind: type) -> Callable[[Any, int], Any]:
    def read(held: Any, depth: int) -> Any:
        items = _several(held, depth)
        return _whole(kind(items), items)

    return read


def _read_complex(held: Any, depth: int) -> complex:
    real, imaginary = _several(held, depth)
    if type(real) is not float or type(imaginary) is not float:
        raise Unsupported("not an encoded value: a complex number of other parts")
    return complex(real, imaginary)


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "t": lambda held, depth: tuple(_several(held, depth)),
    "d": _read_dict, "s": _read_set(set), "z": _read_set(frozenset),
    "b": lambda held, depth: bytes.fromhex(held),
    "c": _read_complex,
    "f": lambda held, depth: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[held],
    "i": lambda held, depth: int(held, 16),
    "u": lambda held, depth: "".join(map(chr, held)),
}
