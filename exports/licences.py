"""The licence of a dataset: what its sources and models agree on, said plainly where they do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

UNKNOWN = "unknown"
KNOWN = frozenset((
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear",
    "bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
    "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
    "cdla-sharing-1.0", "eupl-1.1", "eupl-1.2", "gemma", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl",
    "lgpl-2.1", "lgpl-3.0", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "mit", "mpl-2.0", "odbl",
    "odc-by", "openrail", "openrail++", "osl-3.0", "pddl", "postgresql", "unlicense", "wtfpl", "zlib",
))
"""The ids that the Hub knows (https://huggingface.co/docs/hub/repositories-licenses)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What the card says about the licence."""

    id: str
    """A known id where all agree on it; unknown where nobody names one; otherwise other."""
    parties: Sequence[Mapping[str, str]]
    """Every source, model and judge with its licence, or unknown."""

    @property
    def unnamed(self) -> int:
        """How many of the parties name no licence."""
        return sum(party["licence"] == UNKNOWN for party in self.parties)


def licence(prompts: pl.DataFrame, models: Mapping[str, Any], judges: Mapping[str, Any]) -> Licence:
    """The licence that follows from the prompts' sources and from each model's and judge's own, by name."""
    parties = [{"party": f"source {source}", "licence": said} for source, said in _sources(prompts).items()]
    parties += [{"party": f"model {name}", "licence": said or UNKNOWN} for name, said in sorted(models.items())]
    parties += [{"party": f"judge {name}", "licence": said or UNKNOWN} for name, said in sorted(judges.items())]
    named = {party["licence"].lower() for party in parties}
    if named <= {UNKNOWN}:
        return Licence(id=UNKNOWN, parties=parties)
    agreed = named.pop() if len(named) == 1 else "other"
    return Licence(id=agreed if agreed in KNOWN else "other", parties=parties)


def _sources(prompts: pl.DataFrame) -> dict[str, str]:
    """Each source's licences, from prompts that have no other source if there are any."""
    seen: dict[tuple[str, bool], set[str]] = {}
    for sources, licences in prompts.select("sources", "licences").unique().iter_rows():
        for source in sources:
            seen.setdefault((source, len(sources) == 1), set()).update(licences or [UNKNOWN])
    names = sorted({source for source, _ in seen})
    return {name: " or ".join(sorted(seen.get((name, True)) or seen[name, False])) for name in names}
