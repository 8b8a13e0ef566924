"""Asking engines in turns: servers that cannot share the GPU are up one after the other, each for all that asks it.

What the store answers needs no server: an engine whose replies are all there is not started.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import polars as pl

from generators.ask import AnyPlan, Ask, Parse, Plan, draw_asks
from generators.budget import Purse
from generators.client import collect
from generators.engines import Engine, engine_named
from generators.progress import Progress
from generators.serve import Start, serving
from generators.store import ReplyStore
from schemas import COMPLETIONS
from schemas.errors import ConfigError

_FULL = 1.0 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A plan to ask, made when its engines are known, and how its replies are read."""

    plan: Callable[[Mapping[str, Engine]], AnyPlan]
    parse: Parse


def turns(engines: Mapping[str, Engine], needed: set[str]) -> list[list[str]]:
    """The needed engines in groups whose servers are up together, in the order of the groups' turns.

    A server of ours that needs the GPU is alone on it, unless the `gpu_share`s of several add up to 1 at most; engines
    of one command share a server and its largest share. All other engines belong to the first group.
    """
    groups: list[list[str]] = [[]]
    taken = [0.0]
    shares: dict[tuple[str, ...], tuple[float, list[str]]] = {}
    for name in sorted(needed):
        engine = engine_named(engines, name, "the build")
        if engine.gpu and engine.command:
            share, users = shares.get(engine.command, (0.0, []))
            shares[engine.command] = (max(share, engine.gpu_share or 1.0), [*users, name])
        else:
            groups[0].append(name)
    for share, users in shares.values():
        place = next((number for number, used in enumerate(taken) if used + share <= _FULL), len(taken))
        if place == len(taken):
            groups.append([])
            taken.append(0.0)
        groups[place] += users
        taken[place] += share
    return [sorted(group) for group in groups if group]


def collect_served(errands: Sequence[Errand], engines: Mapping[str, Engine], needed: set[str], store: ReplyStore, *,
                   reasks: int = 2, budget: Purse | None = None, progress: Callable[[Progress], None] | None = None,
                   started: Callable[[Start], None] | None = None) -> list[pl.DataFrame]:
    """`collect` for each errand, with the servers of the needed engines started where the store lacks replies.

    Gives the errands' COMPLETIONS, each sorted by key. Raises what `serving` and `collect` raise.
    """
    parts: list[list[pl.DataFrame]] = [[] for _ in errands]

    def ask(running: Mapping[str, Engine], names: Sequence[str]) -> list[pl.DataFrame]:
        asked = {name: running[name] for name in names}
        plans = [errand.plan(running) for errand in errands]
        if set(names) != needed:
            plans = [_part(plan, names) for plan in plans]
        return [collect(plan, asked, store, parse=errand.parse, reasks=reasks, budget=budget, progress=progress)
                for plan, errand in zip(plans, errands, strict=True)]

    for group in turns(engines, needed):
        ours = [name for name in group if engines[name].command]
        found = _from_store(ask, engines, ours) if ours else []
        left = [name for name in group if not found or name not in ours]
        asked = []
        if left:
            with serving(engines, set(left), progress=started) as running:
                asked = ask(running, left)
        for tables in filter(None, (found, asked)):
            for part, table in zip(parts, tables, strict=True):
                part.append(table)
    return [part[0] if len(part) == 1 else pl.concat(part).sort(COMPLETIONS.key) for part in parts]


def _from_store(ask: Callable[[Mapping[str, Engine], Sequence[str]], list[pl.DataFrame]],
                engines: Mapping[str, Engine], ours: Sequence[str]) -> list[pl.DataFrame]:
    """What the engines of ours are asked, where the store has it all; nothing where a server must be asked."""
    if any(engines[name].url for name in ours):
        return []
    try:
        return ask(engines, ours)
    except ConfigError:  # the client's refusal to send to a server that has no url; if it is another, it comes again
        return []


def _part(plan: AnyPlan, names: Sequence[str]) -> Plan:
    """The plan's asks of these engines, and of no other; how many is not counted, as that takes a pass of its own."""

    def of(name: str) -> Iterator[Ask]:
        return (ask for ask in draw_asks(plan, name) if ask.engine == name)

    return Plan(asks=lambda: chain.from_iterable(map(of, names)), of=of)
