"""The prompts table: something to answer."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.messages import MESSAGES
from schemas.table import Column, Rule, Table

PROMPTS = Table(
    name="prompts",
    version=1,
    meaning="something to answer",
    columns=(
        Column("prompt_id", pa.string(), "digest of the canonical messages and tools"),
        Column("messages", MESSAGES, "one or many turns, a system turn included"),
        Column("tools", pa.string(), "tool definitions as JSON", null="no tools are offered"),
        Column("task", pa.string(), "the kind of task, as the source calls it", null="the source does not say"),
        Column("reference", pa.string(), "a known good answer, to ground judges", null="none is known"),
        Column("sources", pa.list_(pa.string()), "where it came from, sorted; duplicates merge here"),
        Column("licences", pa.list_(pa.string()), "the sources' licences, sorted; 'unknown' where a source names none"),
        Column("language", pa.string(), "ISO 639-1 code", null="the source does not say"),
        Column("group", pa.string(), "prompts of one group fall on the same side of the train/test split"),
        Column("meta", pa.string(), "the source's other fields as JSON", null="there are none"),
    ),
    key=("prompt_id",),
    rules=(
        Rule("messages are not empty", lambda t: pc.greater(pc.list_value_length(t["messages"]), 0)),
        Rule("sources are not empty", lambda t: pc.greater(pc.list_value_length(t["sources"]), 0)),
    ),
)
