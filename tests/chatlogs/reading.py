"""Reading logs in tests: a salt of their own, and rows told by the log's own names for messages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback.chatlogs.gather import Gathered, gather
from feedback.chatlogs.rows import conversation_id, named
from privacy.people import Salt
from schemas.chat_messages import CHAT_MESSAGES
from schemas.feedback_events import SIGNALS

SALT = Salt(b"a salt that only tests know, 32 bytes"[:32])
FIXTURES = Path(__file__).parent / "fixtures"


def read(*paths: Path | str, **options: Any) -> Gathered:
    """The logs gathered; their tables hold to their rules and the counts balance with the rows."""
    gathered = gather([str(path) for path in paths], SALT, **options)
    assert not CHAT_MESSAGES.check(CHAT_MESSAGES.conform(gathered.messages.to_arrow()))[0]
    assert not SIGNALS.check(SIGNALS.conform(gathered.signals.to_arrow()))[0]
    assert counted(gathered, "messages", "out") == gathered.messages.height
    assert counted(gathered, "signals", "out") == gathered.signals.height
    return gathered


def counted(gathered: Gathered, unit: str, fate: str) -> int:
    return sum(row.count for row in gathered.counts if (row.unit, row.fate) == (unit, fate))


def left_out(gathered: Gathered, unit: str) -> dict[str, int]:
    """What was dropped or failed, by reason."""
    return {row.reason: row.count for row in gathered.counts if row.unit == unit and row.reason}


def names(format: str, conversation: str, keys: Sequence[str]) -> dict[str, str]:
    """The log's own names for messages, by msg_id."""
    conv_id = conversation_id(SALT, format, conversation)
    return {named(SALT, conv_id, key): key for key in keys}


def messages(gathered: Gathered, called: dict[str, str], *columns: str) -> dict[str, tuple[Any, ...]]:
    """The parent and some columns of each message, all by the log's own names."""
    return {called[row["msg_id"]]: (called.get(row["parent_id"], row["parent_id"]), *(row[name] for name in columns))
            for row in gathered.messages.to_dicts()}


def signals(gathered: Gathered, called: dict[str, str], *columns: str) -> list[tuple[Any, ...]]:
    """Kind, target, those it was compared with and some columns of each signal, sorted, by the log's own names."""
    rows = [(row["kind"], called[row["target_msg_id"]], sorted(called[key] for key in row["compared"]),
             *(row[name] for name in columns)) for row in gathered.signals.to_dicts()]
    return sorted(rows, key=repr)
