"""Whole conversations as a model reads them: the turns of the main path, numbered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.asking import restored, shown
from feedback.chatlogs.extracts import Shown

_CUTS = {"user": (1400, 600), "assistant": (1000, 500)}
_TURN = re.compile(r'<turn number="(\d+)" role="(user|assistant)">\n(.*?)\n</turn>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Whole:
    """A conversation's main path."""

    conv_id: str
    said: str
    turns: dict[int, str]
    """msg_id of the user's turns that follow an answer, by number."""


def wholes(messages: pl.DataFrame, conversations: pl.Series) -> Iterator[Whole]:
    """These conversations in order; tool, system and hidden messages, and those without text, are left out."""
    told = messages.filter(
        pl.col("conv_id").is_in(conversations.implode()), pl.col("on_main_path"), pl.col("role").is_in(list(_CUTS)),
        pl.col("text").str.strip_chars() != "", ~pl.col("flags").list.contains("hidden")).select(
        "conv_id", "depth", "msg_id", "role", "text")
    for (conv_id,), part in told.sort("conv_id", "depth", "msg_id").group_by("conv_id", maintain_order=True):
        said, turns, before = [], {}, ""
        for number, (_, _, msg_id, role, text) in enumerate(part.iter_rows(), 1):
            said.append(f'<turn number="{number}" role="{role}">\n{shown(text, *_CUTS[role])}\n</turn>')
            if role == "user" and before == "assistant":
                turns[number] = msg_id
            before = role
        if turns:
            yield Whole(str(conv_id), "\n".join(said), turns)


def read_numbered(said: str) -> Shown:
    """What a question about a whole conversation shows: the user's turns that follow an answer are to be labelled."""
    turns: dict[int, str] = {}
    besides, before = [], ""
    for number, role, text in _TURN.findall(said):
        if role == "user" and before == "assistant":
            turns[int(number)] = restored(text)
        else:
            besides.append(restored(text))
        before = role
    return Shown(turns, "\n".join(besides), True)
