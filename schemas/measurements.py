"""The measurements table: numbers about responses, critiques, tests, or whatever has an id."""

import pyarrow as pa

from schemas.table import Column, Table

MEASUREMENTS = Table(
    name="measurements",
    version=1,
    meaning="a number about a subject: reward, log-probability, length, similarity, a check that holds (1) or not (0)",
    columns=(
        Column("subject_id", pa.string(), "the id of what is measured"),
        Column("name", pa.string(), "what is measured"),
        Column("value", pa.float64(), "the number"),
        Column("source", pa.string(), "who measured it: an engine, a rule, the sandbox"),
    ),
    key=("subject_id", "name"),
)
