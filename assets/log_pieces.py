"""Of the messages of large logs, what each stage needs: fewer columns, fewer conversations, or fewer texts.

A stage that is given less must make the same of it: who reads more texts in a stage leaves its entry out.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assets.show import SAMPLE
from assets.stage import Narrow, Read, Tables
from feedback.chatlogs.answers import spoken_of
from feedback.chatlogs.cues import Cues, act_of
from feedback.chatlogs.turns import READ

_SHOWN = ("conv_id", "role", "text", "model", "depth", "branch", "flags", "source_format", "user_hash", "created_at",
          "placeholders")
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
    """For events by cues alone: what users say, and the answers that a signal or a cue speaks of."""

    def narrow(read: Read, tables: Tables) -> pa.Table:
        cued = tables["turn_cues"].filter(act_of(cues.families, cues.repeat).is_not_null())
        spoken = _ids([*tables["signals"]["target_msg_id"], *cued["target_msg_id"]])
        return _joined([_with_texts(rows, pc.or_(_said_by_user(rows), pc.is_in(rows["msg_id"], value_set=spoken)))
                        for rows in read(_CUED)])

    return narrow


def spoken_words(read: Read, tables: Tables) -> pa.Table:
    """For answers and labels: the conversations that events speak of."""
    events = tables["feedback_events"]
    spoken = _ids(spoken_of(events))
    named = {*events["conv_id"]}
    for rows in read(("msg_id", "conv_id")):
        named.update(rows.filter(pc.is_in(rows["msg_id"], value_set=spoken))["conv_id"].to_pylist())
    near = _ids(named)
    return _joined([rows.filter(pc.is_in(rows["conv_id"], value_set=near)) for rows in read(None)])


def _said_by_user(rows: pa.Table) -> pa.ChunkedArray:
    return pc.equal(rows["role"], "user")


def _with_texts(rows: pa.Table, which: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows, texts of others than these empty."""
    return rows.set_column(rows.schema.get_field_index("text"), "text", pc.if_else(which, rows["text"], ""))


def _ids(names: Sequence[str] | set[str]) -> pa.Array:
    return pa.array(sorted(set(names)), pa.string())


def _joined(found: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(found).combine_chunks()
