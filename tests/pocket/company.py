"""Whether a token's logits depend on who else is in the pass: python -m tests.pocket.company FOLDER, on one thread."""

import json
import sys
from pathlib import Path

import numpy as np

from generators.pocket.llama import CHUNK, Cache, Llama, Piece
from generators.pocket.tensors import read_shape, read_weights


def tokens(count: int, seed: int = 0) -> list[int]:
    """A prompt."""
    return [int(token) for token in np.random.default_rng(seed).integers(6, 300, count)]


def read(llama: Llama, prompt: list[int]) -> tuple[Cache, np.ndarray]:
    """The cache of a prompt that is read alone, and the logits after it."""
    cache = llama.room(len(prompt))
    for start in range(0, len(prompt), CHUNK):
        logits = llama.forward([Piece(cache, prompt[start:start + CHUNK], start + CHUNK >= len(prompt))])
    return cache, logits[0]


def same_in_company(llama: Llama) -> bool:
    """A reply of twelve tokens, alone and among thirty others of other lengths, always in another place."""
    alone, wanted = read(llama, tokens(41, seed=1))
    among, logits = read(llama, tokens(41, seed=1))
    crowd = [read(llama, tokens(3 + 7 * number, seed=number))[0] for number in range(30)]
    same = np.array_equal(wanted, logits)
    for step in range(12):
        [wanted] = llama.forward([Piece(alone, [50 + step], True)])
        pieces = [Piece(cache, [9 + step], True) for cache in crowd]
        pieces.insert(step * 2, Piece(among, [50 + step], True))
        pieces.insert(step, Piece(llama.room(30), tokens(30), False))
        same &= np.array_equal(llama.forward(pieces)[step * 2], wanted)
    return same


def same_from_chunks(llama: Llama) -> bool:
    """A prompt whose first chunks are taken from another's cache."""
    prompt = tokens(100)
    cache, logits = read(llama, prompt)
    other = llama.room(100)
    other.take(*cache.copy(0, 64))
    llama.forward([Piece(other, prompt[64:96], False)])
    return np.array_equal(llama.forward([Piece(other, prompt[96:], True)])[0], logits) and np.array_equal(
        other.keys[..., :100], cache.keys[..., :100])


def same_in_narrow_room(llama: Llama) -> bool:
    """A cache that must grow, and one that is large enough."""
    wide, narrow = Cache(llama.shape, 400), Cache(llama.shape, 40)
    same, prompt = True, tokens(40)
    for cache in (wide, narrow):
        llama.forward([Piece(cache, prompt[:32], False)])
        llama.forward([Piece(cache, prompt[32:], True)])
    for token in tokens(30, seed=3):
        near, far = (llama.forward([Piece(cache, [token], True)])[0] for cache in (narrow, wide))
        same &= np.array_equal(near, far)
    return same


if __name__ == "__main__":
    model = Llama(read_shape(Path(sys.argv[1])), read_weights(Path(sys.argv[1]) / "model.safetensors"))
    sys.stdout.write(json.dumps({"steady": model.steady, "company": same_in_company(model),
                                 "chunks": same_from_chunks(model), "room": same_in_narrow_room(model)}))
