"""A dataset folder that was touched after it was written is told from one that was not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from exports.check import verify
from exports.shards import describe

Write = Callable[..., dict[str, Any]]
SHARD = "preference/train-00000-of-00001.parquet"


@pytest.fixture
def folder(tmp_path: Path, write: Write) -> Path:
    write(tmp_path / "d")
    return tmp_path / "d"


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads((folder / "manifest.json").read_text())
    change(told)
    (folder / "manifest.json").write_text(json.dumps(told))


def rename_in_manifest(folder: Path, path: str, rows: int) -> None:
    """Make the manifest agree with the bytes of a file that was replaced."""
    new = describe(folder, path)

    def change(told: dict[str, Any]) -> None:
        for file in told["files"]:
            if file["path"] == path:
                file.update(bytes=new.bytes, sha256=new.sha256, rows=rows)

    edit_manifest(folder, change)


def test_a_fresh_folder_has_no_problems(folder: Path) -> None:
    assert verify(folder) == []


def test_a_folder_without_a_manifest_was_not_written_to_the_end(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert "was not written to the end" in verify(folder)[0]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "winnow-dataset/1"}',
                                  '{"format": "winnow-dataset/1", "files": [1], "configs": {}}'])
def test_a_damaged_manifest_is_a_problem_and_not_a_crash(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text)
    assert len(verify(folder)) == 1


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / SHARD).unlink()
    assert verify(folder) == [f"{SHARD} is missing"]


def test_one_changed_byte_is_found(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / SHARD).write_bytes(bytes(data))
    assert verify(folder) == [f"{SHARD} has changed: its SHA-256 is not the manifest's"]


def test_a_cut_file_is_found(folder: Path) -> None:
    (folder / "README.md").write_bytes((folder / "README.md").read_bytes()[:-1])
    assert "README.md has" in verify(folder)[0]


def test_a_strange_file_is_found(folder: Path) -> None:
    (folder / "preference" / "more.parquet").write_bytes(b"")
    assert verify(folder) == ["preference/more.parquet is not in the manifest"]


def test_a_wrong_count_is_found(folder: Path) -> None:
    edit_manifest(folder, lambda told: told["configs"]["preference"].update(rows=4, splits={"train": 3, "test": 1}))
    assert verify(folder) == ["the files of preference/train hold 2 rows, not 3"]


def test_a_shard_that_polars_wrote_would_not_come_back_plain(folder: Path) -> None:
    pl.read_parquet(folder / SHARD).write_parquet(folder / SHARD)
    rename_in_manifest(folder, SHARD, 2)
    assert len(verify(folder)) == 1
    assert "would not load with plain features" in verify(folder)[0]


def test_a_shard_without_its_features_or_with_other_columns_is_found(folder: Path) -> None:
    rows = pq.read_table(folder / SHARD).drop_columns(["evidence"]).replace_schema_metadata({})
    pq.write_table(rows, folder / SHARD)
    rename_in_manifest(folder, SHARD, 3)
    problems = "\n".join(verify(folder))
    assert "has 2 rows, not 3" in problems
    assert "has the columns" in problems
    assert "does not name its features" in problems
