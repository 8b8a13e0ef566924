"""A dataset folder: what lands in it, that it is always whole, and that equal inputs give equal bytes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from exports.check import verify
from exports.folder import copy_dataset
from schemas import PREFERENCES, PROMPTS, UNPAIRED
from schemas.errors import ExportError

Write = Callable[..., dict[str, Any]]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(folder: Path, config: str) -> pl.DataFrame:
    return pl.read_parquet(folder / config / "*.parquet")


def test_the_manifest_says_what_lies_in_the_folder(tmp_path: Path, write: Write) -> None:
    told = write(tmp_path / "d", build="b7", digests={"recipe": "r1", "code": "c1"})
    assert json.loads((tmp_path / "d" / "manifest.json").read_bytes()) == told
    assert (told["name"], told["build"], told["digests"]) == ("sums", "b7", {"code": "c1", "recipe": "r1"})
    rows = {name: (config["rows"], config["splits"]) for name, config in told["configs"].items()}
    assert rows == {
        "preference": (3, {"train": 2, "test": 1}), "unpaired": (3, {"train": 2, "test": 1}),
        "lists": (2, {"train": 1, "test": 1}), "prompts": (4, {"train": 3, "test": 1}),
        "judgments": (4, {"train": 3, "test": 1}), "dropped": (1, {"train": 1}),
    }
    found = contents(tmp_path / "d")
    found.pop("manifest.json")
    assert {file["path"]: (file["bytes"], file["sha256"]) for file in told["files"]} == {
        path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in found.items()}


def test_a_second_export_of_the_same_build_is_the_same_to_the_byte(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d", facts={"agreement": {"kappa": 0.5}})
    first = contents(tmp_path / "d")
    write(tmp_path / "d", facts={"agreement": {"kappa": 0.5}})
    write(tmp_path / "elsewhere" / "e", facts={"agreement": {"kappa": 0.5}})
    assert contents(tmp_path / "d") == first == contents(tmp_path / "elsewhere" / "e")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "elsewhere"]


def test_the_order_of_the_rows_that_come_in_does_not_matter(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    write(tmp_path / "d")
    write(tmp_path / "e", **{name: rows.reverse() for name, rows in build.items()})
    assert contents(tmp_path / "d") == contents(tmp_path / "e")


def test_smaller_shards_hold_the_same_rows(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "whole")
    told = write(tmp_path / "cut", shard_rows=1)
    names = [file["path"] for file in told["files"] if file["config"] == "preference"]
    assert names == ["preference/train-00000-of-00002.parquet", "preference/train-00001-of-00002.parquet",
                     "preference/test-00000-of-00001.parquet"]
    for config in told["configs"]:
        assert rows_of(tmp_path / "whole", config).rows() == rows_of(tmp_path / "cut", config).rows()
        summed = sum(file["rows"] for file in told["files"] if file["config"] == config)
        assert summed == told["configs"][config]["rows"]
    assert verify(tmp_path / "cut") == []


def test_a_table_that_is_empty_or_not_given_makes_no_config(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    told = write(tmp_path / "d", dropped=build["dropped"].clear(), lists=None, judgments=None)
    assert list(told["configs"]) == ["preference", "unpaired", "prompts"]
    assert sorted(path.name for path in (tmp_path / "d").iterdir() if path.is_dir()) == sorted(told["configs"])


def test_a_build_without_a_single_label_is_not_exported(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(ExportError, match="no labelled row"):
        write(tmp_path / "d", kept=build["kept"].clear(), unpaired=None, lists=None)
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_lies_on_one_side_of_the_split_in_every_config(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d")
    for config in ("preference", "unpaired", "lists", "prompts", "judgments"):
        assert set(pl.read_parquet(tmp_path / "d" / config / "test-*.parquet")["prompt_id"]) == {"p3"}
        assert "p3" not in set(pl.read_parquet(tmp_path / "d" / config / "train-*.parquet")["prompt_id"])


def test_a_prompt_group_on_both_sides_of_the_split_is_refused(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    torn = build["prompts"].with_columns(group=pl.lit("all"))
    with pytest.raises(ExportError, match=r"1 prompt group.*train and in test"):
        write(tmp_path / "d", prompts=torn)
    assert not (tmp_path / "d").exists()


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path, write: Write) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(ExportError, match="is no dataset of ours"):
        write(tmp_path)
    write(tmp_path / "d")
    (tmp_path / "d" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"does not name \(notes.txt\)"):
        write(tmp_path / "d")
    assert (tmp_path / "thesis.txt").exists()
    assert (tmp_path / "d" / "notes.txt").read_text() == "mine"


def test_an_older_dataset_gives_way_to_the_new_one_whole(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    write(tmp_path / "d", shard_rows=1)
    told = write(tmp_path / "d", kept=build["kept"].head(1), unpaired=None, lists=None)
    assert verify(tmp_path / "d") == []
    assert told["configs"]["preference"]["rows"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_write_that_fails_leaves_the_older_dataset_as_it_was(
        tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "d")
    before = contents(tmp_path / "d")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exports.shards.pq.ParquetWriter", full)
    with pytest.raises(ExportError, match="No space left on device"):
        write(tmp_path / "d", name="newer")
    assert contents(tmp_path / "d") == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


KILLED_BEFORE = """
import os, signal, sys
from pathlib import Path
import polars as pl
from exports import folder
from exports.folder import write_dataset
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(folder, sys.argv[2], die)
tables = {path.stem: pl.read_parquet(path) for path in Path(sys.argv[1]).glob("*.parquet")}
write_dataset(Path(sys.argv[1]) / "d", name="sums", recipe="x", **tables)
"""


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
import polars as pl
from exports.folder import write_dataset
rename, root = Path.rename, Path(sys.argv[1])
def die(path, goal):
    if path.name == ".d.staging": os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, goal)
Path.rename = die
tables = {path.stem: pl.read_parquet(path) for path in root.glob("*.parquet")}
write_dataset(root / "d", name="newer", recipe="x", **tables)
"""


def killed(script: str, *arguments: Path | str) -> None:
    """Run the script until it kills itself."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=Path(__file__).parents[2],
                          env=os.environ | {"PYTHONPATH": "."}, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL


def test_an_older_dataset_that_a_crash_left_aside_comes_back(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    write(tmp_path / "d")
    before = contents(tmp_path / "d")
    for name, rows in build.items():
        rows.write_parquet(tmp_path / f"{name}.parquet")
    killed(KILLED_BETWEEN, tmp_path)
    assert not (tmp_path / "d").exists()
    with pytest.raises(ExportError):
        write(tmp_path / "d", shard_rows=1, prompts=build["prompts"].with_columns(tools=pl.lit("{")))
    with pytest.raises(ExportError):
        write(tmp_path / "d", kept=build["kept"].clear(), unpaired=None, lists=None)
    assert contents(tmp_path / ".d.old") == before
    write(tmp_path / "d")
    assert contents(tmp_path / "d") == before
    assert not list(tmp_path.glob(".d.*"))


@pytest.mark.parametrize("step", ["card", "write_manifest", "_move"])
def test_a_killed_export_leaves_no_manifest_and_the_next_one_succeeds(
        step: str, tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    for name, rows in build.items():
        rows.write_parquet(tmp_path / f"{name}.parquet")
    killed(KILLED_BEFORE, tmp_path, step)
    assert (tmp_path / ".d.staging").exists()
    assert not (tmp_path / "d").exists()
    write(tmp_path / "d")
    assert verify(tmp_path / "d") == []
    assert not (tmp_path / ".d.staging").exists()


def test_a_copy_is_the_dataset_to_the_byte_and_replaces_nothing_that_is_not_ours(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d")
    write(tmp_path / "to", shard_rows=1)
    copy_dataset(tmp_path / "d", tmp_path / "to")
    assert contents(tmp_path / "to") == contents(tmp_path / "d")
    (tmp_path / "to" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="does not name"):
        copy_dataset(tmp_path / "d", tmp_path / "to")
    assert (tmp_path / "to" / "notes.txt").exists()


def test_a_damaged_dataset_is_not_copied(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d")
    (tmp_path / "d" / "README.md").write_text("nothing")
    with pytest.raises(ExportError, match=r"cannot be copied: README.md has"):
        copy_dataset(tmp_path / "d", tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_margin_is_written_only_where_every_pair_has_one(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    some = pl.when(pl.col("pair_id") != "pair2")
    names = ("margin", "score_chosen", "score_rejected")
    half = build["kept"].with_columns(some.then(pl.col(name)).alias(name) for name in names)
    write(tmp_path / "half", kept=half)
    columns = rows_of(tmp_path / "half", "preference").columns
    assert "margin" not in columns
    assert "score_chosen" in columns
    assert "Only 2 of 3 pairs have scores" in (tmp_path / "half" / "README.md").read_text()
    write(tmp_path / "none", kept=half.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names))
    assert not set(names) & set(rows_of(tmp_path / "none", "preference").columns)
    write(tmp_path / "all")
    assert rows_of(tmp_path / "all", "preference")["margin"].to_list() == [5.5, 5.5, 5.5]


def test_a_pair_whose_sides_read_the_same_is_refused(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    same = build["kept"].with_columns(
        rejected=pl.when(pl.col("pair_id") == "pair2").then(pl.col("chosen")).otherwise(pl.col("rejected")))
    with pytest.raises(ExportError, match=r"1 of the pairs have the same text.*pair2"):
        write(tmp_path / "d", kept=same)


def test_an_infinite_margin_is_refused(tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(ExportError, match="no finite number"):
        write(tmp_path / "d", kept=build["kept"].with_columns(margin=pl.lit(float("inf"))))


def test_empty_messages_are_refused(tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(ExportError, match=r"1 of the unpaired have no messages.*'completion'.*r1b"):
        write(tmp_path / "d", unpaired=build["unpaired"].with_columns(
            completion=pl.when(pl.col("response_id") == "r1b").then(pl.col("completion").list.head(0))
            .otherwise(pl.col("completion"))))


def test_tools_reach_the_rows_of_their_prompt_only(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    tools = '[{"type":"function","function":{"name":"add"}}]'
    offered = build["prompts"].with_columns(tools=pl.when(pl.col("prompt_id") == "p2").then(pl.lit(tools)))
    write(tmp_path / "d", prompts=offered)
    found = rows_of(tmp_path / "d", "preference").select("prompt_id", "tools")
    assert dict(found.iter_rows()) == {"p1": None, "p2": tools, "p3": None}
    with pytest.raises(ExportError, match=r"tools that are not a JSON list.*p2"):
        write(tmp_path / "e", prompts=build["prompts"].with_columns(
            tools=pl.when(pl.col("prompt_id") == "p2").then(pl.lit("add(a, b)"))))


def test_no_column_of_a_shard_is_large_or_a_dictionary(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    kept = build["kept"].with_columns(pl.col("chosen_model").cast(pl.Categorical))
    write(tmp_path / "d", kept=kept.with_columns(pl.col("chosen_model").cast(pl.String)))
    for path in (tmp_path / "d").rglob("*.parquet"):
        told = str(pq.read_schema(path).remove_metadata())
        assert "large" not in told
        assert "dictionary" not in told
        assert "view" not in told


@pytest.mark.parametrize("table", [PREFERENCES, UNPAIRED, PROMPTS], ids=lambda table: table.name)
def test_the_meanings_of_the_columns_come_from_the_schemas(table: Any, tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d")
    card = (tmp_path / "d" / "README.md").read_text()
    for column in table.columns:
        if column.name in ("score", "model", "sources", "chosen_id"):
            assert column.meaning.replace("`", "\\`") in card
