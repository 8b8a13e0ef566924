"""Rounds: a loop through a trainer, unrolled into datasets on prompts of their own (docs/adr/0007).

Each round's policy answers prompts that no other round has, since a policy that trains on its own answers gains only
while prompts are new (PFPO, Jiao et al. 2025). The model between two rounds is made by a trainer outside.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from generators.made import Made
from generators.sample import Sample
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import draw

if TYPE_CHECKING:
    from assets.dataset import PreferenceDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often a dataset is made anew from what a trainer made of it; see `rounds`."""

    n: int
    policy: tuple[str, ...]
    """The engine that answers in each round; empty: the first of the pool, then the same name with _r1, _r2."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRound:
    """The prompts of one round."""

    prompts: Callable[[], Made]
    round: int
    n: int
    seed: int

    @property
    def path(self) -> str:
        """Where all prompts are read from."""
        return str(getattr(getattr(self.prompts, "__self__", self.prompts), "path", ""))

    def __call__(self) -> Made:
        """The prompts whose hash falls into this round: a prompt that is added moves no other."""
        made = self.prompts()
        mine = [self.round == int(draw(self.seed, "round", prompt) * self.n) for prompt in made.table["prompt_id"]]
        table = made.table.filter(mine)
        others = Counter({"another round": made.table.height - table.height})
        return Made(table, [*made.counts, *count("prompts, of the round", "prompts", made.table.height,
                                                 out=table.height, dropped=+others)])


def rounds(n: int, policy: Sequence[str] = (), seed: int = 0) -> Rounds:
    """Make the dataset in `n` rounds, each on its own share of the prompts and with its own policy.

    `policy` names the engine of each round; the first is in the recipe's pool, and the others serve the models that
    are trained between the rounds. By default they are named after it: large, large_r1, large_r2.
    """
    if n < 1 or isinstance(policy, str) or (policy and len(policy) != n) or len(set(policy)) < len(policy):
        raise ConfigError(f"rounds({n}, policy={policy!r}): give 1 round or more, and one engine a round, each another")
    return Rounds(n=n, policy=tuple(policy), seed=seed)


def check_rounds(dataset: "PreferenceDataset") -> None:
    """Refuse rounds that no policy could go through."""
    if dataset.rounds is None:
        return
    if not isinstance(dataset.responses, Sample):
        raise ConfigError(f"{dataset.name}: rounds need a policy that answers; write responses=sample(...)")
    if dataset.schedule is not None:
        raise ConfigError(f"{dataset.name}: a round waits for the model of the round before, so no clock can start "
                          "it; leave schedule out")
    if dataset.round is None and (first := _first(dataset, dataset.rounds)) not in dataset.responses.engines:
        raise ConfigError(f"{dataset.name}: rounds begin with engine {first!r}, which responses= does not ask; name "
                          f"it in the pool, which has {', '.join(sorted(dataset.responses.engines))}")


def unrolled(dataset: "PreferenceDataset") -> "list[PreferenceDataset]":
    """The dataset of each round; the dataset itself where it has no rounds, or is one."""
    if dataset.rounds is None or dataset.round is not None:
        return [dataset]
    return [_at(dataset, dataset.rounds, number) for number in range(dataset.rounds.n)]


def policy_after(dataset: "PreferenceDataset") -> str | None:
    """The engine that serves what is trained on a round; None after the last one."""
    if dataset.rounds is None or dataset.round is None:
        return None
    return dataset.rounds.policy[dataset.round + 1] if dataset.round + 1 < dataset.rounds.n else None


def _at(dataset: "PreferenceDataset", plan: Rounds, number: int) -> "PreferenceDataset":
    if not isinstance(dataset.responses, Sample):
        raise ConfigError(f"{dataset.name}: rounds need responses=sample(...)")
    first = _first(dataset, plan)
    policy = plan.policy or (first, *(f"{first}_r{later}" for later in range(1, plan.n)))
    now = policy[number]
    pool = tuple(replace(member, engine=now) if member.engine == first else member for member in dataset.responses.pool)
    return replace(dataset, round=number, rounds=replace(plan, policy=policy),
                   steps=dataset.steps and dataset.steps.asking(first, now),
                   repairs=dataset.repairs and dataset.repairs.asking(first, now),
                   hints=dataset.hints and dataset.hints.asking(first, now),
                   responses=replace(dataset.responses, pool=pool),
                   prompts=OfRound(prompts=dataset.prompts, round=number, n=plan.n, seed=plan.seed))


def _first(dataset: "PreferenceDataset", plan: Rounds) -> str:
    """The engine that the rounds begin with."""
    if plan.policy or not isinstance(dataset.responses, Sample):
        return plan.policy[0] if plan.policy else ""
    return dataset.responses.pool[0].engine
