"""The critiques table: feedback on a response, in words."""

import pyarrow as pa

from schemas.ids import digest
from schemas.table import Column, Table

CRITIQUES = Table(
    name="critiques",
    version=1,
    meaning="what a critic says of a response: a model, a person, or the sandbox",
    columns=(
        Column("critique_id", pa.string(), "digest of response_id, critic, round and text"),
        Column("response_id", pa.string(), "the response"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("critic", pa.string(), "the engine's name, human:<id>, or execution"),
        Column("model", pa.string(), "the critic's model", null="the critic is no model"),
        Column("text", pa.string(), "what it says"),
        Column("score", pa.float64(), "the score it gives, or what it was worth", null="it has none"),
        Column("round", pa.int32(), "0-based round of a loop"),
        Column("parents", pa.list_(pa.string()), "critique_ids it answers or follows"),
        Column("request_id", pa.string(), "with sample and attempt: the reply it is", null="not from an engine"),
        Column("sample", pa.int32(), "see request_id", null="not from an engine"),
        Column("attempt", pa.int32(), "see request_id", null="not from an engine"),
    ),
    key=("critique_id",),
)


def critique_id(response: str, critic: str, round_: int, text: str) -> str:
    """The id of a critique."""
    return digest("critique", response, critic, round_, text)
