"""What the UI shows of chat logs: conversations, signals, events with the words they stand on, and whose pairs."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assets.show import SAMPLE, crosstab, frame, last_text, pictures, rows
from assets.stage import Tables
from audits import chatlog_figures as figures
from audits.chatlogs import deciles, events_by_act, events_by_model, reactions
from schemas.turn_cues import CUE_FAMILIES


def messages(tables: Tables) -> Mapping[str, Any]:
    """Conversations by format: how long, of how many users, how much is dated, what was replaced."""
    told = tables["messages"]
    formats = told.group_by("source_format").agg(
        conversations=pl.col("conv_id").n_unique(), messages=pl.len(),
        users=pl.col("user_hash").drop_nulls().n_unique(), dated=pl.col("created_at").is_not_null().mean(),
        branches=(pl.col("branch") > 0).sum()).sort("source_format")
    replaced = told.select(pl.col("placeholders").explode().drop_nulls().alias("replaced")).group_by("replaced").agg(
        messages=pl.len()).sort("replaced")
    return {"conversations by format": frame(formats, *formats.columns),
            "replaced by placeholders": frame(replaced, "replaced", "messages"),
            "sample messages": frame(told.head(SAMPLE), "role", "text", "model", "depth", "branch", "flags")}


def signals(tables: Tables) -> Mapping[str, Any]:
    """Signals: by kind and format."""
    told = tables["signals"]
    return {"signals by kind": crosstab(told, "kind", "source_format")} if told.height else {}


def turn_cues(tables: Tables) -> Mapping[str, Any]:
    """Cues: how many turns say which. They find what is said outright, not how good an answer was."""
    told = tables["turn_cues"]
    families = [name for name in CUE_FAMILIES if name in told.columns]
    counts = [(name, told[name].count()) for name in families]
    return {"turns by cue": rows(("cue", "turns"), [*counts, ("all turns", told.height)]),
            "sample turns": frame(told.head(SAMPLE), *families, "similarity", "characters")}


def events(tables: Tables) -> Mapping[str, Any]:
    """Events: by act and by model, and a few with the words they stand on, quotes first."""
    told, said = tables["feedback_events"], tables["messages"]
    if told.is_empty():
        return {}
    acts, models = events_by_act(told), events_by_model(told, said)
    words = said.select(target_msg_id="msg_id", answer="text", model="model")
    sample = told.sort(pl.col("quote").is_null(), "event_id").head(SAMPLE).join(words, on="target_msg_id", how="left")
    cells = [(row["kind"], row["act"] or row["polarity"] or "", row["value"], row["quote"] or row["text"] or "",
              row["answer"], row["detector"]) for row in sample.iter_rows(named=True)]
    return {"plots": pictures({"events": figures.events(acts)}),
            "sample evidence": rows(("kind", "act", "value", "quote", "answer it speaks of", "found by"), cells),
            "events by act": frame(acts, *acts.columns, limit=16),
            "events by model": frame(models, *models.columns, limit=16)}


def recall(tables: Tables) -> Mapping[str, Any]:
    """The cascade: what it finds of all feedback, estimated from the audit, and how many calls it spares."""
    told = tables["recall"]
    return {"what the cascade finds and spares": frame(told, "name", "value", limit=20), **{
        row["name"]: row["value"] for row in told.to_dicts() if row["name"] in ("recall", "times fewer calls")}}


def pairs(tables: Tables) -> Mapping[str, Any]:
    """Pairs: a few with what users did, their rules, and the share of each tenth of the groups that they fall into."""
    told = tables["preferences"]
    if told.is_empty():
        return {}
    by_rule = told.group_by("policy").agg(pairs=pl.len(), margin=pl.col("margin").mean()).sort("policy")
    shares = deciles(told, tables["prompts"])
    did = _did(tables["feedback_events"])
    cells = [(last_text(row["prompt"]), last_text(row["chosen"]), last_text(row["rejected"]), row["policy"],
              "; ".join(sorted({did[item["id"]] for item in row["evidence"] if item["id"] in did})))
             for row in told.head(SAMPLE).iter_rows(named=True)]
    return {"sample pairs": rows(("prompt", "chosen", "rejected", "rule", "what users did"), cells),
            "plots": pictures({"pairs by group": figures.deciles(shares)}),
            "pairs by rule": frame(by_rule, "policy", "pairs", "margin"),
            "share of each tenth of the groups": frame(shares, *shares.columns, limit=10)}


def _did(events: pl.DataFrame) -> dict[str, str]:
    """Each event in a few words: its act, else its kind, and the words it stands on."""
    return {row["event_id"]: f"{row['act'] or row['kind']}{_quoted(row['quote'])}"
            for row in events.iter_rows(named=True)}


def _quoted(quote: str | None) -> str:
    return f' "{quote}"' if quote else ""


def labels(tables: Tables) -> Mapping[str, Any]:
    """Single labels: what good and bad answers look like to a policy that farms reactions."""
    told = reactions(tables["unpaired"])
    return {"what good and bad answers look like": frame(told, *told.columns)} if told.height else {}
