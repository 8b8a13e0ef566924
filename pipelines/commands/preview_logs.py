"""winnow preview where models read chat logs: the first conversations with something to ask, and what came of it."""

from collections.abc import Iterator, Mapping

import polars as pl

from assets import again, cascade
from assets.dataset import PreferenceDataset
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.answers import EDITED
from feedback.chatlogs.cues import Cues
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.validate import Validate

ASKED = (cascade.FOUND, cascade.CHECKED, *again.READ.values())
"""The replies about conversations, in the order they are asked for."""
STAGES = {*ASKED, again.WISHES, again.ASKED}
ANEW = ("Answers with past edits know those of these conversations alone: where a person edited in others, the build "
        "asks for them anew.")


def reads_talk(dataset: PreferenceDataset) -> bool:
    """Whether models are asked about conversations."""
    return any(isinstance(part, Detect | Validate | LoggedAgain) for part in (*dataset.tellers, dataset.responses))


def knows_less(dataset: PreferenceDataset) -> bool:
    """Whether something is asked that depends on conversations which are not shown."""
    part = dataset.responses
    return isinstance(part, LoggedAgain) and part.again.edits is not None and part.again.edits.past > 0


def before_models(dataset: PreferenceDataset) -> str:
    """The last stage that reads logs and asks no model."""
    return "messages" if cascade.cues_of(dataset) is None else "turn_cues"


def first_conversations(dataset: PreferenceDataset, tables: Mapping[str, pl.DataFrame], n: int
                        ) -> dict[str, pl.DataFrame]:
    """The tables of the logs with the first n conversations only in which there is something to ask."""
    chosen = sorted(set(_speaking(dataset, tables)))[:n]
    return {name: rows.filter(pl.col("conv_id").is_in(chosen)) for name, rows in tables.items()}


def told(tables: Mapping[str, pl.DataFrame], conversation: str) -> Iterator[str]:
    """What was found in a conversation and holds, and what the user wants of its answers."""
    here = pl.col("conv_id") == conversation
    events = tables["feedback_events"].filter(here, pl.col("evidence_msg_id").is_not_null())
    for event in events.sort("event_id").iter_rows(named=True):
        yield f'kept: {event["act"] or event["kind"]} ({event["polarity"]}) "{event["quote"] or ""}"'
    if again.WISHES in tables:
        own = tables["messages"].filter(here)["msg_id"]
        for wish in tables[again.WISHES].filter(pl.col("name").is_in(own.implode()))["text"]:
            yield f"wanted: {wish}"


def _speaking(dataset: PreferenceDataset, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    """The conversations with a turn that is asked about, or that cues flag, or with an edited answer."""
    for part in dataset.tellers:
        if isinstance(part, Detect):
            yield from part.strata(tables["turn_cues"]).drop_nulls("stratum")["conv_id"]
        elif isinstance(part, Cues):
            yield from part.flagged(tables["turn_cues"])["conv_id"]
    if isinstance(dataset.responses, LoggedAgain) and dataset.responses.again.edits:
        edits = tables["signals"].filter(pl.col("kind").is_in(EDITED), pl.col("text").is_not_null())
        yield from edits["conv_id"]
