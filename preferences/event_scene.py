"""What event rules look at: events, the answers they speak of, and where these stand; and what rules make: claims."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from feedback.chatlogs.answers import Answer, Answers, logged
from feedback.chatlogs.repairs import Anchor
from feedback.chatlogs.told import Told

Row = Mapping[str, Any]
PERSON = "human"
NOT_A_PERSON = "not a person's"
"""Why an event of a model or a rule makes no label: logs hold evaluations that look like what users do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One answer is better than another to the same prompt, says a rule; or why it does not say so."""

    rule: str
    prompt_id: str
    better: str
    """response_id; of a claim with a fate either side may come first."""
    worse: str
    events: tuple[str, ...]
    messages: tuple[str, ...]
    """The messages that are evidence: both answers, and what the user said of them."""
    fate: str
    """Why the claim makes no pair; empty where it stands."""
    scores: tuple[float, float] | None = None
    z: float | None = None
    """The distance of the scores in standard deviations of all that this person gave."""
    feedback: tuple[str, ...] = ()
    """What the user said of the answers, which chosen must not know."""


def of_people(events: pl.DataFrame) -> pl.DataFrame:
    """The events that people gave."""
    return events.filter(pl.col("actor_kind") == PERSON)


class Scene:
    """The events and answers that rules look at."""

    def __init__(self, messages: pl.DataFrame, events: pl.DataFrame, known: set[str]) -> None:
        self.answers: Answers = logged(licensed_only=False).answers(messages, events)
        self.rows: Mapping[str, Told] = self.answers.tree.rows
        self.messages = messages
        self.events = events
        self._known = known
        """The responses that the recipe has made."""

    def of(self, *kinds: str) -> list[Row]:
        """The events of these kinds, in the order of their ids."""
        return list(self.events.filter(pl.col("kind").is_in(kinds)).sort("event_id").iter_rows(named=True))

    def place(self, msg_id: str) -> tuple[str, str]:
        """The conversation and the prompt that an answer belongs to; where it cannot be used, it is alone."""
        answer = self.answers.own[msg_id]
        row = self.rows.get(msg_id)
        return (row.conv_id if row else "", answer.prompt_id if isinstance(answer, Answer) else msg_id)

    def knows(self, *responses: str) -> bool:
        """Whether the recipe has made these responses."""
        return self._known.issuperset(responses)

    def siblings(self, msg_id: str) -> list[str]:
        """The other answers to the message that an answer follows, of which an event speaks or not."""
        row = self.rows.get(msg_id)
        beside = self._below.get(row.parent_id, []) if row else []
        return [one for one in beside if one != msg_id and self.rows[one].role == "assistant"]

    def continued(self, msg_id: str) -> bool:
        """Whether the user said something after an answer."""
        return msg_id in self.rows and any(self.rows[one].role == "user" for one in self._below.get(msg_id, ()))

    def time(self, msg_id: str) -> float | None:
        """When a message was written, in seconds since 1970."""
        row = self.rows.get(msg_id)
        return row.created_at.timestamp() if row and row.created_at is not None else None

    def claim(self, rule: str, better: str, worse: str, events: Sequence[Row], fate: str = "",
              scores: tuple[float, float] | None = None, z: float | None = None) -> Claim:
        """The claim about two answers where they stand in the log."""
        sides = (self._own(better), self._own(worse))
        return self._claim(rule, (better, worse), sides, [event["event_id"] for event in events], fate, scores=scores,
                           z=z)

    def anchored(self, rule: str, better: Anchor, worse: Anchor, events: Sequence[str], evidence: Sequence[str],
                 fate: str = "", scores: tuple[float, float] | None = None) -> Claim:
        """The claim about two answers that are put to one question."""
        sides = (self._at(better), self._at(worse))
        said = tuple(self.answers.tree.text(one) for one in evidence if one in self.rows)
        return self._claim(rule, (better.answer, worse.answer), sides, events, fate, evidence, feedback=said,
                           scores=scores)

    def _claim(self, rule: str, names: tuple[str, str], sides: tuple[Answer | str, Answer | str], events: Sequence[str],
               fate: str = "", evidence: Sequence[str] = (), **more: Any) -> Claim:
        better, worse = sides
        wrong = next((side for side in sides if isinstance(side, str)), "")
        if isinstance(better, Answer) and isinstance(worse, Answer):
            wrong = "" if better.prompt_id == worse.prompt_id else "different prompts"
            if not wrong and not self.knows(better.response_id, worse.response_id):
                wrong = "not among the responses"
        ids = [side.response_id if isinstance(side, Answer) else name for side, name in zip(sides, names, strict=True)]
        prompt = better.prompt_id if isinstance(better, Answer) else ""
        return Claim(rule=rule, prompt_id=prompt, better=ids[0], worse=ids[1], events=tuple(sorted(set(events))),
                     messages=tuple(sorted({*names, *evidence})), fate=wrong or fate, **more)

    def _own(self, msg_id: str) -> Answer | str:
        found = self.answers.own.get(msg_id)
        return self.answers.tree.answer(self.answers.tree.own(msg_id), licensed_only=False) if found is None else found

    def _at(self, anchor: Anchor) -> Answer | str:
        return self.answers.tree.answer(anchor, licensed_only=False)

    @cached_property
    def _below(self) -> dict[str | None, list[str]]:
        below: defaultdict[str | None, list[str]] = defaultdict(list)
        for name in sorted(self.rows):
            below[self.rows[name].parent_id].append(name)
        return dict(below)
