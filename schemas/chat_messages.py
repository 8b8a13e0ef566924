"""The messages table: what a chat log holds, one row a message in its tree, scrubbed of personal data."""

import pyarrow as pa

from schemas.ids import digest
from schemas.messages import ROLES
from schemas.table import Column, Table

CHAT_MESSAGES = Table(
    name="messages",
    version=1,
    meaning="a message of a chat log, in the tree of its conversation, without personal data and secrets",
    columns=(
        Column("msg_id", pa.string(), "digest of conv_id and the log's own name for the message"),
        Column("conv_id", pa.string(), "salted digest of the format and the log's own name for the conversation"),
        Column("parent_id", pa.string(), "msg_id of the message it follows", null="it begins its conversation"),
        Column("depth", pa.int32(), "how many messages come before it on its path"),
        Column("branch", pa.int32(), "0-based place among the messages with the same parent, oldest first"),
        Column("on_main_path", pa.bool_(), "whether it is on the path that the user went on with"),
        Column("role", pa.string(), "who speaks", values=ROLES),
        Column("text", pa.string(), "what is said, personal data and secrets replaced by placeholders"),
        Column("parts", pa.string(), "what is no text (images, tool calls), as JSON", null="there is none"),
        Column("model", pa.string(), "the model that wrote it", null="a person wrote it, or the log does not say"),
        Column("user_hash", pa.string(), "salted digest of the conversation's user", null="the log names none"),
        Column("created_at", pa.timestamp("us", "UTC"), "when it was written", null="the log does not say"),
        Column("language", pa.string(), "ISO 639-1 code", null="the log does not say"),
        Column("finish_reason", pa.string(), "why the model stopped", null="the log does not say"),
        Column("synthetic", pa.bool_(), "whether the log says that a program wrote it in a person's place"),
        Column("flags", pa.list_(pa.string()), "what the log says of it, sorted: redacted, toxic, hidden, ..."),
        Column("placeholders", pa.list_(pa.string()), "the kinds of what was replaced in it, sorted: EMAIL, ..."),
        Column("source_format", pa.string(), "the reader that read it"),
        Column("source", pa.string(), "the file it came from, by name"),
        Column("place", pa.string(), "the file and line or record where it was first seen"),
        Column("licence", pa.string(), "the licence of the log", null="unknown"),
        Column("redistributable", pa.bool_(), "whether the text may be exported; else ids and labels only"),
    ),
    key=("msg_id",),
)


def message_id(conversation: str, key: str) -> str:
    """The id of a message; `key` is the log's own name for it, unique in its conversation."""
    return digest("message", conversation, key)
