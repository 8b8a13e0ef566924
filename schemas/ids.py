"""Content-derived ids and draws: every id is a digest of what it names, every random draw of what it concerns."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

_ID_HEX = 24
_SPAN = 1 << 64
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The one byte string of a JSON value: keys sorted, no spaces, UTF-8, no NaN."""
    return _encode(value).encode()


def digest(*parts: Any) -> str:
    """A 24-hex-digit (96-bit) SHA-256 id of the parts, in order; parts are JSON values."""
    return hashlib.sha256(canonical(parts)).hexdigest()[:_ID_HEX]


def text_digest(text: str) -> str:
    """The id of a text, byte for byte."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_HEX]


def draw(seed: int, purpose: str, *ids: Any) -> float:
    """A uniform number in [0, 1) that depends on the seed, the purpose and the ids only, never on row order."""
    return _word(seed, purpose, ids) / _SPAN


def seed_of(*ids: Any) -> int:
    """A 31-bit seed for a model server, from the ids it concerns."""
    return _word(0, "seed", ids) >> 33


def shuffled(items: Iterable[Item], seed: int, purpose: str, *ids: Any) -> list[Item]:
    """The items in a random order that depends on (seed, purpose, ids) and the items, not on the order they came in.

    The items must be distinct JSON values (ids, as a rule).
    """
    head = hashlib.sha256(canonical([seed, purpose, *ids]))

    def place(item: Item) -> tuple[bytes, bytes]:
        name = canonical(item)
        own = head.copy()
        own.update(name)
        return own.digest(), name

    return sorted(items, key=place)


def pick(items: Sequence[Item], k: int, seed: int, purpose: str, *ids: Any) -> list[Item]:
    """Choose k items without replacement, in their given order; who is in depends on seed, purpose, ids only."""
    chosen = {canonical(item) for item in shuffled(items, seed, purpose, *ids)[:k]}
    return [item for item in items if canonical(item) in chosen]


def _word(seed: int, purpose: str, ids: Sequence[Any]) -> int:
    return int.from_bytes(hashlib.sha256(canonical([seed, purpose, *ids])).digest()[:8], "big")
