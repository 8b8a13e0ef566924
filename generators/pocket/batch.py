"""Continuous batching for one model: replies join and leave between passes, prompts with a common beginning share it.

A pass holds one token of every reply that is being written, and as many chunks of prompts as still fit. Chunks that
were computed are kept, by a digest of all tokens up to their end: a judge that sees one conversation six times reads it
once.
"""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np

from generators.pocket.grammar import Grammar, State, start
from generators.pocket.llama import CHUNK, Cache, Llama, Piece
from generators.pocket.sampling import Wish, choose, log_chances, luck_of
from generators.pocket.tensors import Floats
from generators.pocket.vocabulary import Vocabulary

SLOTS = 40
"""How many replies are written at once."""
KEPT_CHUNKS = 384
"""How many chunks of prompts are remembered: some 50 MB for a model of 0.9 M parameters."""

Chance = tuple[int, float]
"""A token and its log-probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One reply to write."""

    number: int
    model: str
    tokens: list[int]
    """The prompt."""
    most: int
    """The most tokens to write."""
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int
    choice: int = 0
    """Which of the request's choices it is; each has random numbers of its own."""
    stop: list[str] = field(default_factory=list)
    schema: str | None = None
    """The name of the schema to enforce."""
    tops: int | None = None
    """How many alternatives to give for each token; None: no log-probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One reply, complete."""

    number: int
    text: str
    finish: str
    """`stop`, or `length` where it was cut."""
    tokens: int
    """How many were written, the one that ends the reply included."""
    chances: list[tuple[Chance, list[Chance]]] | None
    """For each token of the text its log-probability and the likeliest ones."""


@dataclass(slots=True, eq=False)
class _Draft:
    """A reply on its way."""

    order: Order
    cache: Cache
    keys: list[bytes]
    """What the whole chunks of the prompt are remembered by."""
    luck: Random
    state: State | None
    read: int = 0
    """How many tokens of the prompt are in the cache."""
    written: list[int] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    chances: list[tuple[Chance, list[Chance]]] = field(default_factory=list)
    finish: str | None = None

    @property
    def reading(self) -> bool:
        """Whether some of the prompt is still to be computed."""
        return self.read < len(self.order.tokens)


class Batch:
    """One model, and the replies it is writing."""

    def __init__(self, llama: Llama, vocabulary: Vocabulary) -> None:
        self._llama = llama
        self._pieces = vocabulary.pieces + [b""] * (llama.shape.vocabulary - len(vocabulary.pieces))
        self._grammar = Grammar(self._pieces, llama.shape.ends)
        self._waiting: deque[Order] = deque()
        self._drafts: list[_Draft] = []
        self._chunks: OrderedDict[bytes, tuple[Floats, Floats]] = OrderedDict()
        self.steady = llama.steady
        self.shared = 0
        """How many prompt tokens were taken from another's prompt."""

    @property
    def busy(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting or self._drafts)

    def add(self, order: Order) -> None:
        """Take an order; its reply comes out of a later step."""
        self._waiting.append(order)

    def cancel(self, number: int) -> None:
        """Forget an order that nobody waits for."""
        self._waiting = deque(order for order in self._waiting if order.number != number)
        self._drafts = [draft for draft in self._drafts if draft.order.number != number]

    def step(self) -> list[Written]:
        """One pass; gives the replies that it completed."""
        while self._waiting and len(self._drafts) < min(SLOTS, self._llama.most):
            self._drafts.append(self._begun(self._waiting.popleft()))
        planned = list(self._plan())
        logits = self._llama.forward([piece for _, piece in planned])
        for draft, piece in planned:
            if draft.reading:
                self._read_on(draft, len(piece.tokens))
        self._write([draft for draft, piece in planned if piece.last], logits)
        done = [draft for draft in self._drafts if draft.finish]
        self._drafts = [draft for draft in self._drafts if not draft.finish]
        return [_written(draft) for draft in done]

    def _begun(self, order: Order) -> _Draft:
        state = None if order.schema is None else start(order.schema)
        return _Draft(order, self._llama.room(len(order.tokens)), chunk_keys(order.tokens),
                      luck_of(order.seed, order.choice), state)

    def _plan(self) -> Iterator[tuple[_Draft, Piece]]:
        """A token of each draft whose prompt is read, then chunks of prompts; no chunk twice in one pass."""
        room, coming = self._llama.most, set[bytes]()
        for draft in self._drafts:
            if not draft.reading:
                room -= 1
                yield draft, Piece(draft.cache, draft.written[-1:], True)
        for draft in self._drafts:
            if not draft.reading:
                continue
            self._take_known(draft)
            tokens = draft.order.tokens[draft.read : draft.read + CHUNK]
            key = draft.keys[draft.read // CHUNK] if len(tokens) == CHUNK else b""
            if len(tokens) <= room and key not in coming:
                room -= len(tokens)
                coming |= {key} - {b""}
                yield draft, Piece(draft.cache, tokens, draft.read + len(tokens) == len(draft.order.tokens))

    def _take_known(self, draft: _Draft) -> None:
        """Take chunks that were computed for another prompt, but the last one, whose logits are wanted."""
        while draft.read + CHUNK < len(draft.order.tokens):
            key = draft.keys[draft.read // CHUNK]
            if key not in self._chunks:
                return
            self._chunks.move_to_end(key)
            draft.cache.take(*self._chunks[key])
            draft.read += CHUNK
            self.shared += CHUNK

    def _read_on(self, draft: _Draft, count: int) -> None:
        begin, draft.read = draft.read, draft.read + count
        if count == CHUNK:
            self._chunks[draft.keys[begin // CHUNK]] = draft.cache.copy(begin, draft.read)
            if len(self._chunks) > KEPT_CHUNKS:
                self._chunks.popitem(last=False)

    def _write(self, drafts: list[_Draft], logits: Floats) -> None:
        """The next token of each draft."""
        if not drafts:
            return
        tokens = choose(logits, [self._wish(draft) for draft in drafts])
        for draft, token, row in zip(drafts, tokens, logits, strict=True):
            draft.written.append(token)
            if token in self._llama.shape.ends:
                draft.finish = "stop"
                continue
            draft.said += self._pieces[token]
            if draft.order.tops is not None:
                draft.chances.append(_chances(row, token, draft.order.tops))
            self._end(draft, token)

    def _wish(self, draft: _Draft) -> Wish:
        heat = draft.order.temperature
        return Wish(temperature=heat, top_p=draft.order.top_p, luck=draft.luck.random() if heat > 0 else 0.0,
                    allowed=None if draft.state is None else self._grammar.allowed(draft.state))

    def _end(self, draft: _Draft, token: int) -> None:
        """Whether the reply is over: its schema is fulfilled, a stop text came, or its length is reached."""
        if draft.state is not None:
            draft.state = self._grammar.after(draft.state, token)
        stops = [at for text in draft.order.stop if (at := draft.said.find(text.encode())) >= 0]
        if stops:
            del draft.said[min(stops) :]
        if stops or draft.state == ():
            draft.finish = "stop"
        elif len(draft.written) == draft.order.most:
            draft.finish = "length"


def chunk_keys(tokens: list[int]) -> list[bytes]:
    """A digest for each whole chunk of a prompt, of all tokens up to its end."""
    keys, so_far = [], hashlib.blake2b(digest_size=16)
    for begin in range(0, len(tokens) - CHUNK + 1, CHUNK):
        so_far.update(np.array(tokens[begin : begin + CHUNK], np.int32).tobytes())
        keys.append(so_far.digest())
    return keys


def _chances(row: Floats, token: int, tops: int) -> tuple[Chance, list[Chance]]:
    found = log_chances(row)
    best = np.argsort(-found, kind="stable")[:tops]
    return (token, float(found[token])), [(int(one), float(found[one])) for one in best]


def _written(draft: _Draft) -> Written:
    assert draft.finish is not None, "only complete drafts are told"
    return Written(number=draft.order.number, text=draft.said.decode(errors="replace"), finish=draft.finish,
                   tokens=len(draft.written), chances=draft.chances if draft.order.tops is not None else None)
