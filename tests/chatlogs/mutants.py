"""Records of chat logs, broken on purpose: cut off, of wrong types, huge, no UTF-8, with circles in their trees."""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import orjson

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 2**63, -(2**63), 1e308, -1.5, 1700000000, 1700000000123, "", " ", "x", "null", "1",
    "0" * 40, "\u0000", "user", "assistant", "e\u0301\U0001f600", "<EMAIL_1>", "{", '[{"role": "user"}]', "a\nb",
    [], {}, [[]], [None], ["x"], [{}], {"": None}, {"role": 3}, {"content": []}, {"text": {"value": 7}}, {"$date": "x"},
)
Draw = random.Random


def mutants(seeds: list[bytes], number: int, name: str) -> Iterator[bytes]:
    """So many broken copies of the seeds, each drawn by its own number: the same every time."""
    for place in range(number):
        draw = random.Random(f"{name} {place}")
        line = draw.choice(seeds)
        how = draw.choice(HOW)
        yield how(line, draw).replace(b"\n", b" ")


def _odd_values(line: bytes, draw: Draw) -> bytes:
    """One to four values replaced, removed or doubled, wherever they stand."""
    record = orjson.loads(line)
    for _ in range(draw.randint(1, 4)):
        holder, key = draw.choice(list(_places(record)))
        deed = draw.random()
        if deed < 0.7:
            holder[key] = deepcopy(draw.choice(ODD))
        elif deed < 0.85:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder[str(key) + "2"] = holder[key]
        if not record:
            break
    return orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS)


def _circles(line: bytes, draw: Draw) -> bytes:
    """Names put in the places of other names, so that parents lead in circles, or nowhere."""
    record = orjson.loads(line)
    texts = [(holder, key) for holder, key in _places(record) if isinstance(holder[key], str) and len(holder[key]) < 50]
    for _ in range(min(len(texts), draw.randint(1, 6))):
        (to, where), (source, what) = draw.choice(texts), draw.choice(texts)
        to[where] = source[what]
    return orjson.dumps(record)


def _cut(line: bytes, draw: Draw) -> bytes:
    return line[:draw.randrange(len(line))]


def _bytes(line: bytes, draw: Draw) -> bytes:
    changed = bytearray(line)
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _not_utf8(line: bytes, draw: Draw) -> bytes:
    place = draw.randrange(len(line))
    return line[:place] + draw.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80")) + line[place:]


def _huge(line: bytes, draw: Draw) -> bytes:
    """A value that is long, deep (as far as a parser goes, and farther), or many."""
    record = orjson.loads(line)
    holder, key = draw.choice(list(_places(record)))
    size = draw.randint(1, 2000)
    deep: Any = "end"
    for _ in range(min(size, 100)):
        deep = [deep] if size % 2 else {"content": deep}
    many = dict.fromkeys(map(str, range(size)))
    holder[key] = draw.choice(("far down", "word " * size, deep, [holder[key]] * (size % 50), many))
    return orjson.dumps(record).replace(b'"far down"', b"[" * size + b"]" * size)


HOW: tuple[Callable[[bytes, Draw], bytes], ...] = (
    _odd_values, _odd_values, _odd_values, _odd_values, _circles, _circles, _cut, _bytes, _not_utf8, _huge,
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value where another value could stand."""
    waiting = [value]
    for holder in waiting:
        for key, inner in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            yield holder, key
            if isinstance(inner, dict | list) and inner:
                waiting.append(inner)
