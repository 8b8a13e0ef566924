"""The steps table: beginnings of responses and what they are worth."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.table import Column, Rule, Table

STEPS = Table(
    name="steps",
    version=1,
    meaning="a span of a response; its value is that of the beginning of the response up to its end",
    columns=(
        Column("response_id", pa.string(), "the response"),
        Column("start", pa.int32(), "where the span starts, in characters"),
        Column("end", pa.int32(), "where it ends: the prefix is text[:end]"),
        Column("step_id", pa.string(), "digest of response_id, start and end"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("value", pa.float64(), "what completions of the prefix came to: a count or share of tests passed, or of "
               "right answers", null="not completed, or no completion has a label"),
        Column("rollouts", pa.int32(), "completions of the prefix that have a label"),
        Column("tests", pa.int32(), "the most that value can be", null="value is null"),
    ),
    key=("response_id", "start"),
    rules=(
        Rule("a span is not empty", lambda t: pc.less(t["start"], t["end"])),
        Rule("a value comes from rollouts", lambda t: pc.equal(
            pc.is_valid(t["value"]), pc.greater(t["rollouts"], 0))),
    ),
)


def step_id(response: str, start: int, end: int) -> str:
    """The id of a step."""
    return digest("step", response, start, end)
