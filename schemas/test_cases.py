"""The test_cases table: inputs with the output that is expected, and who expects it."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.table import Column, Rule, Table

CASE_SOURCES = ("human", "reference", "vote", "model")

TEST_CASES = Table(
    name="test_cases",
    version=1,
    meaning="an input with its expected output",
    columns=(
        Column("test_id", pa.string(), "digest of input_id, source and expected output"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("input_id", pa.string(), "the input"),
        Column("kind", pa.string(), "the input's kind: call, stdin, tests, answer"),
        Column("source", pa.string(), "who says what is expected: a person, a reference solution, the vote of the "
               "programs, a model", values=CASE_SOURCES),
        Column("expected", pa.string(), "the expected output, encoded as in executions"),
        Column("voters", pa.int32(), "how many gave an output or an expectation", null="it is not voted on"),
        Column("share", pa.float64(), "the share of the voters for the expected output", null="it is not voted on"),
        Column("agreement", pa.bool_(), "whether the other sources expect the same of this input",
               null="there is no other source"),
    ),
    key=("test_id",),
    rules=(
        Rule("a vote has voters and a share", lambda t: pc.or_(
            pc.not_equal(t["source"], "vote"), pc.and_(pc.is_valid(t["voters"]), pc.is_valid(t["share"])))),
        Rule("share is between 0 and 1", lambda t: pc.fill_null(
            pc.and_(pc.greater(t["share"], 0.0), pc.less_equal(t["share"], 1.0)), True)),
    ),
)


def case_id(input_: str, source: str, expected: str) -> str:
    """The id of a test case."""
    return digest("test_case", input_, source, expected)
