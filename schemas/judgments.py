"""The judgments table: one raw vote, as it was cast."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest
from schemas.table import Column, Rule, Table

SUBJECTS = ("response", "pair", "list")
OUTCOMES = ("win", "tie", "both_bad", "ranked", "scored", "abstain", "invalid")
PROTOCOLS = ("rate_alone", "rate_together", "compare", "follow_ups", "import")
ORDER_POLICIES = ("fixed", "random", "both-average", "both-else-tie")

JUDGMENTS = Table(
    name="judgments",
    version=1,
    meaning="one raw vote of one judge on a response, a pair or a list",
    columns=(
        Column("judgment_id", pa.string(), "digest of reply keys or import row, protocol, aspect, ids as shown"),
        Column("prompt_id", pa.string(), "the prompt whose answers are judged"),
        Column("subject", pa.string(), "what is judged", values=SUBJECTS),
        Column("shown", pa.list_(pa.string()), "response_ids in the order the judge saw them"),
        Column("judge", pa.string(), "the engine's name, or human:<id>"),
        Column("model", pa.string(), "the judge's model", null="the judge is human"),
        Column("revision", pa.string(), "the judge's model revision", null="unknown or human"),
        Column("protocol", pa.string(), "how it was asked", values=PROTOCOLS),
        Column("order_policy", pa.string(), "how orders of a pair are combined", null="not a pair",
               values=ORDER_POLICIES),
        Column("aspect", pa.string(), "what was judged: overall, helpfulness, ..."),
        Column("outcome", pa.string(), "what the vote says", values=OUTCOMES),
        Column("order", pa.list_(pa.string()), "win, ranked: response_ids, best first; otherwise empty"),
        Column("scores", pa.list_(pa.float64()), "scored: one score for each id in `shown`; otherwise empty"),
        Column("strength", pa.float64(), "how strong the win is, as the judge says", null="the judge does not say"),
        Column("p_first", pa.float64(), "probability that the first shown wins, from logprobs", null="not measured"),
        Column("rationale", pa.string(), "the judge's reasons", null="it gave none"),
        Column("request_id", pa.string(), "with sample and attempt: the reply that is this vote",
               null="imported, or of several replies"),
        Column("sample", pa.int32(), "see request_id", null="imported, or of several replies"),
        Column("attempt", pa.int32(), "see request_id", null="imported, or of several replies"),
        Column("rubric", pa.string(), "digest of the judge's prompt text and rubric", null="imported"),
        Column("reason", pa.string(), "why the vote is invalid or abstained", null="it is neither"),
    ),
    key=("judgment_id",),
    rules=(
        Rule("something is shown", lambda t: pc.greater(pc.list_value_length(t["shown"]), 0)),
        Rule("a pair shows two responses", lambda t: pc.or_(
            pc.not_equal(t["subject"], "pair"), pc.equal(pc.list_value_length(t["shown"]), 2))),
        Rule("a scored vote has one score for each response shown, others none", lambda t: pc.equal(
            pc.list_value_length(t["scores"]),
            pc.if_else(pc.equal(t["outcome"], "scored"), pc.list_value_length(t["shown"]), 0))),
        Rule("a win or ranking orders all that is shown, others nothing", lambda t: pc.equal(
            pc.list_value_length(t["order"]),
            pc.if_else(pc.is_in(t["outcome"], value_set=pa.array(["win", "ranked"])),
                       pc.list_value_length(t["shown"]), 0))),
    ),
)


def judgment_id(source: Sequence[str | int], protocol: str, aspect: str, shown: Sequence[str]) -> str:
    """The id of a vote; `source` is the reply key (request_id, sample, attempt), the requests, or the import row."""
    return digest("judgment", list(source), protocol, aspect, list(shown))
