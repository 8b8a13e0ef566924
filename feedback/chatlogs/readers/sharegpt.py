"""ShareGPT: conversations that people shared, as lists of `from` and `value`; no users, times, models or votes.

Speakers are called human, gpt, system, and a few other names. Long conversations were cut for training: the id of a
piece is that of the conversation (seven letters and digits), an underscore and the number of its first message; the
pieces are put together again. A conversation may begin with an answer. Some answers are the HTML of the page they were
saved from: they become plain text and carry the flag "html".
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from feedback.chatlogs.markup import plain, remnant
from feedback.chatlogs.parts import Conversation, Format, Turn, chained
from feedback.chatlogs.said import turn, word
from generators.records import Broken, Record

_LONGEST_PAGE = 1 << 20  # a longer text is left as it is: taking a hostile page apart takes too long
_PIECE = re.compile(r"([A-Za-z0-9]{7})_(\d{1,6})")


def _fits(fields: Mapping[str, Any]) -> bool:
    messages = fields.get("conversations")
    return isinstance(messages, list) and any(isinstance(one, Mapping) and {"from", "value"} <= one.keys()
                                              for one in messages[:4])


def _read(record: Record) -> Iterator[Conversation]:
    messages = record.fields.get("conversations")
    if not isinstance(messages, list) or not messages:
        raise Broken(record.place, "no conversation", "holds no messages; conversations is a list of from and value")
    dropped: Counter[str] = Counter()
    model = word(record.fields.get("model"))
    name = word(record.fields.get("id"))
    read = [_turn(message, model, dropped) for message in messages]
    piece = None if name is None else _PIECE.fullmatch(name)
    if piece is None or _is_word(piece[1]):
        turns = chained(one for one in read if one is not None)
        key = name or (turns[0].key if turns else "")
    else:
        turns = _placed(read, int(piece[2]))
        key = piece[1]
    yield Conversation(key=key, turns=turns, dropped=dropped)


def _is_word(name: str) -> bool:
    """Whether a name is a word with a number, as in session_3, and not one that was drawn at random."""
    return name.isalpha() and name[1:] in (name[1:].lower(), name[1:].upper())


def _turn(message: Any, model: str | None, dropped: Counter[str]) -> Turn | None:
    read = turn(message)
    if isinstance(read, str):
        dropped[read] += 1
        return None
    read = replace(read, model=model if read.role == "assistant" else None)
    if read.role == "assistant" and len(read.text) < _LONGEST_PAGE and remnant(read.text):
        return replace(read, text=plain(read.text), flags=(*read.flags, "html"))
    return read


def _placed(read: Sequence[Turn | None], start: int) -> list[Turn]:
    """The messages of a piece, named by their places in the conversation that it was cut from."""
    turns: list[Turn] = []
    before = str(start - 1) if start else None
    for place, one in enumerate(read, start):
        if one is not None:
            turns.append(replace(one, key=str(place), parent=before))
            before = str(place)
    return turns


FORMAT = Format(name="sharegpt", fits=_fits, read=_read)
