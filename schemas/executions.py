"""The executions table: what a response gave on an input, without a verdict."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.table import Column, Rule, Table

EXECUTION_STATUSES = ("ran", "error", "timeout", "sandbox_error")

EXECUTIONS = Table(
    name="executions",
    version=1,
    meaning="one response on one input: what came out, and no verdict, so that another vote runs nothing again",
    columns=(
        Column("response_id", pa.string(), "the response"),
        Column("input_id", pa.string(), "the input"),
        Column("environment", pa.string(), "isolation, interpreter and limits it ran under, or the reader of answers"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("program_id", pa.string(), "the program that ran", null="an answer was read, nothing ran"),
        Column("kind", pa.string(), "the input's kind: call, stdin, tests, answer"),
        Column("status", pa.string(), "ran; error, timeout: the program failed; sandbox_error: we did, it says nothing",
               values=EXECUTION_STATUSES),
        Column("output", pa.string(), "call: the value's encoding; stdin: what was printed; tests: passed or failed; "
               "answer: the answer", null="status is not ran"),
        Column("detail", pa.string(), "what went wrong: kind of error, then what is known", null="nothing did"),
        Column("runs", pa.int32(), "how often it was run"),
        Column("steady", pa.bool_(), "whether every run gave the same; a flaky output neither votes nor passes"),
        Column("cpu_ms", pa.float64(), "CPU time of the first run", null="not measured"),
        Column("isolation", pa.string(), "how the program was confined", null="an answer was read, nothing ran"),
    ),
    key=("response_id", "input_id", "environment"),
    rules=(
        Rule("what ran has an output, what did not has none", lambda t: pc.equal(
            pc.is_valid(t["output"]), pc.equal(t["status"], "ran"))),
        Rule("it was run at least once", lambda t: pc.greater(t["runs"], 0)),
    ),
)
