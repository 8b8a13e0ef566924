"""The test_inputs table: what programs are run on."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.table import Column, Rule, Table

INPUT_KINDS = ("call", "stdin", "tests", "answer")

TEST_INPUTS = Table(
    name="test_inputs",
    version=1,
    meaning="something to run the answers to a prompt on",
    columns=(
        Column("input_id", pa.string(), "digest of prompt_id, kind and value"),
        Column("prompt_id", pa.string(), "the prompt whose answers are run on it"),
        Column("kind", pa.string(), "call: arguments; stdin: a text; tests: a test program; answer: nothing, the "
               "response states its answer", values=INPUT_KINDS),
        Column("value", pa.string(),
               "call: the arguments' encoding; stdin: the text; tests: the program; answer: empty"),
        Column("makers", pa.list_(pa.string()), "who made it: engines, human, reference, mutation, prompt; sorted"),
    ),
    key=("input_id",),
    rules=(
        Rule("somebody made it", lambda t: pc.greater(pc.list_value_length(t["makers"]), 0)),
        Rule("an answer has no value", lambda t: pc.or_(
            pc.not_equal(t["kind"], "answer"), pc.equal(t["value"], ""))),
    ),
)


def input_id(prompt: str, kind: str, value: str) -> str:
    """The id of a test input."""
    return digest("test_input", prompt, kind, value)
