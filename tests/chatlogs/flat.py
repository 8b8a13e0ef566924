"""Logs without names of their own for messages, as tests tell them: by what was said."""

from pathlib import Path
from typing import Any

import pytest

from feedback.chatlogs.gather import Gathered
from feedback.chatlogs.parts import Format
from generators.records import Broken, Record

Row = tuple[Any, ...]


def said(gathered: Gathered, *columns: str) -> list[Row]:
    """What each message follows, who says it, its text and some columns; in the order of the texts."""
    texts = {row["msg_id"]: row["text"] for row in gathered.messages.to_dicts()}
    rows = [(texts.get(row["parent_id"]), row["role"], row["text"], *(row[name] for name in columns))
            for row in gathered.messages.to_dicts()]
    return sorted(rows, key=repr)


def told(gathered: Gathered, *columns: str) -> list[Row]:
    """Kind, the text of the answer meant, those of the answers it was compared with and some columns of each signal."""
    texts = {row["msg_id"]: row["text"] for row in gathered.messages.to_dicts()}
    rows = [(row["kind"], texts[row["target_msg_id"]], sorted(texts[other] for other in row["compared"]),
             *(row[name] for name in columns)) for row in gathered.signals.to_dicts()]
    return sorted(rows, key=repr)


def of(gathered: Gathered, column: str) -> dict[str, Any]:
    """A column of the messages, by their texts."""
    return {row["text"]: row[column] for row in gathered.messages.to_dicts()}


def conversations(gathered: Gathered) -> list[list[str]]:
    """The texts of each conversation."""
    held: dict[str, list[str]] = {}
    for row in gathered.messages.to_dicts():
        held.setdefault(row["conv_id"], []).append(row["text"])
    return sorted(held.values())


def broken(format: Format, fields: dict[str, Any]) -> str:
    """What is told of a record that cannot be used, without its place, which it begins with."""
    with pytest.raises(Broken) as caught:
        list(format.read(Record(fields, "here, line 3", "log")))
    place, _, remedy = str(caught.value).partition(": ")
    assert place == "here, line 3"
    return remedy


def lines(path: Path) -> int:
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line)
