"""From logits to tokens: temperature, top_p, a grammar's mask, and each request's own random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.pocket.grammar import Masks
from generators.pocket.tensors import Floats

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the next token of one reply is chosen."""

    temperature: float
    """0: the likeliest token."""
    top_p: float
    luck: float
    """A uniform random number in [0, 1), of the request's own; 0 where the temperature is."""
    allowed: Masks | None = None
    """The tokens that may come; None: all."""


def choose(logits: Floats, wishes: Sequence[Wish]) -> list[int]:
    """A token for each row; a row's token does not depend on the other rows."""
    masked = np.where(_masks(logits, wishes), logits, -np.inf).astype(np.float64)
    tokens = masked.argmax(axis=1)
    drawn = [row for row, wish in enumerate(wishes) if wish.temperature > 0]
    if drawn:
        heat = np.array([wishes[row].temperature for row in drawn])[:, None]
        chances = softmax(masked[drawn] / heat)
        for place, row in enumerate(drawn):
            if wishes[row].top_p < 1:
                chances[place] = _nucleus(chances[place], wishes[row].top_p)
        sums = np.cumsum(chances, axis=1)
        luck = np.array([wishes[row].luck for row in drawn])[:, None] * sums[:, -1:]
        luck = np.minimum(luck, np.nextafter(sums[:, -1:], 0))  # rounded up to the whole, it would be nobody's
        tokens[drawn] = (sums <= luck).sum(axis=1)
    return [int(token) for token in tokens]


def log_chances(logits: Floats) -> Probabilities:
    """Log-probabilities of all tokens, as the model has them: before temperature, top_p and grammar."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    found: Probabilities = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return found


def softmax(logits: Probabilities) -> Probabilities:
    """Probabilities, row by row."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Probabilities = weights / weights.sum(axis=1, keepdims=True)
    return found


def luck_of(seed: Any, choice: int) -> Random:
    """The random numbers of one choice of one request."""
    return Random(f"{seed} {choice}")


def _nucleus(chances: Probabilities, top_p: float) -> Probabilities:
    """The likeliest tokens that together reach top_p; the others get none."""
    order = np.argsort(-chances, kind="stable")
    before = np.cumsum(chances[order]) - chances[order]
    kept = chances.copy()
    kept[order[1:][before[1:] >= top_p]] = 0  # one token always stays
    return kept


def _masks(logits: Floats, wishes: Sequence[Wish]) -> Masks:
    everything = np.ones(logits.shape[1], bool)
    return np.stack([everything if wish.allowed is None else wish.allowed for wish in wishes])
