"""A dataset folder: staged beside its goal, checked, and moved into place whole."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from exports import trl
from exports.card import card
from exports.check import verify
from exports.leaving import leaving
from exports.manifest import MANIFEST, manifest, read_manifest, write_manifest
from exports.shards import SHARD_ROWS, describe, write_shards
from exports.trl import Config
from privacy.scan import Alarm
from schemas.errors import ExportError

LABELLED = ("preference", "unpaired", "lists")
"""The configs that hold labels; the first that has rows is the dataset's default."""


def write_dataset(folder: Path, *, name: str, kept: pl.DataFrame, prompts: pl.DataFrame, recipe: str,
                  unpaired: pl.DataFrame | None = None, lists: pl.DataFrame | None = None,
                  judgments: pl.DataFrame | None = None, dropped: pl.DataFrame | None = None,
                  facts: Mapping[str, Any] | None = None, build: str | None = None,
                  digests: Mapping[str, str] | None = None, shard_rows: int = SHARD_ROWS,
                  scanned: Callable[[list[Alarm]], None] | None = None) -> dict[str, Any]:
    """Write the tables of a build as a dataset that `datasets.load_dataset(folder)` reads; give back its manifest.

    `facts` are the build's figures for the card (exports/facts.py), `build` and `digests` name what it was made of.
    `scanned` hears what the second scan found (exports/leaving.py) before anything is written, and raises to stop it.
    Equal inputs give equal bytes. Everything is written to `.<folder>.staging` beside the goal, flushed to disk, and
    renamed; a complete older dataset is renamed to `.<folder>.old` first and deleted last. So at every moment the
    folder is the old dataset, the new one, or (between two renames) not there, never a mixture; the next export puts
    an older one back that a crash left aside. Raises ExportError where nothing is labelled, the disk is full, or the
    folder holds files that no manifest of ours names; SchemaError where rows break their table's rules.
    """
    configs = _configs(kept, prompts, unpaired, lists, judgments, dropped)
    if scanned is not None:
        scanned(leaving(configs))
    with _staged(folder.resolve()) as stage:
        files = [file for config in configs for file in write_shards(stage, config.name, config.rows, shard_rows)]
        told = manifest(name, configs, [], build, digests or {})
        text = card(told, {config.name: config for config in configs}, prompts, recipe, facts or {})
        (stage / "README.md").write_bytes(text.encode())
        told["files"] = manifest(name, configs, [describe(stage, "README.md"), *files], build, digests or {})["files"]
        write_manifest(told, stage)
    return told


def copy_dataset(source: Path, folder: Path) -> None:
    """Copy a dataset folder whole, as write_dataset writes one: nothing that is not ours is replaced.

    Raises ExportError where the source is no dataset, or the copy does not match its manifest.
    """
    named = [MANIFEST, *(file["path"] for file in read_manifest(source)["files"])]
    with _staged(folder.resolve()) as stage:
        for name in named:
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, stage / name)
        if problems := verify(stage):
            raise ExportError(f"{source} cannot be copied: {'; '.join(problems)}")


def _configs(kept: pl.DataFrame, prompts: pl.DataFrame, unpaired: pl.DataFrame | None, lists: pl.DataFrame | None,
             judgments: pl.DataFrame | None, dropped: pl.DataFrame | None) -> list[Config]:
    """What is given and not empty, each prompt on the same side of the split in every config."""
    tools = trl.tools_of(prompts)
    made: list[Config] = []
    for shape, rows in ((trl.preference, kept), (trl.unpaired, unpaired), (trl.lists, lists)):
        if rows is not None and not rows.is_empty():
            made.append(shape(rows, tools))
    if not made:
        raise ExportError("there is no labelled row to export; the funnel says what became of the candidates")
    sides = _sides(made, prompts)
    for plain, rows in ((trl.prompts, prompts), (trl.judgments, judgments), (trl.dropped, dropped)):
        if rows is not None and not rows.is_empty():
            placed = rows.drop("split", strict=False).join(sides, on="prompt_id", how="left")
            made.append(plain(placed.with_columns(pl.col("split").fill_null("train"))))
    return made


def _sides(labelled: Sequence[Config], prompts: pl.DataFrame) -> pl.DataFrame:
    """The side of the split of each prompt: its group's in the labelled rows, train where the group has none.

    Raises ExportError where a group lies on both sides, because the test split would leak.
    """
    groups = prompts.select("prompt_id", "group")
    seen = pl.concat([config.rows.select("prompt_id", "split") for config in labelled]).unique()
    placed = seen.join(groups, on="prompt_id", how="left").with_columns(pl.col("group").fill_null(pl.col("prompt_id")))
    sides = placed.select("group", "split").unique()
    torn = sides.group_by("group").len().filter(pl.col("len") > 1)["group"].sort().to_list()
    if torn:
        raise ExportError(f"{len(torn)} prompt group(s) lie in train and in test, for example {', '.join(torn[:3])}; "
                          "give every part of the recipe the same seed and test_share")
    by_group = groups.join(sides, on="group", how="inner").select("prompt_id", "split")
    return pl.concat([by_group, seen]).unique()


def _check_goal(folder: Path) -> None:
    """Refuse to replace what we did not write."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    remedy = "choose another folder or move them away"
    if not (folder / MANIFEST).is_file():
        raise ExportError(f"{folder} exists and is no dataset of ours, so it is not replaced; {remedy}")
    ours = {MANIFEST, *(file["path"] for file in read_manifest(folder)["files"])}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if strange := sorted(found - ours):
        raise ExportError(f"{folder} holds files that its manifest does not name ({', '.join(strange[:3])}); {remedy}")


def _move(stage: Path, folder: Path) -> None:
    """Put the staged folder in place; an older one steps aside first and is deleted last."""
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    try:
        stage.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    _sync(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder beside the goal, cleared of what a crash may have left there; moved into place if all goes well."""
    _restore(folder)
    _check_goal(folder)
    stage = folder.with_name(f".{folder.name}.staging")
    shutil.rmtree(stage, ignore_errors=True)
    try:
        stage.mkdir(parents=True)
        yield stage
        _flush(stage)
        _move(stage, folder)
    except OSError as error:
        told = f"{folder} cannot be written ({error.strerror or error}); make room or choose another place"
        raise ExportError(told) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _restore(folder: Path) -> None:
    """Put an older dataset back that a crash between two renames left aside."""
    if _aside(folder).exists() and not folder.exists():
        _aside(folder).rename(folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _flush(root: Path) -> None:
    """Have every file and folder on disk before the rename that makes them count."""
    for path in (*root.rglob("*"), root):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
