"""What records hold of conversations, joined: messages put together, and signals that point at them."""

from datetime import date
from pathlib import Path

import polars as pl

from feedback.chatlogs.drawers import Drawers
from feedback.chatlogs.parts import Format
from feedback.chatlogs.settle import settle
from feedback.chatlogs.siblings import siblings
from feedback.chatlogs.sniff import FORMATS
from feedback.chatlogs.tally import Tally


class Joined:
    """Conversations put together from what was read of them, a drawer at a time, and signals that point at them."""

    def __init__(self, read: Drawers, logged: pl.DataFrame, names: pl.DataFrame, tally: Tally,
                 reader: str | Format | None, folder: Path | None) -> None:
        self.messages = Drawers(folder)
        self._tally, self._folder = tally, folder
        self._days: list[pl.DataFrame] = []
        """conv_id and day of every day on which something was said in a conversation."""
        spoken = pl.concat([_spoken_of(logged), names["meant"].rename("msg_id")]).unique()
        trees = [format.name for format in (*FORMATS, reader) if isinstance(format, Format) and format.siblings]
        told, known = [], []
        for piece in read.pieces():
            settled = settle(piece)
            tally.lose("messages", piece.join(settled, on="msg_id", how="anti"), "its parents lead in a circle")
            seen = siblings(settled.filter(pl.col("source_format").is_in(trees)))
            meant = pl.concat([spoken, _spoken_of(seen)])
            known.append(settled.filter(pl.col("msg_id").is_in(meant.implode())).select(
                "msg_id", "conv_id", "role", "created_at"))
            told.append(seen)
            self._days.append(settled.select("conv_id", "day").unique())
            self.messages.put(settled)
        seen = pl.concat(told)
        tally.gain("signals", seen)
        self._known = pl.concat(known)
        self.signals = _aimed(pl.concat([_called(logged, names, self._known), seen]), self._known, tally)

    def of_day(self, day: date) -> Drawers:
        """The conversations that someone spoke in or judged on the day, as they stood at its end; signals of it."""
        today = self.signals.filter(pl.col("day") == day)
        spoken = pl.concat(self._days).filter(pl.col("day") == day)
        touched = pl.col("conv_id").is_in(pl.concat([spoken["conv_id"], today["conv_id"]]).unique().implode())
        then = Drawers(self._folder)
        for piece in self.messages.pieces():
            others = piece.filter(~touched)
            self._tally.lose("messages", others, "of another day")
            self._tally.lose("conversations", others.unique("conv_id"), "of another day")
            then.put(piece.filter(touched))
        self._tally.lose("signals", self.signals.join(today, on="event_id", how="anti"), "of another day")
        self.signals = _aimed(today, self._known.filter(touched), self._tally)
        return then


def _spoken_of(signals: pl.DataFrame) -> pl.Series:
    """The messages that signals name."""
    others = (signals["evidence_msg_id"], signals["compared"].explode())
    return pl.concat([one.drop_nulls().rename("msg_id") for one in (signals["target_msg_id"], *others)])


def _called(signals: pl.DataFrame, names: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """The signals, those that call a message by another name pointed at the message and its conversation."""
    if names.is_empty():
        return signals
    # Several calls of a trace share its name: what is said of the trace is said of the latest that there is.
    here = messages.select("msg_id", "created_at", into="conv_id")
    meant = names.join(here, left_on="meant", right_on="msg_id", how="inner", maintain_order="left").sort(
        "created_at", maintain_order=True).unique("target_msg_id", keep="last", maintain_order=True)
    return signals.join(meant, on="target_msg_id", how="left", maintain_order="left").with_columns(
        target_msg_id=pl.coalesce("meant", "target_msg_id"), conv_id=pl.coalesce("into", "conv_id"),
    ).select(signals.columns)


def _aimed(signals: pl.DataFrame, messages: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    """The signals that point at an answer we have; of what they were compared with, the answers that we have."""
    answers = messages.filter(pl.col("role") == "assistant").select("msg_id")
    nowhere = signals.join(messages, left_on="target_msg_id", right_on="msg_id", how="anti")
    tally.lose("signals", nowhere, "its message is in no log")
    kept = signals.join(answers, left_on="target_msg_id", right_on="msg_id", how="semi")
    questions = signals.join(nowhere, on="event_id", how="anti").join(kept, on="event_id", how="anti")
    tally.lose("signals", questions, "its message is no answer")
    compared = kept.select("event_id", "compared").explode("compared").join(
        answers, left_on="compared", right_on="msg_id", how="semi").group_by("event_id").agg(pl.col("compared").sort())
    found = kept.drop("compared").join(compared, on="event_id", how="left", maintain_order="left").with_columns(
        pl.col("compared").fill_null(pl.lit([], pl.List(pl.String))))
    here = messages.select(evidence_msg_id="msg_id", here="msg_id")
    return found.join(here, on="evidence_msg_id", how="left", maintain_order="left").with_columns(
        evidence_msg_id="here").select(signals.columns)
