"""CHAINS: questions asked again and again until an answer satisfied, as an absorbing Markov chain.

A session of one user on one matter ends in success or failure; utterances that mean the same are one state. Where a
state leads more often than not to failure, and another with the same meaning to success, the second is how it should
have been asked: feedback-based self-learning, as voice assistants do it. Counted are transitions between states; a
state's chance of success solves a linear system, (I - Q) p = r.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from feedback.chatlogs.hindsight import GOOD, NEUTRAL
from schemas.ids import text_digest

SUCCESS, FAILURE = "success", "failure"
GAP_S = 600.0
"""Seconds between two wordings of one question, at most: minutes in a chat, where voice would take one."""
SUPPORT = 2
"""Times that a transition must have been seen to count."""
DECIMALS = 9
"""Chances are rounded, so that a solver's last digits decide nothing."""
_WORTH = {"positive": 5, "neutral": NEUTRAL, "negative": 1}
"""What an event says that has no ordinal, by its polarity."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Chain:
    """One question of one user in its wordings, the first one first."""

    questions: tuple[str, ...]
    """msg_id of the user's turns."""
    answers: tuple[str, ...]
    """msg_id of the answer to each: of the last, the one that satisfied; missing where nobody said a thing of it."""
    states: tuple[str, ...]
    """What each says, as a state of the chain: see `state`."""
    end: str
    """success, failure, or empty where the log does not say (the user left)."""


@dataclass(frozen=True, slots=True)
class Absorption:
    """Where the states of a chain lead."""

    success: Mapping[str, float]
    """By state, the chance that it ends in success; of the states from which an end can be reached."""
    support: Mapping[tuple[str, str], int]
    """How often each transition that counts was seen."""


def chains(messages: pl.DataFrame, turn_cues: pl.DataFrame, events: pl.DataFrame, repeat: float = 0.8,
           gap_s: float = GAP_S) -> list[Chain]:
    """The reformulation chains of the logs, those of one wording too, sorted by their first question.

    A turn goes on with a chain where an event calls it repeat_rephrase, or its similarity with the question before is
    `repeat` or more, and it comes within `gap_s` of that (times that the log does not tell are no hindrance). The chain
    ends in failure where an event complains of an answer to its last wording (ordinal 1 or 2, or polarity without one),
    else in success where one praises it (4 or 5).
    """
    told = turn_cues.select("evidence_msg_id", "target_msg_id", "previous_msg_id", "similarity").sort("evidence_msg_id")
    rows = {row["evidence_msg_id"]: row for row in told.to_dicts()}
    times = dict(messages.select("msg_id", "created_at").iter_rows())
    again = set(events.filter(pl.col("act") == "repeat_rephrase")["evidence_msg_id"])
    worth = _worth(events)
    answers = _answers(messages, rows, worth)
    follows = {name: row["previous_msg_id"] for name, row in rows.items() if row["previous_msg_id"] is not None and (
        name in again or (row["similarity"] or 0.0) >= repeat) and _near(times, row["previous_msg_id"], name, gap_s)}
    after: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in rows.items():
        if row["previous_msg_id"] is not None:
            after[row["previous_msg_id"]].append(name)
    starts = sorted({row["previous_msg_id"] for row in rows.values() if row["previous_msg_id"] is not None
                     and row["previous_msg_id"] not in follows})
    words = dict(messages.filter(pl.col("role") == "user").select("msg_id", "text").iter_rows())
    return [_chain(way, rows, answers.get(way[-1], set()), words, worth)
            for start in starts for way in _ways(start, after, follows)]


def state(text: str) -> str:
    """What tells one state from another: the words of a question, whatever their case, marks and spaces."""
    return text_digest(" ".join(_WORD.findall(text.lower())))


def absorption(found: Sequence[Chain], support: int = SUPPORT) -> Absorption:
    """The chance of success of each state; transitions seen fewer than `support` times are left out.

    Chains without an end lead nowhere and are counted in no state's chance. What several branches of a log share is one
    transition.
    """
    seen = {step for chain in found if chain.end for step in zip(
        chain.questions, (*chain.questions[1:], ""), chain.states, (*chain.states[1:], chain.end), strict=True)}
    steps = Counter((before, after) for _, _, before, after in seen)
    kept = {step: number for step, number in steps.items() if number >= support}
    known = _ending(kept)
    leads: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (before, after), number in kept.items():
        if before in known and (after in known or after in (SUCCESS, FAILURE)):
            leads[before][after] = number
    return Absorption({name: chance for group in _together(leads) for name, chance in _solved(group, leads)}, kept)


def better_wording(chain: Chain, known: Absorption) -> str | None:
    """The msg_id of the wording of a chain with the best chance, the later one of equals; None where none is known."""
    told = [(known.success[state], place) for place, state in enumerate(chain.states) if state in known.success]
    return chain.questions[max(told)[1]] if told else None


def _ways(start: str, after: Mapping[str, list[str]], follows: Mapping[str, str]) -> Iterator[list[str]]:
    """The chains that begin so; a question that was put again on two branches is in two."""
    open_ways = [[start]]
    while open_ways:
        way = open_ways.pop()
        more = [one for one in after.get(way[-1], ()) if one in follows]
        if not more:
            yield way
        open_ways += [[*way, one] for one in reversed(more)]


def _chain(way: list[str], rows: Mapping[str, Mapping[str, Any]], last: set[str], words: Mapping[str, str],
           worth: Mapping[str, int]) -> Chain:
    ends = [worth[one] for one in last if one in worth]
    end = FAILURE if any(one < NEUTRAL for one in ends) else SUCCESS if any(one >= GOOD for one in ends) else ""
    best = sorted(last, key=lambda one: (-worth.get(one, NEUTRAL), one))[:1]
    answers = [rows[one]["target_msg_id"] for one in way[1:]]
    return Chain(tuple(way), (*answers, *best), tuple(state(words[one]) for one in way), end)


def _near(times: Mapping[str, Any], before: str, after: str, gap_s: float) -> bool:
    first, second = times.get(before), times.get(after)
    return first is None or second is None or abs((second - first).total_seconds()) <= gap_s


def _worth(events: pl.DataFrame) -> dict[str, int]:
    """What users say of each answer, 1 to 5: the worst of their complaints, else their best word."""
    told = events.select("target_msg_id", worth=pl.coalesce(
        "ordinal", pl.col("polarity").replace_strict(_WORTH, default=None, return_dtype=pl.Int32))).drop_nulls()
    least, most = pl.col("worth").min(), pl.col("worth").max()
    return dict(told.group_by("target_msg_id").agg(pl.when(least < NEUTRAL).then(least).otherwise(most)).iter_rows())


def _answers(messages: pl.DataFrame, rows: Mapping[str, Mapping[str, Any]],
             worth: Mapping[str, int]) -> dict[str, set[str]]:
    """The answers to each question that users replied to, or judged."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        found[row["previous_msg_id"]].add(row["target_msg_id"])
    judged = messages.filter(pl.col("msg_id").is_in(list(worth)), pl.col("parent_id").is_not_null())
    for name, parent in judged.select("msg_id", "parent_id").iter_rows():
        found[parent].add(name)
    return dict(found)


def _ending(steps: Mapping[tuple[str, str], int]) -> set[str]:
    """The states from which an end can be reached: of the others nothing can be said, nor solved."""
    before: defaultdict[str, list[str]] = defaultdict(list)
    for one, after in steps:
        before[after].append(one)
    known, new = set[str](), [SUCCESS, FAILURE]
    while new:
        found = {one for after in new for one in before[after]} - known
        known |= found
        new = sorted(found)
    return known


def _together(leads: Mapping[str, Mapping[str, int]]) -> Iterator[list[str]]:
    """Groups of states of which none leads to another group's: each is a system by itself, and most are small."""
    beside: defaultdict[str, set[str]] = defaultdict(set)
    for name, ways in leads.items():
        for after in ways.keys() & leads.keys():
            beside[name].add(after)
            beside[after].add(name)
    left = set(leads)
    for name in sorted(leads):
        group, new = set[str](), {name} & left
        while new:
            group |= new
            new = {one for each in new for one in beside[each]} - group
        left -= group
        if group:
            yield sorted(group)


def _solved(group: Sequence[str], leads: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, float]]:
    """Each state of a group with its chance of success."""
    place = {name: number for number, name in enumerate(group)}
    moves, won = np.zeros((len(group), len(group))), np.zeros(len(group))
    for name, row in place.items():
        total = sum(leads[name].values())
        won[row] = leads[name].get(SUCCESS, 0) / total
        for after in leads[name].keys() & place.keys():
            moves[row, place[after]] = leads[name][after] / total
    for name, chance in zip(group, np.linalg.solve(np.eye(len(group)) - moves, won), strict=True):
        yield name, round(min(1.0, max(0.0, float(chance))), DECIMALS)
