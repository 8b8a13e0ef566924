"""What events say of two answers to one prompt: votes, scores, ranks, thumbs, and answers that were asked for again.

A rule makes claims, "this answer is better than that one", or says why two answers that it could compare are no pair.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean, pstdev
from typing import Any, Protocol

from preferences.event_scene import Claim, Row, Scene
from schemas.errors import ConfigError

MARGIN = "below margin"


class EventRule(Protocol):
    """A kind of claim."""

    @property
    def name(self) -> str:
        """What the policy column calls it."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events it reads."""

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """Its claims, one for each two answers it compares."""


@dataclass(frozen=True, slots=True)
class Votes:
    """E1: the answer a vote is for beats those it was compared with; "tie" and "both bad" are fates of their own."""

    name: str = "vote"
    kinds: tuple[str, ...] = ("vote",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each two answers of a vote."""
        fates = {1.0: "", 0.0: "tie", -1.0: "both bad"}
        for event in scene.of("vote"):
            fate = "no value" if event["value"] is None else fates.get(event["value"], "unknown value")
            for other in event["compared"]:
                yield scene.claim(self.name, event["target_msg_id"], other, (event,), fate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """E2: the higher of two scores that one person gave to answers of one turn; see `scores`."""

    min_margin: float
    min_z: float
    labels: tuple[str, ...]
    name: str = "score"
    kinds: tuple[str, ...] = ("score",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each two answers that one person scored on one scale."""
        told = [event for event in scene.of("score") if event["scale_max"] is not None and event["value"] is not None
                and (not event["labels"] or set(event["labels"]) & set(self.labels))]
        spread = _spreads(told)
        for (actor, *_), group in _by(told, scene, _judge):
            deviation = spread[actor]
            for better, worse in combinations(_best_first(_averaged(group)), 2):
                gap = better.value - worse.value
                z = gap / deviation if deviation else None
                fate = ("tie" if gap == 0 else MARGIN if gap < self.min_margin or (self.min_z and (z or 0) < self.min_z)
                        else "")
                yield scene.claim(self.name, better.target, worse.target, (*better.events, *worse.events), fate,
                                  scores=(better.value, worse.value), z=z)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """E3: of two answers to one message, the one that raters ranked first; see `ranks`."""

    synthetic: bool
    name: str = "rank"
    kinds: tuple[str, ...] = ("rank",)
    unfit: tuple[str, ...] = ("deleted", "rejected", "unreviewed")

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each two ranked answers."""
        told = [event for event in scene.of("rank") if event["value"] is not None]
        for _, group in _by(told, scene, lambda event: (event["actor_hash"] or "",)):
            for worse, better in combinations(_best_first(_averaged(group)), 2):
                fate = self._unfit(scene, better.target, worse.target) or ("tie" if better.value == worse.value else "")
                yield scene.claim(self.name, better.target, worse.target, (*better.events, *worse.events), fate,
                                  scores=(-better.value, -worse.value))

    def _unfit(self, scene: Scene, *targets: str) -> str:
        rows = [scene.rows[target] for target in targets if target in scene.rows]
        if not self.synthetic and any(row.synthetic for row in rows):
            return "synthetic"
        return next((flag for flag in self.unfit if any(flag in row.flags for row in rows)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbs:
    """E4: of two answers to one message, the liked one over the disliked one; see `thumbs`."""

    unvoted: bool
    name: str = "thumb"
    kinds: tuple[str, ...] = ("thumb",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each answer with a thumb and each of its siblings; a sibling without a thumb says little."""
        told = [event for event in scene.of("thumb") if event["value"]]
        for _, group in _by(told, scene, lambda _: ()):
            given = {one.target: one for one in _averaged(group)}
            others = {other for event in group for other in scene.siblings(event["target_msg_id"])} - given.keys()
            every = _best_first([*given.values(), *(_Valued(other, 0.0, ()) for other in others)])
            for better, worse in combinations(every, 2):
                if better.events or worse.events:
                    weak = not (better.events and worse.events)
                    fate = "tie" if better.value == worse.value else "no thumb" if weak and not self.unvoted else ""
                    yield scene.claim(self.name, better.target, worse.target, (*better.events, *worse.events), fate)


@dataclass(frozen=True, slots=True)
class Regenerated:
    """E5: the last answer that was asked for again and then talked on from, over those that were left. A weak sign."""

    name: str = "regenerate"
    kinds: tuple[str, ...] = ("regenerate",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each answer that was left, of a message that was answered more than once."""
        for _, events in _by(scene.of("regenerate"), scene, lambda _: ()):
            answers = sorted({one for event in events for one in (event["target_msg_id"], *event["compared"])})
            kept = [one for one in answers if scene.continued(one) and scene.rows[one].on_main_path]
            last = max(kept, key=lambda one: scene.rows[one].branch) if kept else answers[0]
            for other in answers:
                if other != last:
                    later = other in scene.rows and kept and scene.rows[other].branch > scene.rows[last].branch
                    fate = "nothing was said after any of them" if not kept else "asked for later" if later else ""
                    yield scene.claim(self.name, last, other, events, fate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """E13: of two answers to one message, the one that a community scored higher; see `community`."""

    max_gap_s: float
    min_margin: float
    min_rank_gap: float
    name: str = "community"
    kinds: tuple[str, ...] = ("score",)

    def __call__(self, scene: Scene) -> Iterator[Claim]:
        """One claim for each two scored answers of a message that follow each other in time."""
        told = [event for event in scene.of("score") if event["scale_max"] is None and event["value"] is not None
                and not event["labels"]]
        for _, group in _by(told, scene, lambda _: ()):
            those = _averaged(group)
            ranks = _ranks([one.value for one in those])
            timed = sorted((scene.time(one.target) or math.inf, one.target, one, ranks[one.value]) for one in those)
            for (at, _, one, place), (then, _, other, there) in pairwise(timed):
                better, worse = (one, other) if one.value >= other.value else (other, one)
                fate = self._fate(then - at, better.value - worse.value, abs(place - there))
                yield scene.claim(self.name, better.target, worse.target, (*better.events, *worse.events), fate,
                                  scores=(better.value, worse.value))

    def _fate(self, gap: float, margin: float, ranks: float) -> str:
        if margin == 0:
            return "tie"
        if not math.isfinite(gap):
            return "no time"
        if gap > self.max_gap_s:
            return "too long between them"
        return MARGIN if margin < self.min_margin else "below rank gap" if ranks < self.min_rank_gap - 1e-9 else ""


def scores(min_margin: float = 0.0, min_z: float = 0.0, labels: Sequence[str] = ()) -> Scores:
    """E2: two answers of one turn that one person scored (PRISM: 1 to 100), the higher one chosen.

    The margin is in points of the scale; people use scales in their own way, so `min_z` asks for a distance in standard
    deviations of all that this person gave (null where they gave one value only). Scores with a label ("humor") are not
    read unless `labels` names it. Raises ConfigError for a number below 0.
    """
    _check("scores", min_margin=min_margin, min_z=min_z)
    return Scores(min_margin=min_margin, min_z=min_z, labels=tuple(labels))


def ranks(synthetic: bool = False) -> Ranks:
    """E3: sibling answers that people ranked, 1 the best (Open-Assistant).

    Only siblings that were reviewed and not deleted; and, unless `synthetic`, that no program wrote.
    """
    return Ranks(synthetic=synthetic)


def thumbs(unvoted: bool = False) -> Thumbs:
    """E4: a liked answer over a disliked sibling; with `unvoted` also over, or under, one that nobody gave a thumb."""
    return Thumbs(unvoted=unvoted)


def community(max_gap_s: float = 3600.0, min_margin: float = 20.0, min_rank_gap: float = 0.5) -> Community:
    """E13: replies to one message with scores of a community, controlled as DialogRPT does.

    Only scores without a scale (up-votes minus down-votes). Two replies are compared where none was posted between
    them, at most `max_gap_s` seconds apart, since the older one had more time to be liked; their scores must differ by
    `min_margin` and their ranks in the thread by `min_rank_gap` of its length (DialogRPT's test set: an hour, 20, .5).
    The split is by conversation, as for every pair. Raises ConfigError for a number below 0.
    """
    _check("community", max_gap_s=max_gap_s, min_margin=min_margin, min_rank_gap=min_rank_gap)
    return Community(max_gap_s=max_gap_s, min_margin=min_margin, min_rank_gap=min_rank_gap)


@dataclass(frozen=True, slots=True)
class _Valued:
    """An answer with the mean of the values that it got."""

    target: str
    value: float
    events: tuple[Row, ...]


def _averaged(events: Sequence[Row]) -> list[_Valued]:
    by_target: defaultdict[str, list[Row]] = defaultdict(list)
    for event in events:
        by_target[event["target_msg_id"]].append(event)
    return [_Valued(target, fmean(event["value"] for event in those), tuple(those))
            for target, those in sorted(by_target.items())]


def _best_first(those: Sequence[_Valued]) -> list[_Valued]:
    return sorted(those, key=lambda one: (-one.value, one.target))


def _by(events: Sequence[Row], scene: Scene, more: Any) -> list[tuple[tuple[Any, ...], list[Row]]]:
    """Events about answers to one prompt in one conversation, and alike in what `more` gives; sorted."""
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for event in events:
        groups[*more(event), *scene.place(event["target_msg_id"])].append(event)
    return sorted(groups.items(), key=lambda item: tuple(map(str, item[0])))


def _judge(event: Row) -> tuple[Any, ...]:
    """Who scored, and on which scale of what."""
    return _actor(event), tuple(event["labels"]), event["scale_min"], event["scale_max"]


def _actor(event: Row) -> str:
    return str(event["actor_hash"] or event["conv_id"])


def _spreads(events: Sequence[Row]) -> dict[str, float]:
    """How far each person's scores lie apart: their standard deviation."""
    given: defaultdict[str, list[float]] = defaultdict(list)
    for event in events:
        given[_actor(event)].append(event["value"])
    return {actor: pstdev(values) for actor, values in given.items()}


def _ranks(values: Sequence[float]) -> dict[float, float]:
    """The place of each value among them, from 0 (lowest) to 1; equals share one."""
    distinct = sorted(set(values))
    return {value: place / max(1, len(distinct) - 1) for place, value in enumerate(distinct)}


def _check(what: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ConfigError(f"{what}: {name} is {number}; give 0 or more")
