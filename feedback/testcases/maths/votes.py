"""Votes of answers to one prompt: a canonical key each, and keys merged where they are proved to be one answer.

Pairwise verdicts are no equivalence (5 cm is 5, and 5 is 5 m), so a vote counted by them would depend on who is
compared with whom. Here keys are equal or not, merges need a proof in both directions, and each is recorded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from feedback.testcases.maths.equal import Equal, Written
from feedback.testcases.maths.extract import Answer
from feedback.testcases.maths.form import Form, read
from feedback.testcases.maths.tidy import Unreadable
from feedback.testcases.maths.workers import MathsWorkers
from schemas.ids import digest

_UNREAD = "unread:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two keys that count as one."""

    one: str
    other: str
    why: Literal["unit", "label", "proved"]
    """The one unit or name that any of the answers gives was taken as said, or algebra proved them equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The groups of a set of keys."""

    group: dict[str, str]
    """The key that stands for each key's group: the shortest, then the first in order."""
    merges: tuple[Merge, ...]
    conflicts: tuple[tuple[str, str], ...]
    """Pairs proved different in a chain of keys proved equal: that chain was not merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """How the answers to one prompt are shared."""

    keys: tuple[str | None, ...]
    """The group of each answer, in the order given; None where there was no answer."""
    counts: tuple[tuple[str, int], ...]
    """Groups and their votes, most first; equal ones in the order of their keys."""
    merged: Merged

    @property
    def voters(self) -> int:
        """How many gave an answer."""
        return sum(votes for _, votes in self.counts)

    @property
    def top(self) -> str | None:
        """The group with the most votes; None where there is none, or a tie."""
        if not self.counts or (len(self.counts) > 1 and self.counts[0][1] == self.counts[1][1]):
            return None
        return self.counts[0][0]

    def share(self, key: str) -> float:
        """The share of the voters for a group."""
        return dict(self.counts).get(key, 0) / self.voters if self.voters else 0.0


def key(answer: Answer | str) -> str:
    """The one spelling of an answer, which reads back as itself; equal keys are equal answers."""
    text = answer.text if isinstance(answer, Answer) else answer
    if text.startswith(_UNREAD):
        return text
    try:
        return read(text).key
    except (Unreadable, RecursionError):
        return _UNREAD + digest("answer", text.strip())


def vote(answers: Iterable[Answer | str | None], maths: MathsWorkers) -> Vote:
    """The vote of the answers to one prompt, whatever their order; those that are None have no vote."""
    keys = [None if answer is None else key(answer) for answer in answers]
    merged = merge((each for each in keys if each is not None), maths)
    groups = tuple(None if each is None else merged.group[each] for each in keys)
    counts = Counter(group for group in groups if group is not None)
    return Vote(keys=groups, merged=merged,
                counts=tuple(sorted(counts.items(), key=lambda item: (-item[1], len(item[0]), item[0]))))


def merge(keys: Iterable[str], maths: MathsWorkers) -> Merged:
    """Group keys: first by the unit and the name that all who give one agree on, then by proof, pair by pair."""
    distinct = sorted(set(keys))
    stripped = _conventions(distinct)
    merges = [Merge(one=each, other=short, why=why) for each, (short, why) in stripped.items() if why and each != short]
    standing = sorted({short for short, _ in stripped.values()})
    pairs = [pair for pair in combinations(standing, 2) if not any(each.startswith(_UNREAD) for each in pair)]
    asked: list[tuple[Written, Written]] = [*pairs]
    verdicts: dict[tuple[str, str], Equal] = dict(zip(pairs, maths.compare(asked, strict=True), strict=True))
    chains, conflicts = _chains(standing, verdicts)
    merges += [Merge(one=one, other=other, why="proved") for (one, other), verdict in verdicts.items()
               if verdict == "equal" and chains[one] == chains[other]]
    members: dict[str, list[str]] = defaultdict(list)
    for each in distinct:
        members[chains[stripped[each][0]]].append(each)
    group = {each: min(chain, key=lambda one: (len(one), one)) for chain in members.values() for each in chain}
    return Merged(group=group, merges=tuple(merges), conflicts=tuple(conflicts))


def _conventions(keys: Sequence[str]) -> dict[str, tuple[str, Literal["unit", "label"] | None]]:
    """Each key without the unit and the name that all who give one agree on, and which of the two made it another."""
    forms = {each: read(each) for each in keys if not each.startswith(_UNREAD)}
    labels = {form.label for form in forms.values() if form.label}
    units = {form.unit.name for form in forms.values() if form.unit}
    drop_label, drop_unit = len(labels) == 1, len(units) == 1 and not _ambiguous(list(forms.values()))
    found: dict[str, tuple[str, Literal["unit", "label"] | None]] = {each: (each, None) for each in keys}
    for each, form in forms.items():
        short = replace(form, label="" if drop_label else form.label, unit=None if drop_unit else form.unit)
        if short.key in forms or short.key != each:
            found[each] = (short.key, "unit" if short.unit != form.unit else "label" if short.key != each else None)
    return found


def _ambiguous(forms: Sequence[Form]) -> bool:
    """Whether dropping the unit could make two numbers one: 50 % and 0.5, letters that may be variables."""
    with_unit = [form for form in forms if form.unit]
    bare = [form.value for form in forms if not form.unit]
    percent = any(form.unit and form.unit.name == "%" for form in with_unit)
    if percent and any(value is not None and abs(value) <= 1 for value in bare):
        return True
    return any(form.unit is not None and form.unit.bare for form in with_unit) or any(
        form.kind not in ("number", "expression") for form in with_unit)


def _chains(keys: Sequence[str],
            verdicts: dict[tuple[str, str], Equal]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Union-find over proved pairs; a chain with a pair that is proved different is left as single keys."""
    parent = {each: each for each in keys}

    def root(each: str) -> str:
        while parent[each] != each:
            parent[each] = parent[parent[each]]
            each = parent[each]
        return each

    for (one, other), verdict in verdicts.items():
        if verdict == "equal":
            low, high = sorted((root(one), root(other)))
            parent[high] = low
    different = [pair for pair, verdict in verdicts.items() if verdict == "different"]
    conflicts = [(one, other) for one, other in different if root(one) == root(other)]
    broken = {root(one) for one, _ in conflicts}
    return {each: each if root(each) in broken else root(each) for each in keys}, conflicts
