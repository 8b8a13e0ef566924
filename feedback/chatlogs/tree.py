"""Where turns stand in the tree of their conversation: how deep, and on which branch."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from feedback.chatlogs.parts import Turn

IN_A_CIRCLE = -1


def depths(turns: Sequence[Turn]) -> dict[str, int]:
    """How many turns come before each on its path; IN_A_CIRCLE where its parents lead round to itself."""
    parents = {turn.key: turn.parent for turn in turns}
    found: dict[str, int] = {}
    for key in parents:
        path: list[str] = []
        at: str | None = key
        ahead = set()
        while at is not None and at in parents and at not in found and at not in ahead:
            path.append(at)
            ahead.add(at)
            at = parents[at]
        depth = _after(at, found, ahead)
        for step in reversed(path):
            found[step] = depth
            depth += depth != IN_A_CIRCLE
    return found


def _after(at: str | None, found: dict[str, int], ahead: set[str]) -> int:
    """The depth of what follows `at`, where a walk towards the root has ended."""
    if at in ahead:
        return IN_A_CIRCLE
    if at is None or at not in found:
        return 0
    return IN_A_CIRCLE if found[at] == IN_A_CIRCLE else found[at] + 1


def branches(turns: Sequence[Turn]) -> dict[str, int]:
    """The place of each turn among those with the same parent, oldest first; those without a time keep their order."""
    children: defaultdict[str | None, list[Turn]] = defaultdict(list)
    for turn in turns:
        children[turn.parent].append(turn)
    return {turn.key: place for siblings in children.values() for place, turn in enumerate(_oldest_first(siblings))}


def _oldest_first(siblings: list[Turn]) -> list[Turn]:
    times = [turn.created_at for turn in siblings if turn.created_at is not None]
    if len(siblings) == 1 or len(times) < len(siblings):
        return siblings
    order = sorted(range(len(siblings)), key=times.__getitem__)
    return [siblings[place] for place in order]


def lifted(parents: Mapping[str, str | None], kept: Collection[str]) -> dict[str, str | None]:
    """The nearest kept ancestor of each kept node; None where there is none, or hidden nodes lead in a circle."""
    found: dict[str, str | None] = {}
    for key in kept:
        above = parents.get(key)
        passed: dict[str, None] = {}
        while above is not None and above not in kept and above not in found and above not in passed:
            passed[above] = None
            above = parents.get(above)
        end = above if above in kept else None if above is None or above in passed else found[above]
        found.update(dict.fromkeys(passed, end))
        found[key] = end
    return {key: found[key] for key in kept}


def path_to(leaf: str | None, parents: Mapping[str, str | None]) -> set[str]:
    """The keys from a node up to the first of its conversation."""
    path: set[str] = set()
    while leaf is not None and leaf in parents and leaf not in path:
        path.add(leaf)
        leaf = parents[leaf]
    return path
