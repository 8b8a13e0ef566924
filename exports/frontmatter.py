"""The card's YAML: what the Hub and `datasets` read."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from exports.licences import Licence
from exports.markdown import quoted

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))


def frontmatter(manifest: Mapping[str, Any], prompts: pl.DataFrame, terms: Licence) -> str:
    """Name, licence, languages, tags, size and configs, without the lines that open and close it."""
    lines = [f"pretty_name: {quoted(manifest['name'])}", f"license: {terms.id}"]
    if terms.id == "other":
        told = "; ".join(f"{party['party']}: {party['licence']}" for party in terms.parties)
        lines.append(f"license_details: {quoted(told)}")
    lines += _listed("language", _languages(prompts))
    lines += _listed("tags", ["winnow", "preference", "rlhf"])
    lines += _listed("task_categories", ["text-generation"])
    lines += _listed("size_categories", [size(next(iter(manifest["configs"].values()))["rows"])])
    lines.append("configs:")
    for number, (name, told) in enumerate(manifest["configs"].items()):
        lines.append(f"- config_name: {name}")
        lines += ["  default: true"] if number == 0 else []
        lines.append("  data_files:")
        for split in told["splits"]:
            lines += [f"  - split: {split}", f"    path: {quoted(f'{name}/{split}-*.parquet')}"]
    return "\n".join(lines)


def size(rows: int) -> str:
    """The Hub's size category of a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1T" if rows >= 10**12 else "1B<n<10B")


def _languages(prompts: pl.DataFrame) -> list[str]:
    """The languages that the prompts name, as far as the Hub knows such codes."""
    codes = prompts["language"].drop_nulls().unique().sort().to_list()
    return [code for code in codes if re.fullmatch("[a-z]{2,3}", code)]


def _listed(key: str, values: list[str]) -> list[str]:
    return [f"{key}:", *(f"- {quoted(value)}" for value in values)] if values else []
