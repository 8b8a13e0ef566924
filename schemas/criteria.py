"""The criteria table: principles, personas and rubrics that answers are made or judged under."""

import pyarrow as pa

from schemas.ids import digest
from schemas.table import Column, Table

KINDS = ("principle", "persona", "system", "rubric", "checklist", "summary")

CRITERIA = Table(
    name="criteria",
    version=1,
    meaning="a principle, persona, system prompt, rubric, checklist item or preference summary",
    columns=(
        Column("criterion_id", pa.string(), "digest of kind, name and text"),
        Column("kind", pa.string(), "what it is", values=KINDS),
        Column("name", pa.string(), "what people call it"),
        Column("scope", pa.string(), "what it is for: responses or judgments"),
        Column("text", pa.string(), "the wording that a model sees"),
        Column("evidence", pa.string(), "what it was derived from", null="a person wrote it"),
    ),
    key=("criterion_id",),
)


def criterion_id(kind: str, name: str, text: str) -> str:
    """The id of a criterion."""
    return digest("criterion", kind, name, text)
