"""Which prompts must fall on one side of the split: those of one user or conversation, and those that are alike."""

from collections.abc import Collection, Mapping, Sequence

from schemas.ids import digest
from schemas.messages import Message


def groups(prompts: Mapping[str, tuple[Collection[str], str]]) -> dict[str, str]:
    """The group of each prompt, given its owners (users, or conversations without one) and what it is `alike` in.

    Prompts that share an owner are of one group, and owners that asked the same, but for case and white space, are of
    one too: else a question of the test split would be learned from somebody else's conversation. A group is named
    after the first of its owners.
    """
    leader: dict[str, str] = {}

    def led(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    asked: dict[str, str] = {}
    for owners, likeness in prompts.values():
        same = asked.setdefault(likeness, min(owners))
        for owner in owners:
            first, second = sorted((led(same), led(owner)))
            leader[second] = first
    return {name: led(min(owners)) for name, (owners, _) in prompts.items()}


def alike(messages: Sequence[Message]) -> str:
    """What makes two prompts alike: the same words, but for case and white space."""
    return digest("alike", [[turn["role"], " ".join(turn["content"].lower().split())] for turn in messages])
