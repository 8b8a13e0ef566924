"""Conversations that several records hold: put together, so that depth, branch and main path are those of the whole."""

from datetime import UTC, datetime

import polars as pl

from feedback.chatlogs.parts import Turn
from feedback.chatlogs.tree import IN_A_CIRCLE, branches, depths, path_to

ORPHAN = "orphan"
"""The flag of a message that followed one which is not there: it begins a piece of its conversation."""


def settle(messages: pl.DataFrame) -> pl.DataFrame:
    """The messages, in the order they were read, without those whose parents lead in a circle.

    The main path of a conversation in several records ends at its newest message on a main path of its record (the
    last one read, where the log has no times).
    """
    adrift = messages.filter(pl.col("parent_id").is_not_null()).join(
        messages, left_on="parent_id", right_on="msg_id", how="anti")["msg_id"]
    lost = pl.col("msg_id").is_in(adrift.implode())
    if len(adrift):
        messages = messages.with_columns(
            parent_id=pl.when(~lost).then("parent_id"),
            flags=pl.when(lost).then(pl.col("flags").list.concat(pl.lit([ORPHAN])).list.unique().list.sort())
            .otherwise("flags"))
    several = messages.group_by("conv_id").agg(pl.col("place").n_unique()).filter(pl.col("place") > 1)["conv_id"]
    parts = messages.filter(pl.col("conv_id").is_in(several.implode()))
    if parts.is_empty():
        return messages
    placed = pl.concat([_placed(part) for part in parts.select(_NEEDED).partition_by("conv_id", maintain_order=True)])
    return messages.update(placed, on="msg_id", how="left").filter(pl.col("depth") != IN_A_CIRCLE)


_NEVER = datetime.min.replace(tzinfo=UTC)
_NEEDED = ("conv_id", "msg_id", "parent_id", "role", "created_at", "on_main_path")


def _placed(part: pl.DataFrame) -> pl.DataFrame:
    """Where each message of one conversation stands."""
    turns = [Turn(key=row["msg_id"], parent=row["parent_id"], role=row["role"], text="",
                  created_at=row["created_at"], on_main_path=row["on_main_path"]) for row in part.to_dicts()]
    deep, branch = depths(turns), branches(turns)
    main = _main_path([turn for turn in turns if deep[turn.key] != IN_A_CIRCLE])
    return pl.DataFrame(
        {"msg_id": [turn.key for turn in turns], "depth": [deep[turn.key] for turn in turns],
         "branch": [branch[turn.key] for turn in turns], "on_main_path": [turn.key in main for turn in turns]},
        schema_overrides={"depth": pl.Int32, "branch": pl.Int32})


def _main_path(turns: list[Turn]) -> set[str]:
    """The keys from the newest turn that says it is on the main path up to the first of its conversation."""
    claimed = [turn for turn in turns if turn.on_main_path]
    if not claimed:
        return set()
    dated = all(turn.created_at is not None for turn in claimed)
    order = sorted(claimed, key=lambda turn: turn.created_at or _NEVER) if dated else claimed
    return path_to(order[-1].key, {turn.key: turn.parent for turn in turns})
