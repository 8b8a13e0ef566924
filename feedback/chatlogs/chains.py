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
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from feedback.chatlogs.hindsight import GOOD, NEUTRAL, ordinal_of
from feedback.chatlogs.turns import texts
from schemas.ids import text_digest

SUCCESS, FAILURE = "success", "failure"
GAP_S = 600.0
"""Seconds between two wordings of one question, at most: minutes in a chat, where voice would take one."""
SUPPORT = 2
"""Times that a transition must have been seen to count."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Chain:
    """One question of one user in its wordings, the first one first."""

    questions: tuple[str, ...]
    """msg_id of the user's turns."""
    answers: tuple[str, ...]
    """msg_id of the answer to each; the last is missing where nobody replied to it."""
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
    ends in success where the next turn says so (ordinal 4 or 5), in failure where it complains (1 or 2).
    """
    told = texts(turn_cues, messages, "previous", "evidence").sort("evidence_msg_id")
    rows = {row["evidence_msg_id"]: row for row in told.to_dicts()}
    times = dict(messages.select("msg_id", "created_at").iter_rows())
    again = set(events.filter(pl.col("act") == "repeat_rephrase")["evidence_msg_id"])
    said = ordinal_of(events)
    follows = {name: row["previous_msg_id"] for name, row in rows.items() if row["previous_msg_id"] is not None and (
        name in again or (row["similarity"] or 0.0) >= repeat) and _near(times, row["previous_msg_id"], name, gap_s)}
    after: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in rows.items():
        if row["previous_msg_id"] is not None:
            after[row["previous_msg_id"]].append(name)
    starts = sorted({row["previous_msg_id"] for row in rows.values() if row["previous_msg_id"] is not None
                     and row["previous_msg_id"] not in follows})
    words = dict(messages.select("msg_id", "text").iter_rows())
    return [_chain(way, rows, after.get(way[-1], []), words, said)
            for start in starts for way in _ways(start, after, follows)]


def state(text: str) -> str:
    """What tells one state from another: the words of a question, whatever their case, marks and spaces."""
    return text_digest(" ".join(_WORD.findall(text.lower())))


def absorption(found: Sequence[Chain], support: int = SUPPORT) -> Absorption:
    """The chance of success of each state; transitions seen fewer than `support` times are left out.

    Chains without an end lead nowhere and are counted in no state's chance.
    """
    steps = Counter((before, after) for chain in found if chain.end
                    for before, after in zip(chain.states, (*chain.states[1:], chain.end), strict=True))
    kept = {step: number for step, number in steps.items() if number >= support}
    names = _ending(kept)
    place = {name: number for number, name in enumerate(names)}
    moves, won = np.zeros((len(names), len(names))), np.zeros(len(names))
    for (before, after), number in kept.items():
        if before in place and after in place:
            moves[place[before], place[after]] += number
        elif before in place and after == SUCCESS:
            won[place[before]] += number
    total = np.array([sum(number for (before, after), number in kept.items()
                          if before == name and (after in place or after in (SUCCESS, FAILURE))) for name in names])
    chance = np.linalg.solve(np.eye(len(names)) - moves / total[:, None], won / total) if names else np.zeros(0)
    return Absorption({name: float(min(1.0, max(0.0, value))) for name, value in zip(names, chance, strict=True)}, kept)


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


def _chain(way: list[str], rows: Mapping[str, Mapping[str, Any]], last: Sequence[str], words: Mapping[str, str],
           said: Mapping[str, int]) -> Chain:
    ends = [said[name] for name in last if name in said]
    end = FAILURE if any(one < NEUTRAL for one in ends) else SUCCESS if any(one >= GOOD for one in ends) else ""
    answers = [rows[one]["target_msg_id"] for one in (*way[1:], *last[:1])]
    return Chain(tuple(way), tuple(answers), tuple(state(words[one]) for one in way), end)


def _near(times: Mapping[str, Any], before: str, after: str, gap_s: float) -> bool:
    first, second = times.get(before), times.get(after)
    return first is None or second is None or abs(second - first) <= timedelta(seconds=gap_s)


def _ending(steps: Mapping[tuple[str, str], int]) -> list[str]:
    """The states from which an end can be reached, sorted: of the others nothing can be said, nor solved."""
    known: set[str] = set()
    while more := {before for before, after in steps if before not in known and (
            after in (SUCCESS, FAILURE) or after in known)}:
        known |= more
    return sorted(known)
