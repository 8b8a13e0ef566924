"""What events say of an answer and what came of it: an edit of it, or a later answer that met a complaint."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.answers import EDITED, Answer, edited_id
from feedback.chatlogs.edits import edit_ratio
from feedback.chatlogs.repairs import Repairs
from preferences.event_scene import Claim, Scene
from schemas.errors import ConfigError


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
                ratio = edit_ratio(scene.rows[before.msg_id]["text"], text)
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
    kinds: tuple[str, ...] = ("follow_up", "thumb", "comment")
    rephrased: bool = False

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each repair."""
        told = scene.events.filter(pl.col("kind").is_in(self.kinds))
        for repair in Repairs(scene.rows, told).all():
            if repair.rephrased == self.rephrased:
                yield scene.anchored(self.name, repair.better, repair.worse, repair.events, repair.evidence)


@dataclass(frozen=True, slots=True)
class Rephrased(Repaired):
    """E12: after the user asked the same in other words, the answer that satisfied beats the earlier ones.

    All are put to the last wording, which is what the user meant.
    """

    name: str = "rephrase"
    rephrased: bool = True


def edits(smallest: float = 0.05, largest: float = 0.8) -> Edits:
    """E6: a person's edit of an answer over the answer, with the share of changed words as margin (PRELUDE).

    An edit of less than `smallest` of the words is a typo, one of more than `largest` another text; both are dropped.
    The two numbers are ours: PRELUDE, which counts this cost, names none. Raises ConfigError where they are no window.
    """
    if not 0.0 <= smallest < largest <= 1.0:
        raise ConfigError(f"edits: smallest is {smallest} and largest is {largest}; give 0 <= smallest < largest <= 1")
    return Edits(smallest=smallest, largest=largest)
