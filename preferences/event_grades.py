"""What users say next as grades of answers to one prompt (WildReward): the higher grade over the lower."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import polars as pl

from feedback.chatlogs.ordinal import GRADES, turn_grades
from preferences.event_rules import MARGIN
from preferences.event_scene import Claim, Row, Scene
from schemas.errors import ConfigError
from schemas.ids import draw


@dataclass(slots=True)
class _Graded:
    """An answer, the worst grade that its users' next turns give it, and their events."""

    target: str
    grade: int = max(GRADES.values())
    events: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """E10: of two answers to one prompt, the one that its users' words grade higher; see `grades`."""

    min_margin: int
    most: int
    name: str = "ordinal"
    kinds: tuple[str, ...] = ("follow_up",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each two graded answers to one prompt, whoever asked it."""
        by_prompt: defaultdict[str, list[_Graded]] = defaultdict(list)
        for one in _graded(scene):
            by_prompt[scene.place(one.target)[1]].append(one)
        for _, those in sorted(by_prompt.items()):
            drawn = sorted(those, key=lambda one: (draw(0, "graded", one.target), one.target))
            for one in drawn[self.most:]:
                better, worse = sorted((one, drawn[0]), key=_first)
                yield self._claim(scene, better, worse, "more answers than are compared")
            for better, worse in combinations(sorted(drawn[:self.most], key=_first), 2):
                gap = better.grade - worse.grade
                yield self._claim(scene, better, worse, "tie" if gap == 0 else MARGIN if gap < self.min_margin else "")

    def _claim(self, scene: Scene, better: _Graded, worse: _Graded, fate: str) -> Claim:
        return scene.claim(self.name, better.target, worse.target, (*better.events, *worse.events), fate,
                           scores=(float(better.grade), float(worse.grade)))


def grades(min_margin: int = 1, most: int = 20) -> Grades:
    """E10: of two answers to one prompt, the one whose users' next turns say better of it (WildReward's four grades).

    Rejection is 1, correction 2, engagement 3, satisfaction 4; of several turns after an answer the worst counts.
    Neutral turns give no grade, and some answers can have none, as in feedback.chatlogs.ordinal: too short, too late in
    a conversation, about what no writing assistant can do. Unlike scores, grades are on one scale for all users, so
    equal prompts of several conversations are compared: of a prompt with more than `most` graded answers, so many,
    drawn by hash. `min_margin` is in grades. Raises ConfigError for numbers that cannot be.
    """
    if not 1 <= min_margin < max(GRADES.values()):
        raise ConfigError(f"grades: min_margin is {min_margin}; grades are 1 to 4, so give 1, 2 or 3")
    if most < 2:
        raise ConfigError(f"grades: most is {most}; a pair needs 2 answers")
    return Grades(min_margin=min_margin, most=most)


def _graded(scene: Scene) -> list[_Graded]:
    """The answers that have a grade; unjustified complaints give none."""
    told = scene.events.filter(pl.col("kind") == "follow_up", pl.col("ordinal").is_not_null(),
                               pl.col("justified").fill_null("unclear") != "no").sort("event_id")
    by_turn = turn_grades(scene.messages, told)
    found: dict[str, _Graded] = {}
    for event in told.iter_rows(named=True):
        grade = by_turn.get(event["evidence_msg_id"])
        if isinstance(grade, int):
            one = found.setdefault(event["target_msg_id"], _Graded(event["target_msg_id"]))
            one.grade = min(one.grade, grade)
            one.events.append(event)
    return list(found.values())


def _first(one: _Graded) -> tuple[int, str]:
    return -one.grade, one.target
