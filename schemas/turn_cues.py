"""The turn_cues table: a user's turn after an answer, and what shows in it without asking a model."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.table import Column, Rule, Table

CUE_FAMILIES = ("rejection", "correction", "clarification", "revision", "positive")


def _between(name: str) -> Rule:
    return Rule(f"{name} is between 0 and 1", lambda t: pc.fill_null(
        pc.and_(pc.greater_equal(t[name], 0.0), pc.less_equal(t[name], 1.0)), True))


TURN_CUES = Table(
    name="turn_cues",
    version=1,
    meaning="a user's turn that follows an answer, and its cues: kept as measured, so that thresholds cost nothing",
    columns=(
        Column("evidence_msg_id", pa.string(), "the user's turn"),
        Column("conv_id", pa.string(), "its conversation"),
        Column("target_msg_id", pa.string(), "the answer it follows"),
        Column("previous_msg_id", pa.string(), "the user's turn which that answered", null="the assistant began"),
        Column("next_msg_id", pa.string(), "the user's turn after this one", null="there is none"),
        Column("language", pa.string(), "ISO 639-1 code of the conversation's user turns", null="the log does not say"),
        Column("pack", pa.string(), "the cue pack it was read with", null="there is none for the language"),
        *(Column(family, pa.string(), f"the first words of the turn that are a cue of {family}", null="none")
          for family in CUE_FAMILIES),
        Column("similarity", pa.float64(), "how alike this turn and the user's turn before are, 0 to 1",
               null="there is no turn before"),
        Column("pasted_error", pa.string(), "the first words that a program's error message begins with", null="none"),
        Column("characters", pa.int32(), "the turn's length"),
        Column("code_ratio", pa.float64(), "share of the turn's lines that look like code"),
        Column("learned", pa.float64(), "the chance that it holds feedback, by a learned filter", null="none was used"),
        Column("cues_version", pa.string(), "digest of the pack, the rules and the learned filter"),
    ),
    key=("evidence_msg_id",),
    rules=(_between("similarity"), _between("code_ratio"), _between("learned")),
)
