"""What is checked of every build: blocking where wrong labels would pass, a warning where a person should look."""

from collections.abc import Sequence

import polars as pl

from assets.stage import Check, CheckSpec, Tables
from schemas.funnel import Count

BALANCE = CheckSpec(name="every_row_is_accounted_for", meaning="in = out + dropped + failed", blocking=True)
VOTE_CHECKS = (
    CheckSpec(name="few_votes_are_invalid", meaning="at most 10 % of the votes do not parse or never came",
              blocking=False),
)
RANKING_CHECKS = (
    CheckSpec(name="most_responses_reach_the_quorum", meaning="at most 10 % of the responses lack the votes",
              blocking=False),
    CheckSpec(name="answers_meet_the_same_judges", meaning="in at most 10 % of the prompts has an answer scores of "
              "fewer judges than another, as a strict judge's silence lifts a mean", blocking=False),
)
PAIR_CHECKS = (
    CheckSpec(name="chosen_scores_higher", meaning="in the rankings, joined by id, chosen beats rejected in each pair",
              blocking=True),
    CheckSpec(name="texts_are_the_responses", meaning="each side is, byte for byte, a response to the pair's prompt",
              blocking=True),
)
NOTHING_KEPT = "something_is_kept"
KEPT_CHECKS = (
    CheckSpec(name=NOTHING_KEPT, meaning="at least one pair passes the filters", blocking=True),
    CheckSpec(name="sides_differ", meaning="no pair has the same text on both sides", blocking=True),
    CheckSpec(name="groups_stay_together", meaning="no prompt group is in both train and test", blocking=True),
)


def check_balance(counts: Sequence[Count]) -> Check:
    """Whether the step's funnel adds up."""
    left = sum(row.count if row.fate == "in" else -row.count for row in counts)
    seen = sum(row.count for row in counts if row.fate == "in")
    return Check(name=BALANCE.name, passed=left == 0, note=f"{seen} rows in, {left} not accounted for")


def check_votes(tables: Tables) -> list[Check]:
    """Whether most votes are valid."""
    votes = tables["judgments"]
    invalid = votes.filter(pl.col("outcome") == "invalid").height
    lost = _never_came(tables["judge_completions"]) if "judge_completions" in tables else 0
    return [share_of(VOTE_CHECKS[0].name, invalid + lost, votes.height + lost, 0.1, "votes are invalid or never came")]


def check_rankings(tables: Tables) -> list[Check]:
    """Whether most responses reach the quorum, and are scored by as many judges as those they are ranked with."""
    ranked = tables["rankings"]
    bad = ranked.filter(pl.col("outcome") == "no_quorum").height
    scored = tables["judgments"].filter(pl.col("outcome") == "scored").select("prompt_id").unique()
    met = ranked.filter(pl.col("outcome") == "ranked").join(scored, on="prompt_id", how="semi")
    judges = met.group_by("prompt_id").agg(pl.col("judges").n_unique())
    uneven = judges.filter(pl.col("judges") > 1).height
    return [share_of(RANKING_CHECKS[0].name, bad, ranked.height, 0.1, "responses lack a quorum"),
            share_of(RANKING_CHECKS[1].name, uneven, judges.height, 0.1, "prompts are judged unevenly")]


def check_pairs(tables: Tables) -> list[Check]:
    """Whether the pairs say what the rankings and responses say, by key."""
    pairs = tables["preferences"]
    wrong = _wrongly_ordered(pairs, tables["rankings"]) if "rankings" in tables else 0
    return [
        none_of(PAIR_CHECKS[0].name, wrong, pairs.height, "pairs contradict the rankings"),
        check_foreign_sides(pairs, tables["responses"]),
    ]


def check_foreign_sides(pairs: pl.DataFrame, responses: pl.DataFrame) -> Check:
    """Whether each side is a response to its prompt."""
    return none_of(PAIR_CHECKS[1].name, _foreign_sides(pairs, responses), 2 * pairs.height,
                   "sides are not a response to their prompt")


def check_kept(tables: Tables) -> list[Check]:
    """Whether the survivors are worth exporting."""
    pairs = tables["kept"]
    same = pairs.filter(_text("chosen") == _text("rejected")).height
    sides = pairs.join(tables["prompts"].select("prompt_id", "group"), on="prompt_id", how="left")
    torn = sides.group_by("group").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).height
    return [
        Check(name=KEPT_CHECKS[0].name, passed=pairs.height > 0, note=f"{pairs.height} pairs kept"),
        none_of(KEPT_CHECKS[1].name, same, pairs.height, "pairs have identical sides"),
        none_of(KEPT_CHECKS[2].name, torn, sides["group"].n_unique(), "groups are in both splits"),
    ]


def _never_came(replies: pl.DataFrame) -> int:
    """Requests without any reply."""
    came = replies.group_by("request_id", "sample").agg((pl.col("status") != "error").any().alias("came"))
    return came.filter(~pl.col("came")).height


def _wrongly_ordered(pairs: pl.DataFrame, rankings: pl.DataFrame) -> int:
    told = of_sides(pairs.filter(pl.col("margin").is_not_null()), rankings.select("prompt_id", "response_id", "score"))
    return told.filter(~(pl.col("chosen_score") > pl.col("rejected_score")).fill_null(False)).height


def _foreign_sides(pairs: pl.DataFrame, responses: pl.DataFrame) -> int:
    known = responses.select("prompt_id", "response_id", "text")
    foreign = 0
    for side in ("chosen", "rejected"):
        said = pairs.select("prompt_id", pl.col(f"{side}_id").alias("response_id"), _text(side).alias("said"))
        joined = said.join(known, on=["prompt_id", "response_id"], how="left")
        foreign += joined.filter(~(pl.col("said") == pl.col("text")).fill_null(False)).height
    return foreign


def _text(side: str) -> pl.Expr:
    """The last turn's text of a side."""
    return pl.col(side).list.last().struct.field("content")


def of_sides(pairs: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """What is known of the sides of each pair, by prompt_id and response_id, as columns chosen_… and rejected_…."""
    joined = pairs.select("prompt_id", "chosen_id", "rejected_id")
    for side in ("chosen", "rejected"):
        named = known.select("prompt_id", pl.col("response_id").alias(f"{side}_id"),
                             pl.exclude("prompt_id", "response_id").name.prefix(f"{side}_"))
        joined = joined.join(named, on=["prompt_id", f"{side}_id"], how="left")
    return joined


def none_of(name: str, bad: int, of: int, what: str) -> Check:
    """A check that nothing is bad."""
    return Check(name=name, passed=bad == 0, note=f"{bad} of {of} {what}", figures={"bad": bad, "of": of})


def share_of(name: str, bad: int, of: int, limit: float, what: str) -> Check:
    """A check that at most the share `limit` is bad."""
    share = bad / of if of else 0.0
    return Check(name=name, passed=share <= limit, note=f"{bad} of {of} {what} ({share:.1%})",
                 figures={"bad": bad, "of": of, "limit": limit})
