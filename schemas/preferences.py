"""The preference tables: pairs, single labels and ranked lists, each row naming the evidence it came from."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.messages import MESSAGES
from schemas.table import Column, Rule, Table

SPLITS = ("train", "test")
EVIDENCE = pa.list_(pa.struct([pa.field("table", pa.string()), pa.field("id", pa.string())]))

_PROMPT = (
    Column("prompt_id", pa.string(), "the prompt"),
    Column("prompt", MESSAGES, "the prompt's messages"),
)
_ORIGIN = (
    Column("split", pa.string(), "train or test, by the prompt's group", values=SPLITS),
    Column("evidence", EVIDENCE, "the rows this label came from: table and id"),
)

PREFERENCES = Table(
    name="preferences",
    version=1,
    meaning="one answer preferred to another answer to the same prompt",
    columns=(
        Column("pair_id", pa.string(), "digest of prompt_id, chosen_id, rejected_id"),
        *_PROMPT,
        Column("chosen", MESSAGES, "the preferred answer, as assistant turns"),
        Column("rejected", MESSAGES, "the other answer, as assistant turns"),
        Column("chosen_id", pa.string(), "response_id of the preferred answer, or step_id of a beginning"),
        Column("rejected_id", pa.string(), "response_id of the other answer, or step_id of a beginning"),
        Column("chosen_model", pa.string(), "who wrote the preferred answer"),
        Column("rejected_model", pa.string(), "who wrote the other answer"),
        Column("score_chosen", pa.float64(), "its aggregated score", null="the pair was made without scores"),
        Column("score_rejected", pa.float64(), "its aggregated score", null="the pair was made without scores"),
        Column("margin", pa.float64(), "score_chosen - score_rejected", null="the pair was made without scores"),
        Column("p_chosen", pa.float64(), "probability that chosen is better", null="no strength was asked for"),
        Column("policy", pa.string(), "the pair policy that made it"),
        *_ORIGIN,
    ),
    key=("pair_id",),
    rules=(
        Rule("chosen is not rejected", lambda t: pc.not_equal(t["chosen_id"], t["rejected_id"])),
        Rule("margin is not negative", lambda t: pc.fill_null(pc.greater_equal(t["margin"], 0.0), True)),
        Rule("p_chosen is between 0 and 1", lambda t: pc.fill_null(
            pc.and_(pc.greater_equal(t["p_chosen"], 0.0), pc.less_equal(t["p_chosen"], 1.0)), True)),
    ),
)

UNPAIRED = Table(
    name="unpaired",
    version=1,
    meaning="one answer labelled good or bad",
    columns=(
        Column("response_id", pa.string(), "the answer"),
        *_PROMPT,
        Column("completion", MESSAGES, "the answer, as assistant turns"),
        Column("label", pa.bool_(), "true: good"),
        Column("model", pa.string(), "who wrote it"),
        Column("score", pa.float64(), "its aggregated score", null="labelled without a score"),
        *_ORIGIN,
    ),
    key=("response_id",),
)

LISTS = Table(
    name="lists",
    version=1,
    meaning="all ranked answers to one prompt, best first",
    columns=(
        *_PROMPT,
        Column("completions", pa.list_(MESSAGES), "the answers, best first"),
        Column("response_ids", pa.list_(pa.string()), "their ids, in the same order"),
        Column("models", pa.list_(pa.string()), "who wrote them, in the same order"),
        Column("scores", pa.list_(pa.float64()), "their scores, in the same order"),
        Column("ranks", pa.list_(pa.int32()), "their ranks, in the same order; ties share a rank"),
        *_ORIGIN,
    ),
    key=("prompt_id",),
)

DROPPED = Table(
    name="dropped",
    version=1,
    meaning="a candidate row that a filter removed, and why",
    columns=(
        Column("table", pa.string(), "the table the row was a candidate for"),
        Column("row_id", pa.string(), "its key there"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("reason", pa.string(), "the rule that removed it, the first in the recipe's order"),
        Column("evidence", pa.string(), "what the rule saw"),
        Column("also", pa.list_(pa.string()), "other rules that would have removed it"),
    ),
    key=("table", "row_id"),
)


def pair_id(prompt: str, chosen: str, rejected: str) -> str:
    """The id of a preference pair."""
    return digest("pair", prompt, chosen, rejected)
