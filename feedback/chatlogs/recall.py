"""RECALL: what the cheap cues missed, estimated from an audit sample of the turns they did not flag.

All flagged turns are asked about; of the others a share, drawn by a hash. So the feedback among flagged turns is
counted, that among the others is estimated, and recall is relative to what the models find and keep when they look:
their own misses are not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.detect import AUDIT, FEEDBACK, FLAGGED
from feedback.chatlogs.intervals import LEVEL, Share, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How much of the feedback a cascade finds, and what it costs."""

    turns: int
    """Users' turns that follow an answer."""
    flagged: int
    flagged_read: int
    """Flagged turns whose reply was read."""
    flagged_feedback: int
    """Of these, turns with an event that was kept."""
    audited: int
    """Turns of the audit sample whose reply was read."""
    audited_feedback: int
    missed: Share
    """The share of unflagged turns that hold feedback: in the sample, with its Wilson interval."""
    recall: tuple[float, float, float] | None
    """Feedback in flagged turns among all feedback: estimate, low, high. None where there is none, or no audit."""
    rate: tuple[float, float, float] | None
    """The share of all turns that hold feedback: estimate, low, high. None where nothing was audited."""
    calls: int
    """Requests to the detector and the validator, with re-asks."""
    calls_of_all: int
    """What the detector alone would need to ask about every turn once."""
    tokens: int | None
    """What those requests cost in tokens; None where a server did not say."""
    tokens_of_all: int | None

    @property
    def fewer_calls(self) -> float | None:
        """How many times fewer requests than turns; None where none was sent."""
        return self.calls_of_all / self.calls if self.calls else None


def recall(read: pl.DataFrame, turn_cues: pl.DataFrame, kept: pl.DataFrame, completions: Sequence[pl.DataFrame] = (),
           level: float = LEVEL) -> Recall:
    """The recall of the cues; `read` is what Detect.read gives, `kept` the events after validation.

    A turn holds feedback where an event of it was kept whose act says something of the answer. `completions` are those
    of the detector first, then of the validator. With N unflagged turns of which the sample's share holds feedback,
    the missed are N times that share (and its interval), and at least those found; flagged turns whose reply could not
    be read are taken to be like the others of their kind.
    """
    speaking = kept.filter(pl.col("act").is_in(FEEDBACK))["evidence_msg_id"].drop_nulls().unique()
    told = read.with_columns(holds=pl.col("evidence_msg_id").is_in(speaking.implode()))
    flagged, audit = (told.filter(pl.col("stratum") == stratum) for stratum in (FLAGGED, AUDIT))
    fine, sample = (part.filter(pl.col("reason") == "") for part in (flagged, audit))
    hits, missed = fine.filter("holds").height, wilson(sample.filter("holds").height, sample.height, level)
    others = turn_cues.height - flagged.height
    found = hits * flagged.height / fine.height if fine.height else 0.0
    left = _missed(missed, others)
    calls, tokens, calls_all, tokens_all = _cost(completions, turn_cues.height)
    return Recall(
        turns=turn_cues.height, flagged=flagged.height, flagged_read=fine.height, flagged_feedback=hits,
        audited=sample.height, audited_feedback=missed.hits, missed=missed, recall=_recall(found, left),
        rate=None if left is None else _scaled(found, left, turn_cues.height), calls=calls, calls_of_all=calls_all,
        tokens=tokens, tokens_of_all=tokens_all)


def _missed(share: Share, others: int) -> tuple[float, float, float] | None:
    """The feedback among the unflagged turns: estimate, low, high; never less than seen, nor more than is left."""
    if not others:
        return 0.0, 0.0, 0.0
    if share.value is None:
        return None
    most = share.hits + others - share.of
    return (others * share.value, max(share.hits, min(most, others * share.low)),
            max(share.hits, min(most, others * share.high)))


def _recall(found: float, left: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    if left is None or not found + left[0]:
        return None
    estimate, few, many = left
    return found / (found + estimate), found / (found + many) if found else 0.0, found / (found + few) if found else 0.0


def _scaled(found: float, left: tuple[float, float, float], turns: int) -> tuple[float, float, float] | None:
    if not turns:
        return None
    estimate, few, many = ((found + part) / turns for part in left)
    return estimate, few, many


def _cost(completions: Sequence[pl.DataFrame], turns: int) -> tuple[int, int | None, int, int | None]:
    """Calls, tokens, and both for asking about every turn; a request that several turns share is one call."""
    tables = [table.unique(["request_id", "sample", "attempt"]) for table in completions]
    spent = [_tokens(table) for table in tables]
    calls = sum(table.height for table in tables)
    total = None if None in spent else sum(part or 0 for part in spent)
    first = tables[0].filter(pl.col("attempt") == 0) if tables else None
    if first is None or not first.height:
        return calls, total, turns, None
    each = _tokens(first)
    return calls, total, turns, None if each is None else round(each * turns / first.height)


def _tokens(table: pl.DataFrame) -> int | None:
    told = table.filter(pl.col("status") != "error").select("prompt_tokens", "completion_tokens")
    if told["prompt_tokens"].null_count():
        return None
    return int(told.select(pl.sum_horizontal(pl.all().fill_null(0)).sum()).item() or 0)
