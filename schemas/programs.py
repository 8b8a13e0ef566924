"""The programs table: the code that was found in a response."""

import pyarrow as pa

from schemas.ids import digest
from schemas.table import Column, Table

LANGUAGES = ("python", "c", "cpp", "verilog")

PROGRAMS = Table(
    name="programs",
    version=1,
    meaning="the program that a response holds; equal programs of two responses are two rows of one program_id",
    columns=(
        Column("response_id", pa.string(), "the response it was found in"),
        Column("prompt_id", pa.string(), "the prompt"),
        Column("program_id", pa.string(), "digest of language, source and entry: equal programs run once"),
        Column("language", pa.string(), "the language", values=LANGUAGES),
        Column("entry", pa.string(), "the function that inputs of kind call are given to", null="it reads stdin"),
        Column("source", pa.string(), "the code, as it is run"),
        Column("found", pa.string(), "where it was found: fence, bare, completion"),
    ),
    key=("response_id",),
)


def program_id(language: str, source: str, entry: str | None) -> str:
    """The id of a program."""
    return digest("program", language, source, entry)
