"""The feedback_events table: a signal of a user that points at one answer of an assistant."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.table import Column, Rule, Table

EVENT_KINDS = ("vote", "score", "thumb", "rank", "regenerate", "edit", "copy", "flag", "comment", "correction",
               "follow_up")
POLARITIES = ("positive", "negative", "neutral")
ACTS = ("repeat_rephrase", "correction", "rejection", "clarification", "positive", "revision_request", "continue",
        "topic_switch")
REASONS = (
    "gratitude", "learned", "complied", "praise", "personal_sharing", "humor", "acknowledgement", "positive_close",
    "progress", "negative_feedback", "revision", "factual_error", "unrealistic_expectation", "no_engagement",
    "ignored_request", "lower_quality_than_before", "too_little_detail", "style",
)
EXPLICITNESS = ("structural", "text_explicit", "text_implicit")
ACTORS = ("human", "llm", "code")
VERDICTS = ("yes", "no", "unclear")

_COLUMNS = (
    Column("event_id", pa.string(), "digest of what points, at what, as what, and who found it"),
    Column("conv_id", pa.string(), "the conversation"),
    Column("target_msg_id", pa.string(), "the assistant's message that is meant"),
    Column("evidence_msg_id", pa.string(), "the user's message that says so", null="a button, a vote, an edit said so"),
    Column("compared", pa.list_(pa.string()), "msg_ids of the answers it was compared with, sorted"),
    Column("kind", pa.string(), "what the user did", values=EVENT_KINDS),
    Column("value", pa.float64(), "score, rank (1 is best), 1 or -1 of a thumb; of a vote 1 target wins, 0 tie, "
           "-1 both are bad", null="the kind has no number"),
    Column("scale_min", pa.float64(), "the lowest value there is", null="there is no scale"),
    Column("scale_max", pa.float64(), "the highest value there is", null="there is no scale"),
    Column("labels", pa.list_(pa.string()), "tags that the user chose, sorted"),
    Column("text", pa.string(), "a comment, a corrected text, what was copied; scrubbed", null="there is none"),
    Column("quote", pa.string(), "the words of the evidence message that say so", null="no text says so"),
    Column("polarity", pa.string(), "how the user feels about the target", null="the signal does not say",
           values=POLARITIES),
    Column("act", pa.string(), "what the user's message does", null="no text says so", values=ACTS),
    Column("reasons", pa.list_(pa.string()), "why, of the 18 of SPUR (REASONS), sorted"),
    Column("ordinal", pa.int32(), "1 rejection, 2 correction, 3 neutral, 4 engaged, 5 satisfied (WildReward)",
           null="the signal does not say"),
    Column("explicitness", pa.string(), "how it was said", values=EXPLICITNESS),
    Column("confidence", pa.float64(), "how sure the detector is, 0 to 1", null="it does not say"),
    Column("justified", pa.string(), "whether the assistant really erred", null="not asked", values=VERDICTS),
    Column("standing_directive", pa.bool_(), "whether the wish holds beyond this turn"),
    Column("detector", pa.string(), "who found it: log, siblings, cues, an engine's name, ..."),
    Column("detector_version", pa.string(), "digest of the rules or of the prompt it was found with"),
    Column("request_id", pa.string(), "with sample and attempt: the reply it was read from", null="no model found it"),
    Column("sample", pa.int32(), "see request_id", null="no model found it"),
    Column("attempt", pa.int32(), "see request_id", null="no model found it"),
    Column("actor_hash", pa.string(), "salted digest of who gave it", null="the log names nobody"),
    Column("actor_kind", pa.string(), "who gave it: a person, a model, a rule", values=ACTORS),
    Column("created_at", pa.timestamp("us", "UTC"), "when", null="the log does not say"),
    Column("source_format", pa.string(), "the reader of the log"),
    Column("place", pa.string(), "the file and line or record"),
)

_RULES = (
    Rule("a quote stands in an evidence message", lambda t: pc.or_(
        pc.is_null(t["quote"]), pc.is_valid(t["evidence_msg_id"]))),
    Rule("reasons are known", lambda t: pc.equal(_unknown_reasons(t), 0)),
    Rule("ordinal is 1 to 5", lambda t: pc.fill_null(
        pc.and_(pc.greater_equal(t["ordinal"], 1), pc.less_equal(t["ordinal"], 5)), True)),
    Rule("confidence is between 0 and 1", lambda t: pc.fill_null(
        pc.and_(pc.greater_equal(t["confidence"], 0.0), pc.less_equal(t["confidence"], 1.0)), True)),
)


def _unknown_reasons(table: pa.Table) -> pa.ChunkedArray:
    """How many reasons of each row are none of REASONS."""
    return pa.chunked_array([[sum(reason not in REASONS for reason in row or ()) for row in chunk.to_pylist()]
                             for chunk in table["reasons"].chunks], pa.int64())


SIGNALS = Table(
    name="signals",
    version=1,
    meaning="a signal that the log itself holds: a vote, thumb, score or rank, a regenerated or edited answer, a copy",
    columns=_COLUMNS,
    key=("event_id",),
    rules=_RULES,
)

FEEDBACK_EVENTS = Table(
    name="feedback_events",
    version=1,
    meaning="a signal of a user, held by the log or found in the user's words, that points at an assistant's message",
    columns=_COLUMNS,
    key=("event_id",),
    rules=_RULES,
)


def event_id(conversation: str, target: str, evidence: str | None, kind: str, detector: str, *what: str) -> str:
    """The id of an event; `what` tells apart several of one kind at one target: an act, a tag, the place of a click."""
    return digest("event", conversation, target, evidence, kind, detector, list(what))
