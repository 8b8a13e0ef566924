"""What events say of an answer and what came of it: an edit of it, or a later answer that satisfied."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from feedback.chatlogs.answers import EDITED, Answer, edited_id
from feedback.chatlogs.chains import FAILURE, GAP_S, SUCCESS, SUPPORT, Absorption, absorption, better_wording
from feedback.chatlogs.edits import edit_ratio
from feedback.chatlogs.repairs import Repairs
from feedback.chatlogs.rewordings import KINDS, Rewording, asked_again, rewordings
from preferences.event_scene import Claim, Scene
from schemas.errors import ConfigError

_UNMET = {FAILURE: "ended in a complaint", "": "nobody said that it helped"}
"""What came of a question that was asked again in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """E6: an answer as a person edited it beats the answer as it was; see `edits`."""

    smallest: float
    largest: float
    name: str = "edit"
    kinds: tuple[str, ...] = EDITED

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each edit that holds the edited text."""
        for event in scene.of(*EDITED):
            before = scene.answers.own[event["target_msg_id"]]
            text = event["text"] or ""
            if not text.strip():
                continue  # an edited question, or a log that does not keep the text
            fate, ratio, ids = str(before), 0.0, ("", "", event["target_msg_id"])
            if isinstance(before, Answer):
                ratio = edit_ratio(scene.answers.tree.text(before.msg_id), text)
                ids = (before.prompt_id, edited_id(before.prompt_id, event["event_id"]), before.response_id)
                fate = self._fate(ratio) if scene.knows(ids[1], ids[2]) else "not among the responses"
            yield Claim(rule=self.name, prompt_id=ids[0], better=ids[1], worse=ids[2], events=(event["event_id"],),
                        messages=(event["target_msg_id"],), fate=fate, scores=(ratio, 0.0))

    def _fate(self, ratio: float) -> str:
        return "tiny edit" if ratio < self.smallest else "rewritten" if ratio > self.largest else ""


@dataclass(frozen=True, slots=True)
class Repaired:
    """E8: after a complaint, the answer that satisfied beats the one complained of, both put to the first question."""

    name: str = "repair"
    kinds: tuple[str, ...] = KINDS

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each repair."""
        told = scene.events.filter(pl.col("kind").is_in(self.kinds))
        for repair in Repairs(scene.rows, told).all():
            yield scene.anchored(self.name, repair.better, repair.worse, repair.events, repair.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rephrased:
    """E12: where a question was asked again, the answer that satisfied beats the earlier ones; see `rephrases`."""

    support: int
    max_gap_s: float
    name: str = "rephrase"
    kinds: tuple[str, ...] = KINDS

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each answer to an earlier wording; its scores are the two wordings' chances of success."""
        known = absorption(asked_again(scene.messages, scene.events, self.max_gap_s), self.support)
        for one in rewordings(scene.messages, scene.events):
            if one.chain.end != SUCCESS:
                yield Claim(rule=self.name, prompt_id="", better=one.better.answer, worse=one.worse.answer,
                            events=one.events, messages=one.evidence, fate=_UNMET[one.chain.end])
                continue
            first, last = (known.success.get(one.chain.states[place]) for place in (one.place, -1))
            scores = None if first is None or last is None else (last, first)
            yield scene.anchored(self.name, one.better, one.worse, one.events, one.evidence,
                                 self._fate(one, known, scene), scores)

    def _fate(self, one: Rewording, known: Absorption, scene: Scene) -> str:
        if one.both:
            return "the earlier answer satisfied, too"
        wordings, states = one.chain.questions[one.place:], one.chain.states[one.place:]
        times = [scene.time(wording) for wording in wordings]
        if any(then - at > self.max_gap_s for at, then in pairwise(times) if at is not None and then is not None):
            return "too long between wordings"
        if not known.support.keys() >= set(pairwise((*states, SUCCESS))):
            return "wordings seen too rarely"
        return "" if better_wording(one.chain, known) == wordings[-1] else "another wording does better"


def edits(smallest: float = 0.05, largest: float = 0.8) -> Edits:
    """E6: a person's edit of an answer over the answer, with the share of changed words as margin (PRELUDE).

    An edit of less than `smallest` of the words is a typo, one of more than `largest` another text; both are dropped.
    The two numbers are ours: PRELUDE, which counts this cost, names none. Raises ConfigError where they are no window.
    """
    if not 0.0 <= smallest < largest <= 1.0:
        raise ConfigError(f"edits: smallest is {smallest} and largest is {largest}; give 0 <= smallest < largest <= 1")
    return Edits(smallest=smallest, largest=largest)


def rephrases(support: int = SUPPORT, max_gap_s: float = GAP_S) -> Rephrased:
    """E12: the answer that satisfied over those to earlier wordings, put to the last wording, which the user meant.

    Wordings are states of an absorbing Markov chain over all the logs (feedback-based self-learning, as voice
    assistants do it). The claim stands where every step from the earlier wording to success was seen `support` times,
    with at most `max_gap_s` seconds between two wordings, and no other wording of the chain has a higher chance to end
    in success. Two wordings are one state where they have the same words in the same order. In logs of open talk
    hardly any wording comes twice: `support=1` takes each chain at its word, a weak sign. Both numbers are ours.
    Raises ConfigError for numbers that cannot be.
    """
    if support < 1 or not max_gap_s >= 0:
        raise ConfigError(f"rephrases: support is {support} and max_gap_s is {max_gap_s}; give at least 1, and 0")
    return Rephrased(support=support, max_gap_s=max_gap_s)
