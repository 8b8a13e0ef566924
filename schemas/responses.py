"""The responses table: a candidate answer."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.ids import digest
from schemas.table import Column, Table

ORIGINS = ("engine", "log", "human", "import")
RESPONSE_ROLES = ("candidate", "baseline")

RESPONSES = Table(
    name="responses",
    version=1,
    meaning="a candidate answer to a prompt; equal texts of two models are two rows",
    columns=(
        Column("response_id", pa.string(), "digest of prompt_id, origin and its maker, sample, round, parents"),
        Column("prompt_id", pa.string(), "the prompt it answers"),
        Column("origin", pa.string(), "where it came from", values=ORIGINS),
        Column("role", pa.string(), "candidate, or baseline to compare with", values=RESPONSE_ROLES),
        Column("engine", pa.string(), "the engine's name", null="the origin is not an engine"),
        Column("model", pa.string(), "the model, or the author of an imported answer"),
        Column("revision", pa.string(), "the model's revision", null="unknown"),
        Column("strategy", pa.string(), "how it was made: sample, refine, ..."),
        Column("round", pa.int32(), "0-based round of a loop"),
        Column("arm", pa.string(), "the experiment arm", null="there is one arm only"),
        Column("parents", pa.list_(pa.string()), "response_ids it was made from"),
        Column("criteria", pa.list_(pa.string()), "criterion_ids it was made under"),
        Column("critiques", pa.list_(pa.string()), "critique_ids it was made under"),
        Column("sample", pa.int32(), "0-based number among the samples of one request"),
        Column("text", pa.string(), "the answer"),
        Column("text_digest", pa.string(), "digest of the text, to find identical ones"),
        Column("finish_reason", pa.string(), "why the model stopped: stop, length, ...", null="unknown"),
        Column("tokens", pa.int64(), "tokens out, as the server counts", null="unknown"),
        Column("request_id", pa.string(), "with sample and attempt: the reply it is", null="not from an engine"),
        Column("attempt", pa.int32(), "see request_id", null="the origin is not an engine"),
    ),
    key=("response_id",),
)


def response_id(prompt: str, origin: str, maker: str, sample: int, round_: int = 0, parents: Sequence[str] = ()) -> str:
    """The id of a response; `maker` is the request_id of an engine's answer, else its author."""
    return digest("response", prompt, origin, maker, sample, round_, list(parents))
