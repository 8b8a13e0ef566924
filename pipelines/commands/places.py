"""Finding the build a command is about, and the tables in it."""

from pathlib import Path

import polars as pl

from assets.home import Build, Home
from schemas.errors import ConfigError


def newest(dataset: str, name: str | None) -> Build:
    """The build of that name, or the newest one; ConfigError lists what there is."""
    home = Home.find()
    builds = home.builds(dataset) or home.builds(f"{dataset}_r0")  # of a recipe in rounds, the name is the first's
    if name is not None:
        builds = [build for build in builds if build.name == name]
    if not builds:
        known = ", ".join(f"{build.dataset}/{build.name}" for build in home.builds()) or "none yet"
        asked = f"{dataset}/{name}" if name else dataset
        raise ConfigError(f"no build {asked} in {home.root}; there are: {known}. `winnow build {dataset}` makes one.")
    return builds[-1]


def tables_of(build: Build) -> list[str]:
    """The tables a build has."""
    return sorted(path.parent.name for path in build.path.glob("*/*.parquet")
                  if path.stem == path.parent.name and path.parent.name != "quarantine")


def file_of(build: Build, table: str) -> Path:
    """A table's file; ConfigError lists the build's tables."""
    if not build.file(table).exists():
        raise ConfigError(f"{build.dataset}/{build.name} has no table {table!r}; it has {', '.join(tables_of(build))}")
    return build.file(table)


def scan(build: Build, table: str) -> pl.LazyFrame:
    """A table, lazily."""
    return pl.scan_parquet(file_of(build, table), glob=False)
