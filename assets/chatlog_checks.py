"""What is checked of a build from chat logs: blocking where a label would lie, a warning where a person should look."""

import polars as pl

from assets.checks import PAIR_CHECKS, check_foreign_sides, none_of, share_of
from assets.stage import Check, CheckSpec, Tables
from audits.chatlogs import leaks, pairs_by_group

EVENT_CHECKS = (
    CheckSpec(name="words_follow_their_answer", meaning="what a user said of an answer is the next thing said, and "
              "quotes are in it", blocking=True),
    CheckSpec(name="events_point_at_answers", meaning="every event points at an assistant's message of the build",
              blocking=True),
)
EVENT_PAIR_CHECKS = (
    CheckSpec(name="prompts_end_with_a_user", meaning="the last turn of every pair's prompt is a user's",
              blocking=True),
    PAIR_CHECKS[1],
    CheckSpec(name="chosen_knows_no_feedback", meaning="at most 2 % of the chosen answers share five words in a row "
              "with what was said of the pair later", blocking=False),
    CheckSpec(name="no_user_makes_the_dataset", meaning="no group of users gives over 20 % of the pairs, where there "
              "are 20 or more", blocking=False),
)
MOST_LEAKS, MOST_OF_ONE, FEW = 0.02, 0.2, 20


def check_events(tables: Tables) -> list[Check]:
    """Whether events point where they say, by key."""
    told, rows = tables["feedback_events"], tables["messages"]
    said = told.filter(pl.col("explicitness") != "structural", pl.col("evidence_msg_id").is_not_null())
    speaking = rows.filter(pl.col("msg_id").is_in(said["evidence_msg_id"].implode()))
    words = speaking.select(evidence_msg_id="msg_id", follows=pl.Series(_answered(speaking, rows), dtype=pl.String),
                            words="text", speaker="role")
    met = said.join(words, on="evidence_msg_id", how="left")
    right = ((pl.col("follows") == pl.col("target_msg_id")) & (pl.col("speaker") == "user")
             & pl.col("words").str.contains(pl.col("quote").fill_null(""), literal=True))
    answers = rows.filter(pl.col("role") == "assistant").select(target_msg_id="msg_id")
    lost = told.join(answers, on="target_msg_id", how="anti").height
    return [none_of(EVENT_CHECKS[0].name, met.filter(~right.fill_null(False)).height, said.height,
                    "texts do not follow the answer they speak of, or lack their quote"),
            none_of(EVENT_CHECKS[1].name, lost, told.height, "events point at no answer")]


def _answered(speaking: pl.DataFrame, messages: pl.DataFrame) -> list[str | None]:
    """What each message that speaks follows, tools and systems passed over: msg_ids in the order of the rows."""
    between = messages.filter(~pl.col("role").is_in(["user", "assistant"]))
    above = dict(between.select("msg_id", "parent_id").iter_rows())
    found: list[str | None] = []
    for parent in speaking["parent_id"]:
        while parent in above:
            parent = above[parent]
        found.append(parent)
    return found


def check_event_pairs(tables: Tables) -> list[Check]:
    """Whether the pairs are pairs of answers to a question, and whose they are."""
    pairs = tables["preferences"]
    last = pl.col("prompt").list.last().struct.field("role")
    ends = pairs.filter((last != "user").fill_null(True)).height
    groups = pairs_by_group(pairs, tables["prompts"])
    most = groups["pairs"][0] if pairs.height >= FEW else 0
    return [none_of(EVENT_PAIR_CHECKS[0].name, ends, pairs.height, "prompts end with another turn"),
            check_foreign_sides(pairs, tables["responses"]),
            share_of(EVENT_PAIR_CHECKS[2].name, leaks(pairs, tables["messages"]).height, pairs.height, MOST_LEAKS,
                     "chosen answers know the feedback"),
            share_of(EVENT_PAIR_CHECKS[3].name, most, pairs.height, MOST_OF_ONE, "pairs are of the largest group")]
