"""A small learned filter: the chance that a turn holds feedback, from its words and its cues, in place of cues alone.

Logistic regression on hashed words and word pairs (TF-IDF) and on the measured cues, in numpy, trained on the labels of
the detector and the validator of this very project: about two thousand turns will do. Its threshold is chosen on the
audit sample for a recall that is asked for. At a recall of .80 such a filter passes about half of all turns, at .95
about seven in ten: it is worth its while where a model's time is dear.
"""

import re
import zlib
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from schemas.errors import ConfigError, InputError
from schemas.ids import text_digest
from schemas.turn_cues import CUE_FAMILIES

BUCKETS = 2048
MOST = 600
"""Characters of a turn that are read."""
_MEASURED = (*CUE_FAMILIES, "similarity", "pasted_error", "characters", "code_ratio")
_WORD = re.compile(r"\w+")
_BATCH = 4096
_STEPS, _RATE, _DECAY = 400, 1.0, 1e-3
_PLACES = 6
"""Decimals of a weight: what adds up in another order on another machine is the same in these."""

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained filter."""

    weights: tuple[float, ...]
    """One for each bucket, then one for each measured cue, then the constant."""
    rarity: tuple[float, ...]
    """The IDF of each bucket."""
    threshold: float
    """The chance from which a turn is flagged."""
    trained_on: int
    recall: float
    """The recall that the threshold was chosen for."""

    @property
    def digest(self) -> str:
        """The id of the file that this filter is."""
        return text_digest(self.text)

    @property
    def text(self) -> str:
        """The filter as JSON."""
        return orjson.dumps({"weights": self.weights, "rarity": self.rarity, "threshold": self.threshold,
                             "trained_on": self.trained_on, "recall": self.recall}).decode()

    def scores(self, turns: pl.DataFrame) -> pl.Series:
        """The chance of each turn that holds the columns of TURN_CUES and its text as `evidence`."""
        parts = [_chance(_rows(part, np.array(self.rarity)), np.array(self.weights))
                 for part in turns.iter_slices(_BATCH)]
        return pl.Series("learned", np.concatenate(parts).round(_PLACES) if parts else [], pl.Float64)


def train(turns: pl.DataFrame, holds: pl.Series, inclusion: pl.Series, recall: float) -> Classifier:
    """A filter from turns (TURN_CUES and `evidence`), whether each holds feedback, and how likely it was to be asked.

    `inclusion` is 1 for flagged turns and the audit's share for those of the audit sample: a turn that stands for
    thirty others counts thirty times, in training and where the threshold is chosen. Of every five turns one, by its
    id, is kept from training, and the threshold is chosen on these. Raises ConfigError where there is nothing to learn.
    """
    if not 0 < recall < 1:
        raise ConfigError(f"train: recall={recall!r} must be between 0 and 1, for example 0.9")
    # By id, so that the order of rows means nothing, not even to the last digit of a sum.
    given = turns.with_columns(holds=holds.cast(pl.Float64), inclusion=inclusion).sort("evidence_msg_id")
    kept = np.array([zlib.crc32(name.encode()) % 5 == 0 for name in given["evidence_msg_id"]], dtype=bool)
    target, weight = given["holds"].to_numpy(), 1.0 / given["inclusion"].to_numpy()
    for part, what in ((~kept, "train on"), (kept, "choose the threshold on")):
        if not 0 < target[part].sum() < part.sum():
            raise ConfigError(f"train: there are not both turns with and without feedback to {what}; label more turns")
    rarity = _rarity(given["evidence"].filter(pl.Series(~kept)))
    rows = _rows(given, rarity)
    weights = _fitted(rows[~kept], target[~kept], weight[~kept]).round(_PLACES)
    chance = _chance(rows[kept], weights).round(_PLACES)
    return Classifier(tuple(weights.tolist()), tuple(rarity.tolist()),
                      threshold_for(chance, target[kept], weight[kept], recall), given.height, recall)


def threshold_for(chance: Rows, holds: Rows, weight: Rows, recall: float) -> float:
    """The highest threshold at which turns with feedback, by weight, are flagged to at least this share."""
    order = np.argsort(-chance, kind="stable")
    found = np.cumsum((holds * weight)[order])
    enough = int(np.searchsorted(found, recall * found[-1] - 1e-12))
    return float(chance[order][enough])


def save(classifier: Classifier, path: Path) -> None:
    """Write the filter to a JSON file."""
    path.write_text(classifier.text, encoding="utf-8")


def load(path: Path) -> Classifier:
    """The filter of a file; raises InputError where it is none."""
    try:
        told: dict[str, Any] = orjson.loads(path.read_bytes())
        found = Classifier(tuple(map(float, told["weights"])), tuple(map(float, told["rarity"])),
                           float(told["threshold"]), int(told["trained_on"]), float(told["recall"]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); train a filter, or leave `learned` out") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: is no learned filter; train one with feedback.chatlogs.classifier.train") from None
    if (len(found.weights), len(found.rarity)) != (BUCKETS + len(_MEASURED) + 1, BUCKETS):
        raise InputError(f"{path}: was trained with other features; train it again")
    return found


def _fitted(rows: Rows, target: Rows, weight: Rows) -> Rows:
    """Weights that make the labels likely, kept small; gradient descent with momentum, the same each time."""
    share = weight / weight.sum()
    rate = _RATE / (0.25 * float((share[:, None] * rows * rows).sum()) + _DECAY)
    weights, before = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for step in range(_STEPS):
        ahead = weights + step / (step + 3) * (weights - before)
        before = weights
        slope = rows.T @ (share * (_chance(rows, ahead) - target)) + _DECAY * ahead
        weights = ahead - rate * slope
    return weights


def _chance(rows: Rows, weights: Rows) -> Rows:
    return 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -30, 30)))


def _rows(turns: pl.DataFrame, rarity: Rows) -> Rows:
    """The features of turns, one row each."""
    found = np.zeros((turns.height, BUCKETS))
    for number, text in enumerate(turns["evidence"]):
        for bucket in _buckets(text):
            found[number, bucket] += 1.0
    found = np.log1p(found) * rarity
    found /= np.maximum(1e-12, np.sqrt((found * found).sum(axis=1, keepdims=True)))
    return np.hstack([found, _measured(turns), np.ones((turns.height, 1))])


def _measured(turns: pl.DataFrame) -> Rows:
    spoken = [pl.col(name).is_not_null().cast(pl.Float64) for name in (*CUE_FAMILIES, "pasted_error")]
    length = (pl.col("characters").cast(pl.Float64) + 1).log() / ceil(np.log(1e4))
    return turns.select(*spoken, pl.col("similarity").fill_null(0.0), length.alias("length"),
                        pl.col("code_ratio")).to_numpy().astype(np.float64)


def _rarity(texts: pl.Series) -> Rows:
    seen = np.zeros(BUCKETS)
    for text in texts:
        seen[list(set(_buckets(text)))] += 1
    return (np.log((1 + len(texts)) / (1 + seen)) + 1).round(_PLACES)


def _buckets(text: str) -> list[int]:
    """The buckets of a turn's words and pairs of words."""
    words = _WORD.findall(text[:MOST].lower())
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    return [zlib.crc32(one.encode()) % BUCKETS for one in (*words, *pairs)]
