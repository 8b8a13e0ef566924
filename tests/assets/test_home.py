"""Where a build lies, who may write it, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from assets.home import Build, Home
from schemas import CRITERIA, TABLES
from schemas.errors import ConfigError, HeldError, SchemaError

ROOT = Path(__file__).resolve().parents[2]
HOLD = "import sys; from pathlib import Path; from assets.home import Build; " \
       "Build(Path(sys.argv[1])).hold(); print('held', flush=True); input()"


def rows(count: int, text: str | None = "be kind") -> pl.DataFrame:
    told = [{"criterion_id": f"c{n}", "kind": "principle", "name": "kind", "scope": "all", "text": text,
             "evidence": None} for n in range(count)]
    return pl.DataFrame(told, schema=pl.DataFrame(pl.from_arrow(TABLES["criteria"].rows([]))).schema)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Home(tmp_path).build("demo", "b")


def test_the_home_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path))
    assert Home.find().build("demo", "b").file("kept") == tmp_path / "builds" / "demo" / "b" / "kept" / "kept.parquet"


def test_without_the_environment_the_home_is_data_in_the_current_folder(tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINNOW_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Home.find().root == tmp_path / "data"


def test_a_table_is_read_as_it_was_written(build: Build) -> None:
    build.write("criteria", CRITERIA, rows(2))
    assert build.read("criteria").equals(rows(2))


def test_rows_that_break_the_schema_go_to_quarantine_and_not_into_the_table(build: Build) -> None:
    with pytest.raises(SchemaError, match="criteria"):
        build.write("criteria", CRITERIA, pl.concat([rows(1), rows(1)]))
    assert not build.file("criteria").exists()
    assert (build.path / "quarantine" / "criteria.parquet").exists()


def test_a_table_that_is_not_there_yet_is_named(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"demo/b has no table 'kept' yet"):
        build.read("kept")


def test_what_runs_did_is_added_up(build: Build) -> None:
    build.path.mkdir(parents=True)
    build.note_run({"stage": "prompts"})
    build.note_run({"stage": "kept"})
    assert json.loads((build.path / "run.json").read_text()) == [{"stage": "prompts"}, {"stage": "kept"}]


def test_a_build_belongs_to_one_process_until_that_process_dies(build: Build) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(build.path)], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HeldError, match=f"demo/b is being built by process {other.pid} on "):
            build.hold()
        other.kill()
    build.hold()
    build.release()


def test_a_process_may_hold_its_own_build_twice_and_give_it_back(build: Build) -> None:
    build.hold()
    build.hold()
    build.release()
    taken = subprocess.run([sys.executable, "-c", HOLD, str(build.path)], cwd=ROOT, input=b"\n", capture_output=True,
                           check=True)
    assert taken.stdout == b"held\n"


def test_builds_are_listed_oldest_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for age, name in enumerate(("older", "newer")):
        path = home.build("demo", name).path
        path.mkdir(parents=True)
        os.utime(path, (age, age))
    assert [build.name for build in home.builds("demo")] == ["older", "newer"]
    assert home.builds("votes") == []


@pytest.mark.parametrize("name", ["../../evil", "..", "/tmp/evil", "a/b", "", "*", ".hidden", "x" * 101])
def test_no_name_leads_out_of_the_builds(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    with pytest.raises(ConfigError, match="cannot name a build or dataset"):
        home.build("demo", name)
    with pytest.raises(ConfigError, match="cannot name a build or dataset"):
        home.builds(name)


def test_dates_digests_and_plain_words_name_builds(tmp_path: Path) -> None:
    for name in ("2026-01-31", "b04f116bdb5", "try_2", "v1.0"):
        assert Home(tmp_path).build("demo", name).name == name
