"""What the cue layer finds on real conversations, some with gold labels: counts and intervals, as one table."""

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from feedback.chatlogs.cues import act_of, cues, measured
from feedback.chatlogs.intervals import wilson
from schemas.ids import digest

COMPLAINTS = ("rejection", "correction", "clarification")
DRAFTED = "cues were drafted after seeing some of these turns: optimistic"
QUALITY = "gold is the quality of the bot's turn, which cues do not measure; not looked at when cues were drafted"
SILVER = "no gold: flag rates only; cues were drafted after seeing some of these turns"
REACTIONS = {"Ask for Clarification": "clarification", "Make Aware Without Correction": "rejection",
             "Make Aware With Correction": "correction", "Repeat or Rephrase": "repeat"}
NO_REACTION = "Ignore and Continue"
_USER = re.compile(r"<user>(.*?)(?=<system>|<user>|$)", re.DOTALL)

Pair = tuple[str | None, str]
"""The user's turn before, and the turn."""


def table(folder: Path) -> list[dict[str, Any]]:
    """Rows {set, figure, hits, of, share, low, high, caveat} for the data sets of chat/ in this folder that are there.

    Petrak et al. 2023: recall by act, of any flag, and false flags on turns that go on. RealHumanEval: flag rates.
    DBDC3 (English, development): how complaint cues and repeats meet breakdowns of the bot's turn before.
    """
    parts = (("petrak2023_erroneous", petrak), ("realhumaneval_chat", real_human_eval), ("dbdc3_en_dev", dbdc3))
    return [row for name, figures in parts if (path := folder / "chat" / f"{name}.jsonl.gz").is_file()
            for row in figures(_rows(path))]


def petrak(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reactions to bots' errors of Petrak et al. 2023, whose acts people labelled."""
    pairs = [((_USER.findall(row["context"]) or [None])[-1], row["user_reaction"]) for row in rows]
    turns = features(pairs).with_columns(
        pl.Series("gold", [row["user_reaction_type"] for row in rows]), cue=act_of())
    flagged = cues().flagged(turns)
    made = []
    for gold, cue in REACTIONS.items():
        of = turns.filter(gold=gold)
        made.append(_row("petrak", f"{cue}: found as such", of.filter(cue=cue).height, of.height, DRAFTED))
        made.append(_row("petrak", f"{cue}: flagged", flagged.filter(gold=gold).height, of.height, DRAFTED))
    real = pl.col("gold") != NO_REACTION
    hits = flagged.filter(real).height
    return [*made, _row("petrak", "any act: flagged (recall)", hits, turns.filter(real).height, DRAFTED),
            _row("petrak", "flagged: an act (precision)", hits, flagged.height, DRAFTED),
            _row("petrak", "no act: flagged all the same", flagged.height - hits, turns.filter(~real).height, DRAFTED)]


def real_human_eval(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Follow-up turns of programmers, each once; rows of the log repeat the history."""
    seen: dict[str, Pair] = {}
    for row in rows:
        said = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
        for place in range(1, len(said)):
            name = digest(row["programmer_id"], row["task_name"], said[:place + 1])
            seen.setdefault(name, (said[place - 1], said[place]))
    turns = features(list(seen.values()))
    told = {"flagged by any cue, a repeat or a pasted error": cues().flagged(turns).height,
            "rejection cues": turns["rejection"].drop_nulls().len(),
            "repeats": turns.filter(pl.col("similarity") >= 0.8).height,
            "pasted errors": turns["pasted_error"].drop_nulls().len()}
    return [_row("realhumaneval", figure, hits, turns.height, SILVER) for figure, hits in told.items()]


def dbdc3(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bots' turns that people judged, and the user's turn after each."""
    pairs, broken = [], []
    for before, bot, after in (trio for row in rows for trio in _trios(row["turns"])):
        pairs.append((before, after))
        broken.append(bot["X"] > max(bot["O"], bot["T"]))
    turns = features(pairs).with_columns(pl.Series("broken", broken))
    complaint = act_of(COMPLAINTS).is_not_null()
    found = turns.filter(complaint)
    hits = found.filter("broken").height
    return [_row("dbdc3", "breakdowns among all turns (base)", sum(broken), len(broken), QUALITY),
            _row("dbdc3", "breakdowns flagged (recall)", hits, sum(broken), QUALITY),
            _row("dbdc3", "flagged turns that follow a breakdown (precision)", hits, found.height, QUALITY)]


def features(pairs: Sequence[Pair]) -> pl.DataFrame:
    """TURN_CUES of bare pairs of turns, in their order."""
    names = [str(place) for place in range(len(pairs))]
    nobody = pl.lit(None, pl.String)
    return measured(pl.DataFrame(
        {"evidence_msg_id": names, "previous": [one[0] for one in pairs], "evidence": [one[1] for one in pairs]},
        schema_overrides={"previous": pl.String}).with_columns(
            conv_id=pl.lit(""), target_msg_id=pl.lit(""), previous_msg_id=nobody, next_msg_id=nobody,
            language=pl.lit("en")))


def _trios(turns: Sequence[dict[str, Any]]) -> Iterator[tuple[str | None, dict[str, Any], str]]:
    """User's turn, the bot's turn after it, and the user's turn after that."""
    for place, turn in enumerate(turns[:-1]):
        after = turns[place + 1]
        if turn["speaker"] == "S" and after["speaker"] == "U" and turn["O"] + turn["T"] + turn["X"]:
            yield (turns[place - 1]["text"] if place else None), turn, after["text"]


def _row(name: str, figure: str, hits: int, of: int, caveat: str) -> dict[str, Any]:
    share = wilson(hits, of)
    return {"set": name, "figure": figure, "hits": hits, "of": of,
            "share": None if share.value is None else round(share.value, 3), "low": round(share.low, 3),
            "high": round(share.high, 3), "caveat": caveat}


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rb") as lines:
        return [orjson.loads(line) for line in lines]
