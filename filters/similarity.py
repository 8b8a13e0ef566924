"""How alike two texts are: the Jaccard similarity of their character 5-grams, counted with repetition.

Texts are compared in Unicode NFC, lower case, with every run of white space as one space and none at the ends. Of
text a take every run of five characters, as often as it occurs; then

    similarity(a, b) = sum over grams of min(count in a, count in b) / sum over grams of max(count in a, count in b)

which is 1 for equal texts and 0 for texts that share no gram; a text of fewer than five characters is one gram. One
changed character in a text of n costs at most ten grams in about n. Why this one: grams of characters need no word
boundaries (Chinese, code, formulas); counts, unlike sets, see that "ha ha" is not "ha ha ha ha"; the numbers of grams
alone bound it, similarity <= shorter / longer, so most pairs need no counting; and it takes one sort, where edit
distances take time quadratic in the length. Shingles are Broder's (1997).

Grams are compared by 40 bits of a hash: two different ones of a pair collide with a probability of one in 10^12.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

GRAM = 5

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ONE, _GRAM_BITS = np.uint64(1), np.uint64(40)
_BATCH = 1 << 18
"""Grams that are sorted together, so that they stay in the processor's cache."""


def normalised(texts: pl.Series) -> pl.Series:
    """The texts as they are compared."""
    text = pl.col("text")
    plain = text.str.len_bytes() == text.str.len_chars()
    composed = pl.coalesce(pl.when(~plain).then(text).str.normalize("NFC"), text).str.to_lowercase()
    spaced = composed.str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars()
    return texts.alias("text").to_frame().select(spaced)["text"]


def similarities(left: pl.Series, right: pl.Series, floor: float = 0.0) -> pl.Series:
    """The similarity of each pair of normalised texts; null where it cannot reach `floor`, seen from their lengths."""
    texts = pl.DataFrame({"left": left, "right": right})
    grams = texts.select((pl.col("left", "right").str.len_chars().cast(pl.Int64) - (GRAM - 1)).clip(1))
    bound = grams.min_horizontal() / grams.max_horizontal()
    able = np.flatnonzero((bound >= floor).to_numpy())
    total = grams.sum_horizontal().to_numpy()
    found = np.full(len(left), np.nan)
    for batch in _batches(able, total):
        part = texts[batch]
        shared = _shared(_words(part["left"]), _words(part["right"]), len(batch))
        found[batch] = shared / (total[batch] - shared)
    return pl.Series("similarity", found).fill_nan(None)


def _batches(rows: Rows, sizes: Rows) -> Iterator[Rows]:
    """The rows in runs of about _BATCH grams."""
    edges = np.flatnonzero(np.diff(np.cumsum(sizes[rows]) // _BATCH)) + 1
    yield from (run for run in np.split(rows, edges) if len(run))


def _words(texts: pl.Series) -> Words:
    """Every gram of every text as one word: the text's number in the high bits, the gram's hash in the low 40."""
    padded = texts.str.pad_end(GRAM, "\0")
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.uint64)
    lengths = padded.str.len_chars().to_numpy().astype(np.int64)
    words = np.zeros(len(codes) - (GRAM - 1), np.uint64)
    for place in range(GRAM):
        words = (words + codes[place:place + len(words)]) * _ODD
        words ^= words >> np.uint64(29)
    owner = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)[:len(words)]
    inside = np.repeat(np.cumsum(lengths) - GRAM, lengths)[:len(words)] >= np.arange(len(words))
    return (owner << _GRAM_BITS | words >> (np.uint64(64) - _GRAM_BITS))[inside]


def _shared(left: Words, right: Words, pairs: int) -> npt.NDArray[np.float64]:
    """For each pair, how many grams its texts share, counted with repetition."""
    words = np.concatenate([left << _ONE, right << _ONE | _ONE])
    words.sort()
    fresh = np.ones(len(words) + 1, np.bool_)
    np.not_equal(words[1:] >> _ONE, words[:-1] >> _ONE, out=fresh[1:-1])
    starts = np.flatnonzero(fresh)
    rights = np.diff(np.concatenate([[0], np.cumsum((words & _ONE).view(np.int64))])[starts])
    shared = np.minimum(rights, np.diff(starts) - rights)
    hits = np.flatnonzero(shared)
    owners = (words[starts[hits]] >> (_GRAM_BITS + _ONE)).astype(np.int64)
    return np.bincount(owners, weights=shared[hits], minlength=pairs).astype(np.float64)
