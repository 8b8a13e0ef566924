"""What chat logs gave: events by kind and model, pairs by user, chosen answers that know the feedback, reactions."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from feedback.chatlogs.edits import edit_ratio
from feedback.chatlogs.leaks import leak
from feedback.chatlogs.summaries import BETWEEN
from schemas.ids import pick

_CLOSING = re.compile(r"\b(?:bye|goodbye|farewell|take care|see you|have a (?:great|nice|good|wonderful) (?:day|one)|"
                      r"feel free to|let me know if|you're welcome|happy to help)\b", re.IGNORECASE)
_EMOJI = re.compile("[\U0001F300-\U0001FAFF\u2600-\u27BF]")
_LAST = 200
"""Characters at an answer's end in which a closing formula is looked for."""
MOST_EDITS = 300
"""Edits whose cost is compared: it takes time quadratic in the length of answers."""


def events_by_act(events: pl.DataFrame) -> pl.DataFrame:
    """What users did, by kind, act and polarity: events and conversations, the most frequent first."""
    keys = ("kind", "act", "polarity")
    return events.group_by(keys).agg(events=pl.len(), conversations=pl.col("conv_id").n_unique()).sort(
        "events", *keys, descending=[True, False, False, False], nulls_last=True)


def events_by_model(events: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Whose answers events speak of, the most spoken of first: events, and how many of them praise and blame."""
    model = messages.select(target_msg_id="msg_id", model="model")
    told = events.join(model, on="target_msg_id", how="left").with_columns(pl.col("model").fill_null("unknown"))
    says = {name: (pl.col("polarity") == name).sum() for name in ("positive", "negative")}
    return told.group_by("model").agg(
        events=pl.len(), conversations=pl.col("conv_id").n_unique(), **says,
        acts=pl.coalesce("act", "kind").unique().sort().str.join(", "),
    ).sort("events", "model", descending=[True, False])


def pairs_by_group(pairs: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """How many pairs each group (a user, or users who share prompts) gives, most first."""
    met = pairs.join(prompts.select("prompt_id", "group"), on="prompt_id", how="left")
    return met.group_by("group").agg(pairs=pl.len()).sort("pairs", "group", descending=[True, False])


def deciles(pairs: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The share of the pairs that each tenth of the groups gives, the busiest tenth first."""
    groups = pairs_by_group(pairs, prompts).with_row_index("place")
    tenth = (pl.col("place") * 10 // pl.len() + 1).cast(pl.Int64)
    return groups.group_by(decile=tenth).agg(groups=pl.len(), pairs=pl.col("pairs").sum()).sort("decile").with_columns(
        share=pl.col("pairs") / pl.col("pairs").sum())


def leaks(pairs: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """pair_id and words of each pair whose chosen answer knows what a user said of its answers."""
    said = dict(messages.filter(pl.col("role") == "user").select("msg_id", "text").iter_rows())
    found = list(_leaks(pairs, said))
    return pl.DataFrame(found, schema={"pair_id": pl.String, "words": pl.String}, orient="row")


def reactions(unpaired: pl.DataFrame) -> pl.DataFrame:
    """What good and bad answers look like: their number, and means of what readers of rewards learn to farm.

    RLUF saw a policy that was rewarded for a reaction learn to say good-bye: so closing formulas, emojis and length are
    told for each label, and a large difference is a warning about what a trainer will learn.
    """
    text = unpaired["completion"].list.last().struct.field("content")
    rows = unpaired.select("label").with_columns(
        characters=text.str.len_chars(),
        closing=pl.Series([bool(_CLOSING.search(one[-_LAST:])) for one in text], dtype=pl.Boolean),
        emoji=pl.Series([bool(_EMOJI.search(one)) for one in text], dtype=pl.Boolean))
    return rows.group_by("label").agg(answers=pl.len(), characters=pl.col("characters").median(),
                                      closing=pl.col("closing").mean(), emoji=pl.col("emoji").mean()).sort("label")


def trail(events: pl.DataFrame, pairs: pl.DataFrame, unpaired: pl.DataFrame | None = None,
          responses: pl.DataFrame | None = None, wishes: pl.DataFrame | None = None) -> pl.DataFrame:
    """A release's record of its feedback, as FeedbackLogs asks for.

    One row for each kind of feedback: who gave it (people, models, rules) and how many of them, how it was elicited and
    by what detector, how many events there were, and how many pairs and single labels they changed. A pair with an
    answer that was given again is changed by the events which its wishes were read from.
    """
    used = [_used(table, name) for table, name in ((pairs, "pairs"), (unpaired, "labels")) if table is not None]
    if responses is not None and wishes is not None:
        both = pl.concat([used[0].explode("pairs"), _steered(pairs, responses, wishes)])
        used[0] = both.group_by("event_id").agg("pairs")
    told = events.select("event_id", "kind", "actor_kind", "explicitness", "detector", "actor_hash")
    for counted in used:
        told = told.join(counted, on="event_id", how="left")
    names = [name for name in ("pairs", "labels") if name in told.columns]
    return told.group_by("kind", "actor_kind", "explicitness", "detector").agg(
        events=pl.len(), actors=pl.col("actor_hash").drop_nulls().n_unique(),
        **{name: pl.col(name).list.explode().drop_nulls().n_unique() for name in names},
    ).sort("kind", "detector", "actor_kind")


def edit_costs(responses: pl.DataFrame) -> pl.DataFrame:
    """How far answers are from what a person made of the logged one: `cost`, the mean share of words to change, by arm.

    PRELUDE's cost of an edit, which needs no judge. `logged` is that of the logged answers to the same questions, which
    the person edited: less than it, and the arm is nearer to what the person wants. Of many edits it is a drawn sample.
    """
    parent = pl.col("parents").list.first()
    edits = responses.filter(pl.col("strategy") == "edited").select(answer=parent, wanted="text")
    drawn = pick(edits["answer"].unique().sort().to_list(), MOST_EDITS, 0, "edit costs")
    met = edits.filter(pl.col("answer").is_in(drawn)).join(
        responses.select(answer="response_id", before="text"), on="answer").join(
        responses.drop_nulls("arm").select("arm", "text", answer=parent), on="answer").sort(
        "arm", "answer", "text", "wanted")  # a sum of floats depends on their order
    rows = [(arm, edit_ratio(text, wanted), edit_ratio(before, wanted))
            for arm, text, before, wanted in met.select("arm", "text", "before", "wanted").iter_rows()]
    costs = pl.DataFrame(rows, schema={"arm": pl.String, "cost": pl.Float64, "logged": pl.Float64}, orient="row")
    return costs.group_by("arm").agg(answers=pl.len(), cost=pl.col("cost").mean(), logged=pl.col("logged").mean()).sort(
        "arm")


def _used(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """event_id, and the rows of the table that it is evidence of."""
    key = table.columns[0]
    rows = table.select(key, "evidence").explode("evidence").unnest("evidence").filter(
        pl.col("table") == "feedback_events")
    return rows.group_by(event_id="id").agg(pl.col(key).alias(name))


def _steered(pairs: pl.DataFrame, responses: pl.DataFrame, wishes: pl.DataFrame) -> pl.DataFrame:
    """event_id, and the pairs with an answer that was given under a wish read from it."""
    sides = pairs.select(pairs="pair_id", response_id=pl.concat_list("chosen_id", "rejected_id")).explode("response_id")
    under = responses.select("response_id", criterion_id="criteria").explode("criterion_id")
    read = wishes.select("criterion_id", event_id=pl.col("evidence").str.split(BETWEEN)).explode("event_id")
    return sides.join(under, on="response_id").join(read, on="criterion_id").select("event_id", "pairs")


def _leaks(pairs: pl.DataFrame, said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for row in pairs.select("pair_id", "prompt", "chosen", "evidence").iter_rows(named=True):
        asked = [turn["content"] for turn in row["prompt"]]
        feedback = [said[item["id"]] for item in row["evidence"] if item["table"] == "messages" and item["id"] in said]
        if feedback and (words := leak(_text(row["chosen"]), feedback, asked)):
            yield row["pair_id"], words


def _text(turns: list[dict[str, Any]]) -> str:
    return str(turns[-1]["content"])
