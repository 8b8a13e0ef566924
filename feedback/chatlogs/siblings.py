"""What a tree tells without a word: an answer asked for again, a question put another way after its answer.

Two answers to one message mean that the user asked again (E5 of the pair recipes): the answer that the user went on
with was kept, those that nothing follows were abandoned. Two questions in the place of one mean that the user edited
the first after seeing its answer. Both are weak signs, and say nothing where the user left after the last answer: only
a kept answer that the user went on with is told as positive.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeVar

import polars as pl

from feedback.chatlogs.settle import ORPHAN
from schemas.feedback_events import SIGNALS, event_id
from schemas.ids import digest

SIDE_BY_SIDE = "side by side"
"""The flag of answers that one asking made: by several models, or several at once."""
_DETECTOR = "siblings"
_VERSION = digest(_DETECTOR, 1)
_NEEDED = ("msg_id", "conv_id", "parent_id", "branch", "on_main_path", "role", "user_hash", "created_at", "flags",
           "source_format", "place", "day")

Row = dict[str, Any]
Time = TypeVar("Time", date, datetime)


def siblings(messages: pl.DataFrame) -> pl.DataFrame:
    """The regenerate and edit signals of the messages: rows of SIGNALS, and `day`.

    Of an edited question the target is the answer that the user had seen, and the evidence the question in its place.
    Answers in several messages, with tool calls between them, are left alone.
    """
    told = messages.lazy().select(_NEEDED)
    alone = pl.col("flags").list.set_intersection([ORPHAN, SIDE_BY_SIDE]).list.len() == 0
    several = told.filter(alone, pl.col("role").is_in(["assistant", "user"])).filter(
        pl.len().over("conv_id", "parent_id", "role") > 1).collect()
    children: defaultdict[str, list[Row]] = defaultdict(list)
    below = told.filter(pl.col("parent_id").is_in(several["msg_id"].implode())).sort("parent_id", "branch").collect()
    for row in below.to_dicts():
        children[row["parent_id"]].append(row)
    groups: defaultdict[tuple[str, str | None, str], list[Row]] = defaultdict(list)
    for row in several.sort("conv_id", "branch", "msg_id").to_dicts():
        groups[row["conv_id"], row["parent_id"], row["role"]].append(row)
    rows = [row for (_, _, role), group in groups.items() if len(group) > 1
            for row in (_asked_again(group, children) if role == "assistant" else _edited(group, children))]
    table = SIGNALS.rows({name: value for name, value in row.items() if name != "day"} for row in rows)
    days = pl.Series("day", [row["day"] for row in rows], pl.Date)
    return pl.DataFrame(pl.from_arrow(table)).with_columns(days)


def _asked_again(answers: list[Row], children: dict[str, list[Row]]) -> Iterator[Row]:
    if any(child["role"] != "user" for answer in answers for child in children.get(answer["msg_id"], ())):
        return
    kept = next((answer for answer in answers if answer["on_main_path"]), answers[-1])
    abandoned = [answer for answer in answers if answer is not kept and answer["msg_id"] not in children]
    if not abandoned:
        return
    after = children.get(kept["msg_id"], [])
    seen = [*answers, *after[:1]]
    yield _signal("regenerate", kept, kept["parent_id"], seen, compared=sorted(row["msg_id"] for row in abandoned),
                  polarity="positive" if after else None)


def _edited(questions: list[Row], children: dict[str, list[Row]]) -> Iterator[Row]:
    for question, instead in pairwise(questions):
        answers = [row for row in children.get(question["msg_id"], ()) if row["role"] == "assistant"]
        if answers:
            seen = next((row for row in answers if row["on_main_path"]), answers[-1])
            yield _signal("edit", seen, question["msg_id"], [instead], evidence_msg_id=instead["msg_id"], compared=[])


def _signal(kind: str, target: Row, about: str | None, seen: list[Row], **told: Any) -> Row:
    times = [row["created_at"] for row in seen]
    return {
        "event_id": event_id(target["conv_id"], target["msg_id"], told.get("evidence_msg_id"), kind, _DETECTOR,
                             about or ""),
        "conv_id": target["conv_id"], "target_msg_id": target["msg_id"], "kind": kind, "labels": [], "reasons": [],
        "explicitness": "structural", "standing_directive": False, "detector": _DETECTOR, "detector_version": _VERSION,
        "actor_hash": target["user_hash"], "actor_kind": "human", "created_at": _last(times),
        "source_format": target["source_format"], "place": target["place"],
        "day": _last([row["day"] for row in seen]), **told,
    }


def _last(times: list[Time | None]) -> Time | None:
    return max((time for time in times if time is not None), default=None)
