"""The rankings table: what the votes say of a response, together."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.table import Column, Rule, Table

RANKING_OUTCOMES = ("ranked", "no_quorum")

RANKINGS = Table(
    name="rankings",
    version=1,
    meaning="a response's aggregated score and rank among the answers to its prompt",
    columns=(
        Column("prompt_id", pa.string(), "the prompt"),
        Column("response_id", pa.string(), "the response"),
        Column("outcome", pa.string(), "ranked, or no_quorum: too few valid votes to say", values=RANKING_OUTCOMES),
        Column("score", pa.float64(), "the aggregated score; higher is better", null="no_quorum"),
        Column("rank", pa.int32(), "1 is best; equal scores share the smallest rank", null="no_quorum"),
        Column("votes", pa.int32(), "valid votes that count for it"),
        Column("invalid", pa.int32(), "votes on it that did not parse or abstained"),
        Column("judges", pa.int32(), "distinct judges with a valid vote on it"),
        Column("agreement", pa.float64(), "share of the judges' pairwise outcomes that agree with the ranking's",
               null="fewer than two judges, or no_quorum"),
        Column("judgment_ids", pa.list_(pa.string()), "all votes on it, valid or not, sorted"),
    ),
    key=("prompt_id", "response_id"),
    rules=(
        Rule("ranked means a score and a rank", lambda t: pc.and_(
            pc.equal(pc.is_valid(t["score"]), pc.equal(t["outcome"], "ranked")),
            pc.equal(pc.is_valid(t["rank"]), pc.equal(t["outcome"], "ranked")))),
    ),
)
