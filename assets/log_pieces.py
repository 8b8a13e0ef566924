"""Of the messages of large logs, what each stage needs: fewer columns, fewer conversations, or fewer texts.

A stage that is given less must make the same of it: who reads more texts in a stage leaves its entry out.
"""

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from assets.memory import give_back
from assets.show import SAMPLE
from assets.stage import Narrow, Read, Tables
from feedback.chatlogs.answers import spoken_of
from feedback.chatlogs.cues import Cues, act_of
from feedback.chatlogs.turns import READ

_SHOWN = ("conv_id", "role", "text", "model", "depth", "branch", "flags", "source_format", "user_hash", "created_at",
          "placeholders")
_SPEAKERS = pa.array(["user", "assistant"])
_CUED = ("msg_id", "conv_id", "parent_id", "role", "text", "model", "user_hash", "created_at", "source_format", "place")


def shown(read: Read, _: Tables) -> pa.Table:
    """For the page about all messages: the texts of the first few."""
    found = []
    for number, rows in enumerate(read(_SHOWN)):
        first = pa.array([number == 0 and place < SAMPLE for place in range(rows.num_rows)])
        found.append(_with_texts(rows, first))
    return _joined(found)


def users_words(read: Read, _: Tables) -> pa.Table:
    """For cues: what users say, and where it stands."""
    return _joined([_with_texts(rows, _said_by_user(rows)) for rows in read(READ)])


def cued_words(cues: Cues) -> Narrow:
    """For events by cues alone: the answers that a signal or a cue speaks of, what says so, and who comes between."""

    def narrow(read: Read, tables: Tables) -> pa.Table:
        cued = tables["turn_cues"].filter(act_of(cues.families, cues.repeat).is_not_null())
        named = [part[name] for part in (tables["signals"], cued) for name in ("target_msg_id", "evidence_msg_id")]
        spoken = _ids(pl.concat([one.drop_nulls().alias("msg_id") for one in named]).to_list())
        found = []
        for rows in read(_CUED):
            others = pc.invert(pc.is_in(rows["role"], value_set=_SPEAKERS))
            here = rows.filter(pc.or_(others, pc.is_in(rows["msg_id"], value_set=spoken)))
            found.append(_with_texts(here, pc.is_in(here["msg_id"], value_set=spoken)))
        return _joined(found)

    return narrow


def spoken_words(read: Read, tables: Tables) -> pa.Table:
    """For answers and labels: the conversations that events speak of.

    Without the texts of answers that no event speaks of, that stand beside no such answer, and that lead to none.
    """
    near, told, beside = _spoken_of(read, tables["feedback_events"])
    found = []
    for rows in read(None):
        here = rows.filter(pc.is_in(rows["conv_id"], value_set=near))
        needed = pc.or_(pc.not_equal(here["role"], "assistant"), pc.is_in(here["msg_id"], value_set=told))
        found.append(_with_texts(here, pc.or_(needed, pc.is_in(here["parent_id"], value_set=beside))))
    return _joined(found)


def _spoken_of(read: Read, events: pl.DataFrame) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The conversations that events speak of; the messages that lead to what they name; those these answers follow."""
    spoken = {*spoken_of(events)}
    names, named = _ids(spoken), {*events["conv_id"]}
    for rows in read(("msg_id", "conv_id")):
        named.update(rows.filter(pc.is_in(rows["msg_id"], value_set=names))["conv_id"].to_pylist())
    near = _ids(named)
    above: dict[str, str | None] = {}
    for rows in read(("msg_id", "conv_id", "parent_id")):
        here = rows.filter(pc.is_in(rows["conv_id"], value_set=near))
        above.update(zip(here["msg_id"].to_pylist(), here["parent_id"].to_pylist(), strict=True))
    beside = _ids({parent for one in spoken if (parent := above.get(one)) is not None})
    return near, _ids(_ways_to({*spoken, *events["evidence_msg_id"].drop_nulls()}, above)), beside


def _ways_to(names: set[str], above: Mapping[str, str | None]) -> set[str]:
    """The messages, and all that stand before them."""
    found: set[str] = set()
    for name in names:
        one: str | None = name
        while one is not None and one not in found:
            found.add(one)
            one = above.get(one)
    return found


def _said_by_user(rows: pa.Table) -> pa.ChunkedArray:
    return pc.equal(rows["role"], "user")


def _with_texts(rows: pa.Table, which: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows, texts of others than these empty."""
    return rows.set_column(rows.schema.get_field_index("text"), "text", pc.if_else(which, rows["text"], ""))


def _ids(names: Sequence[str] | set[str]) -> pa.Array:
    return pa.array(sorted(set(names)), pa.string())


def _joined(found: Sequence[pa.Table]) -> pa.Table:
    """The rows together; pieces by themselves would keep half as much again of what they were cut from."""
    give_back()
    return pa.concat_tables(found).combine_chunks()
