"""Tables that are read when they are asked for, so that a stage holds what it uses and no more."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from weakref import WeakValueDictionary

import polars as pl

from assets.home import Build
from assets.memory import give_back
from assets.stage import Narrow, Stage, Tables


class Asked(Mapping[str, pl.DataFrame]):
    """Tables by name; each is read again when nobody holds it any more."""

    def __init__(self, read: Mapping[str, Callable[[], pl.DataFrame]]) -> None:
        self._read = dict(read)
        self._held: WeakValueDictionary[str, pl.DataFrame] = WeakValueDictionary()

    def __getitem__(self, name: str) -> pl.DataFrame:
        """The table; KeyError where there is none of this name."""
        read = self._read[name]
        if (table := self._held.get(name)) is None:
            table = self._held[name] = read()
        return table

    def __contains__(self, name: object) -> bool:
        """Whether there is such a table; without reading it."""
        return name in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def tables_of(build: Build, stage: Stage, made: Tables | None = None) -> Asked:
    """What a stage reads, and what it has `made`; tables that it narrows come as it needs them, from disk."""

    def narrowed(name: str, narrow: Narrow) -> pl.DataFrame:
        found = narrow(partial(build.read_pieces, name), tables)
        give_back()
        return pl.DataFrame(pl.from_arrow(found, rechunk=False))

    own = {name: partial(made.__getitem__, name) for name in stage.writes} if made is not None else {}
    needed = {name: partial(build.read, name) for name in stage.needs}
    tables = Asked({**needed, **own, **{name: partial(narrowed, name, part) for name, part in stage.narrow.items()}})
    return tables
