"""Turns that can carry feedback: a user's turn, the answer it follows, and the user's turns around.

A conversation's first turn can carry none; an answer that nobody replied to is censored: it is no candidate, not a
neutral one. Tool calls and system messages between an answer and the turn after it are passed over.
"""

from collections import Counter

import polars as pl

from generators.made import Made
from schemas.funnel import count

_BETWEEN = ("system", "tool")
"""Roles that neither ask nor answer."""
_TOLD = ("msg_id", "conv_id", "parent_id", "role", "on_main_path", "branch", "language")
READ = (*_TOLD, "synthetic", "text", "flags")
"""The columns that are read; texts are those of users alone."""
FIELDS = ("evidence_msg_id", "conv_id", "target_msg_id", "previous_msg_id", "next_msg_id", "language")


def candidates(messages: pl.DataFrame) -> Made:
    """The users' turns that follow an answer, by id, sorted by evidence_msg_id; the columns are FIELDS.

    `next` is the user's turn after it on the main path, else on the first branch. `language` is that of most user
    turns of the conversation, which are known to be in one (the first by alphabet of several). Counts: user turns
    (dropped: those that follow no answer, that follow another user turn, that say nothing, or that a program wrote or
    the log hides).
    """
    told = messages.select(*_TOLD, "synthetic", (pl.col("text").str.strip_chars() == "").alias("blank"),
                           pl.col("flags").list.contains("hidden").alias("hidden"))
    parents = _parents(told)
    roles = told.select("msg_id", "role")
    before = told.filter(pl.col("role") == "user").join(parents, on="msg_id", how="left").join(
        roles, left_on="before", right_on="msg_id", how="left", suffix="_before")
    reason = (pl.when(pl.col("synthetic")).then(pl.lit("a program wrote it"))
              .when(pl.col("hidden")).then(pl.lit("hidden")).when(pl.col("blank")).then(pl.lit("no text"))
              .when(pl.col("role_before").is_null()).then(pl.lit("begins its conversation"))
              .when(pl.col("role_before") != "assistant").then(pl.lit("follows another user turn")))
    before = before.with_columns(reason.alias("reason"))
    kept = before.filter(pl.col("reason").is_null()).select(
        evidence_msg_id="msg_id", conv_id="conv_id", target_msg_id="before")
    lost = Counter(dict(before.drop_nulls("reason").group_by("reason").len().iter_rows()))
    asked = parents.rename({"msg_id": "target_msg_id", "before": "previous_msg_id"}).join(
        roles.filter(pl.col("role") == "user"), left_on="previous_msg_id", right_on="msg_id", how="semi")
    table = kept.join(asked, on="target_msg_id", how="left").join(
        _following(kept, told), on="evidence_msg_id", how="left").join(
        _languages(told), on="conv_id", how="left").select(FIELDS).sort("evidence_msg_id")
    return Made(table, count("turn_cues", "user turns", before.height, out=table.height, dropped=lost))


def texts(turns: pl.DataFrame, messages: pl.DataFrame, *names: str) -> pl.DataFrame:
    """The turns with the texts of `names` (evidence, target, previous, next) as columns of these names."""
    said = messages.select("msg_id", "text")
    for name in names:
        turns = turns.join(said.rename({"msg_id": f"{name}_msg_id", "text": name}), on=f"{name}_msg_id", how="left",
                           maintain_order="left")
    return turns


def _parents(told: pl.DataFrame) -> pl.DataFrame:
    """Of each message the nearest one before it that asks or answers: `before`, null where there is none."""
    above = told.select(before="msg_id", above="parent_id", over=pl.col("role").is_in(_BETWEEN))
    found = told.select("msg_id", before="parent_id")
    for _ in range(told.height):
        found = found.join(above, on="before", how="left").with_columns(over=pl.col("over").fill_null(False))
        if not found["over"].any():
            break
        found = found.select("msg_id", before=pl.when("over").then("above").otherwise("before"))
    return found.select("msg_id", "before")


def _following(kept: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """The next user turn of each, among those that answer the assistant's reply to it."""
    place = told.select("msg_id", "on_main_path", "branch")
    steps = kept.join(place, left_on="evidence_msg_id", right_on="msg_id", how="left")
    replied = _parents(told).rename({"msg_id": "target_msg_id", "before": "asked"})
    after = steps.join(replied, on="target_msg_id", how="left").drop_nulls("asked").sort(
        pl.col("on_main_path"), pl.col("branch"), pl.col("evidence_msg_id"), descending=[True, False, False])
    return after.unique("asked", keep="first", maintain_order=True).select(
        evidence_msg_id="asked", next_msg_id="evidence_msg_id")


def _languages(told: pl.DataFrame) -> pl.DataFrame:
    spoken = told.filter(pl.col("role") == "user").drop_nulls("language").group_by("conv_id", "language").len()
    return spoken.sort("conv_id", "len", "language", descending=[False, True, False]).unique(
        "conv_id", keep="first", maintain_order=True).select("conv_id", "language")
