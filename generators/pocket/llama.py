"""A Llama in numpy: many sequences in one pass, and a result that does not depend on who else is in it.

Activations lie column by column, one token a column. A BLAS may add in another order at the edges of a matrix, so that
a token's numbers would differ in the last bits with its place in the batch. Hence every product has one of a few fixed
widths, tokens stand only in the columns that were seen, when the model was loaded, to come out alike, and attention is
computed for each sequence alone, in the pieces that its own length prescribes. The same request then gives the same
logits bit for bit in any company, from the prefix cache or without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from generators.pocket.tensors import Floats, Shape

CHUNK = 32
"""Prompts are computed in pieces of so many tokens, cut at multiples of it."""
WIDTHS = (32, 64, 128, 256)
_FIRST_ROOM, _GROWTH = 128, 256


class Cache:
    """The keys and values of one sequence."""

    def __init__(self, shape: Shape, room: int) -> None:
        self.length = 0
        self.keys, self.values = _buffers(shape, room)

    def reserve(self, length: int) -> None:
        """Make room for so many tokens."""
        room = self.keys.shape[-1]
        if length <= room:
            return
        layers, heads, size, _ = self.keys.shape
        keys, values = _empty(layers, heads, size, max(length, room + _GROWTH))
        keys[..., :room], values[..., :room] = self.keys, self.values
        self.keys, self.values = keys, values

    def take(self, keys: Floats, values: Floats) -> None:
        """Append what another sequence has computed for the same tokens."""
        end = self.length + keys.shape[-1]
        self.keys[..., self.length : end], self.values[:, :, :-1, self.length : end] = keys, values
        self.length = end

    def copy(self, start: int, end: int) -> tuple[Floats, Floats]:
        """Keys and values of some tokens, for others to take."""
        return self.keys[..., start:end].copy(), self.values[:, :, :-1, start:end].copy()


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens that follow what is in a cache: one that was written, or a chunk of a prompt."""

    cache: Cache
    tokens: Sequence[int]
    last: bool
    """Whether the logits after its last token are wanted."""


class Llama:
    """One model's weights, ready to compute."""

    def __init__(self, shape: Shape, weights: Mapping[str, Floats]) -> None:
        self.shape = shape
        self._embed = weights["model.embed_tokens.weight"]
        self._layers = [_layer(shape, weights, f"model.layers.{number}.") for number in range(shape.layers)]
        self._head = weights.get("lm_head.weight", self._embed) * weights["model.norm.weight"]
        self._turn = _rotations(shape)
        found = steady_columns([*self._layers[0].values(), self._head])
        self.steady = bool(found)
        """Whether this machine's products have columns that come out alike; else results differ in the last bits."""
        self._columns = found or {width: (0, width) for width in WIDTHS}
        self.most = max(end - start for start, end in self._columns.values())
        """The most tokens that one pass can hold."""

    def room(self, length: int) -> Cache:
        """An empty cache for a sequence that begins with so many tokens."""
        return Cache(self.shape, length + _FIRST_ROOM)

    def forward(self, pieces: Sequence[Piece]) -> Floats:
        """Append the pieces to their caches; gives a row of logits for each piece that wants them, in order."""
        spans, count = [], 0
        for piece in pieces:
            spans.append(slice(count, count + len(piece.tokens)))
            count += len(piece.tokens)
            piece.cache.reserve(piece.cache.length + len(piece.tokens))
        width, start = self._place(count)
        tokens = [token for piece in pieces for token in piece.tokens]
        places = np.concatenate([np.arange(len(p.tokens)) + p.cache.length for p in pieces])
        x = np.zeros((self.shape.hidden, width), np.float32)
        x[:, start : start + count] = self._embed[tokens].T
        cosines, sines = (np.zeros((self.shape.head_size // 2, width), np.float32) for _ in range(2))
        cosines[:, start : start + count], sines[:, start : start + count] = self._turn[:, :, places]
        inside = slice(start, start + count)
        with np.errstate(over="ignore"):  # exp of a large number is infinite, as it should be
            for number, layer in enumerate(self._layers):
                x += layer["out"] @ self._attention(number, layer["qkv"] @ self._normal(x), cosines, sines,
                                                    pieces, spans, inside)
                x += layer["down"] @ _gated(layer["gate_up"] @ self._normal(x))
        for piece in pieces:
            piece.cache.length += len(piece.tokens)
        last = [start + span.stop - 1 for piece, span in zip(pieces, spans, strict=True) if piece.last]
        return self._logits(x[:, last])

    def _place(self, count: int) -> tuple[int, int]:
        """The smallest width that holds so many tokens, and its first good column."""
        return next((width, start) for width, (start, end) in self._columns.items() if end - start >= count)

    def _logits(self, x: Floats) -> Floats:
        """A row of logits for each column, computed in products of the fixed widths too."""
        rows = np.empty((x.shape[1], len(self._head)), np.float32)
        for begin in range(0, x.shape[1], self.most):
            part = x[:, begin : begin + self.most]
            width, start = self._place(part.shape[1])
            padded = np.zeros((x.shape[0], width), np.float32)
            padded[:, start : start + part.shape[1]] = part
            product = self._head @ self._normal(padded)
            rows[begin : begin + part.shape[1]] = product[:, start : start + part.shape[1]].T
        return rows

    def _normal(self, x: Floats) -> Floats:
        """Each column divided by its root mean square; the norm's own weights are in the matrix that follows."""
        mean: Floats = np.add.reduce(x * x, axis=0) / np.float32(len(x))
        normal: Floats = x / np.sqrt(mean + np.float32(self.shape.epsilon))
        return normal

    def _attention(self, number: int, qkv: Floats, cosines: Floats, sines: Floats, pieces: Sequence[Piece],
                   spans: Sequence[slice], inside: slice) -> Floats:
        shape, width = self.shape, qkv.shape[1]
        size, both = shape.head_size, 2 * shape.heads * shape.head_size
        half = qkv[:both].reshape(2 * shape.heads, 2, size // 2, width)
        turned = np.empty_like(half)
        np.subtract(half[:, 0] * cosines, half[:, 1] * sines, out=turned[:, 0])
        np.add(half[:, 1] * cosines, half[:, 0] * sines, out=turned[:, 1])
        turned = turned.reshape(2, shape.heads, size, width)[..., inside]
        queries, keys = np.ascontiguousarray(turned[0].transpose(2, 0, 1)), turned[1]
        values = qkv[both:].reshape(shape.heads, size, width)[..., inside]
        for piece, span in zip(pieces, spans, strict=True):
            begin, end = piece.cache.length, piece.cache.length + len(piece.tokens)
            piece.cache.keys[number, :, :, begin:end] = keys[..., span]
            piece.cache.values[number, :, :-1, begin:end] = values[..., span]
        mixed = np.zeros((width, shape.heads, size + 1), np.float32)
        mixed[:, :, size] = 1
        _mix(number, queries, pieces, spans, mixed[inside])
        mixed[..., :size] /= mixed[..., size:]
        return np.ascontiguousarray(mixed[..., :size].reshape(width, -1).T)


def _mix(number: int, queries: Floats, pieces: Sequence[Piece], spans: Sequence[slice], mixed: Floats) -> None:
    """For each token, the values it attends to, weighted; the sum of weights, by which to divide, comes last."""
    alone = [(piece, span.start) for piece, span in zip(pieces, spans, strict=True) if len(piece.tokens) == 1]
    if alone:
        longest = max(piece.cache.length for piece, _ in alone) + 1
        scores = np.full((len(alone), queries.shape[1], 1, longest), -np.inf, np.float32)
        for place, (piece, column) in enumerate(alone):
            end = piece.cache.length + 1
            np.matmul(queries[column, :, None], piece.cache.keys[number, :, :, :end], out=scores[place, ..., :end])
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        for place, (piece, column) in enumerate(alone):
            end = piece.cache.length + 1
            seen = piece.cache.values[number, :, :, :end] @ scores[place, :, 0, :end, None]
            mixed[column] = seen[..., 0]
    for piece, span in zip(pieces, spans, strict=True):
        if (count := len(piece.tokens)) > 1:
            begin, end = piece.cache.length, piece.cache.length + count
            weights = queries[span].transpose(1, 0, 2) @ piece.cache.keys[number, :, :, :end]
            weights[..., begin:] += _FUTURE[:count, :count]
            weights -= weights.max(axis=-1, keepdims=True)
            np.exp(weights, out=weights)
            seen = weights @ piece.cache.values[number, :, :, :end].transpose(0, 2, 1)
            mixed[span] = seen.transpose(1, 0, 2)


def steady_columns(matrices: Sequence[Floats]) -> dict[int, tuple[int, int]]:
    """For each fixed width, the longest run of columns whose products come out bit for bit alike in all widths.

    Empty where no width has a chunk of them, as when a BLAS shares a product among threads.
    """
    steady = {width: np.ones(width, bool) for width in WIDTHS}
    for matrix in matrices:
        column = np.random.default_rng(len(matrix)).standard_normal((matrix.shape[1], 1), np.float32)
        middle = (matrix @ np.repeat(column, WIDTHS[-1], 1))[:, WIDTHS[-1] // 2, None]
        for width, good in steady.items():
            good &= (matrix @ np.repeat(column, width, 1) == middle).all(axis=0)
    runs = {width: _longest_run(good) for width, good in steady.items()}
    usable = {width: run for width, run in runs.items() if run[1] - run[0] >= width // 4}
    return usable if any(end - start >= CHUNK for start, end in usable.values()) else {}


def _longest_run(good: np.typing.NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8))).reshape(-1, 2)
    return max(((int(a), int(b)) for a, b in edges), key=lambda run: run[1] - run[0], default=(0, 0))


def _gated(both: Floats) -> Floats:
    gate, up = np.split(both, 2)
    gated: Floats = gate / (1 + np.exp(-gate)) * up
    return gated


def _layer(shape: Shape, weights: Mapping[str, Floats], name: str) -> dict[str, Floats]:
    """A layer's matrices: norms and the attention's scale multiplied in, those of the same input joined."""
    before, after = weights[f"{name}input_layernorm.weight"], weights[f"{name}post_attention_layernorm.weight"]
    query, key, value, out = (weights[f"{name}self_attn.{part}_proj.weight"] for part in "qkvo")
    key, value = (_for_each_head(shape, matrix) for matrix in (key, value))
    scale = np.float32(shape.head_size**-0.5)
    gate, up, down = (weights[f"{name}mlp.{part}_proj.weight"] for part in ("gate", "up", "down"))
    return {"qkv": np.concatenate([query * scale, key, value]) * before, "out": out,
            "gate_up": np.concatenate([gate, up]) * after, "down": down}


def _for_each_head(shape: Shape, matrix: Floats) -> Floats:
    """Keys or values for each head, where several heads share one."""
    groups = matrix.reshape(shape.key_heads, shape.head_size, -1)
    return np.repeat(groups, shape.heads // shape.key_heads, axis=0).reshape(-1, matrix.shape[1])


def _rotations(shape: Shape) -> Floats:
    """Cosines and sines of the rotary embedding: (2, half a head, place)."""
    speeds = shape.rope_base ** (-np.arange(0, shape.head_size, 2) / shape.head_size)
    angles = speeds[:, None] * np.arange(shape.context)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def _buffers(shape: Shape, room: int) -> tuple[Floats, Floats]:
    return _empty(shape.layers, shape.heads, shape.head_size, room)


def _empty(layers: int, heads: int, size: int, room: int) -> tuple[Floats, Floats]:
    """Room for keys and values; a last row of ones among the values makes their product end in the weights' sum."""
    values = np.empty((layers, heads, size + 1, room), np.float32)
    values[:, :, size] = 1
    return np.empty((layers, heads, size, room), np.float32), values


_FUTURE = np.triu(np.full((CHUNK, CHUNK), -np.inf, np.float32), 1)
"""What hides the tokens of a chunk from those before them."""
