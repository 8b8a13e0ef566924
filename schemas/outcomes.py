"""The outcomes table: executions joined with test cases."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.table import Column, Rule, Table

VERDICTS = ("pass", "fail", "error", "timeout", "unknown", "sandbox_error")
FAILURES = ("fail", "error", "timeout")
"""What counts against a response. `unknown` and `sandbox_error` are no labels: they count neither way."""

OUTCOMES = Table(
    name="outcomes",
    version=1,
    meaning="one response on one test case; computed, never run",
    columns=(
        Column("response_id", pa.string(), "the response"),
        Column("test_id", pa.string(), "the test case"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("input_id", pa.string(), "the input"),
        Column("source", pa.string(), "who says what is expected: human, reference, vote, model"),
        Column("environment", pa.string(), "the execution it is read from"),
        Column("outcome", pa.string(), "pass; fail: another output; error, timeout: no output; unknown, sandbox_error: "
               "no label", values=VERDICTS),
        Column("reason", pa.string(), "why it is unknown, or what went wrong",
               null="it passed, or gave another output"),
    ),
    key=("response_id", "test_id"),
    rules=(
        Rule("what is unknown has a reason", lambda t: pc.or_(
            pc.not_equal(t["outcome"], "unknown"), pc.is_valid(t["reason"]))),
    ),
)
