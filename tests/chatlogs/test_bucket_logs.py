"""Chat logs in a bucket: read, dated and watched as those of a folder are; what fails in between imports nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from assets.log_days import changed_days, gone_days
from feedback.chatlogs.imports import LEDGER, first_days
from feedback.chatlogs.logs import chat_logs
from schemas.errors import BucketError
from tests.chatlogs.reading import FIXTURES, SALT, read

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def call(day: int, session: str, *said: str) -> str:
    """A request to a model and its answer, on a day of March."""
    turns = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(said)]
    at = datetime(2026, 3, day, 9, tzinfo=UTC).timestamp()
    return json.dumps({"request": {"messages": turns[:-1], "metadata": {"session_id": session}}, "response": {
        "created": at, "model": "bot", "choices": [{"index": 0, "message": turns[-1]}]}}) + "\n"


class Torn(MemoryFileSystem):
    """A bucket of which nothing beyond the first bytes can be read."""

    protocol = "torn"
    most = 1 << 30
    broken = False
    locked = "/locked"

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if path.endswith(Torn.locked):
            raise PermissionError("try again later")
        return _TornFile(super()._open(path, mode, **options))

    def info(self, path: str, **options: Any) -> Any:
        if Torn.broken:
            raise PermissionError("key AKIA was revoked")
        return super().info(path, **options)


class _TornFile:
    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if self._file.tell() >= Torn.most:
            raise TimeoutError("no answer in 60 s")
        return bytes(self._file.read(min(size, Torn.most - self._file.tell())))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


fsspec.register_implementation("torn", Torn, clobber=True)


@pytest.fixture
def bucket() -> Iterator[str]:
    """A bucket with a log of two days."""
    url = "torn://bucket/logs"
    put(f"{url}/a.jsonl", call(2, "one", "Hi", "Hello") + call(3, "two", "Why?", "So."))
    yield url
    Torn.most, Torn.broken, Torn.locked = 1 << 30, False, "/locked"
    fsspec.filesystem("memory").store.clear()


def put(url: str, text: str) -> None:
    fsspec.filesystem("torn").pipe_file(url, text.encode())


def test_logs_in_a_bucket_give_the_rows_that_they_give_in_a_folder(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(fsspec.filesystem("torn").cat_file(f"{bucket}/a.jsonl"))
    there, here = read(bucket), read(tmp_path)
    assert there.messages.height == 4
    assert there.messages.drop("place").equals(here.messages.drop("place"))
    assert sorted(there.messages["place"].unique()) == ["torn://bucket/logs/a.jsonl, line 1",
                                                        "torn://bucket/logs/a.jsonl, line 2"]


def test_an_export_whose_account_cannot_be_read_now_is_not_taken_for_another_person(bucket: str) -> None:
    talks = (FIXTURES / "chatgpt" / "conversations.json").read_text()
    put(f"{bucket}/ann/conversations.json", talks)
    put(f"{bucket}/ann/user.json", json.dumps({"id": "user-ann", "email": "a@example.com"}))
    export = f"{bucket}/ann/conversations.json"
    assert {*read(export).messages["user_hash"]} == {SALT.name("user", "user-ann")}
    Torn.locked = "/user.json"
    with pytest.raises(BucketError, match=r"user\.json: cannot be opened"):
        read(export)


@pytest.mark.parametrize("most", [0, 150, 400])
def test_a_bucket_that_fails_in_the_middle_imports_nothing_and_says_what_to_do(bucket: str, most: int) -> None:
    Torn.most = most
    with pytest.raises(BucketError, match=r"bucket/logs/a\.jsonl: cannot be read \(TimeoutError: no answer in 60 s\); "
                                          r"check the name, the network .* run the command again"):
        read(bucket)
    Torn.most = 1 << 30
    assert read(bucket).messages.height == 4


def test_no_name_of_a_person_in_that_of_an_object_is_told(bucket: str) -> None:
    put(f"{bucket}/jane.doe@example.com.jsonl", call(2, "one", "Hi", "Hello"))
    Torn.most = 0
    with pytest.raises(BucketError) as caught:
        read(f"{bucket}/j*")
    assert "jane" not in str(caught.value)
    assert "jane" not in str(caught.value.__cause__)


def test_an_object_keeps_the_day_on_which_its_bytes_were_first_seen_wherever_they_lie(bucket: str,
                                                                                      tmp_path: Path) -> None:
    home, name = tmp_path / "home", "torn://bucket/logs/a.jsonl"
    assert first_days([bucket], home, MONDAY) == {name: MONDAY}
    (tmp_path / "moved.jsonl").write_bytes(fsspec.filesystem("torn").cat_file(f"{bucket}/a.jsonl"))
    assert first_days([str(tmp_path / "moved.jsonl")], home, TUESDAY) == {str(tmp_path / "moved.jsonl"): MONDAY}
    put(f"{bucket}/a.jsonl", call(2, "one", "Hi", "Hello"))
    assert first_days([bucket], home, TUESDAY) == {name: TUESDAY}


def test_a_bucket_that_fails_while_days_are_noted_notes_none(bucket: str, tmp_path: Path) -> None:
    Torn.most = 150
    with pytest.raises(BucketError):
        first_days([bucket], tmp_path, MONDAY)
    assert not (tmp_path / LEDGER).exists()


def test_new_changed_and_removed_objects_are_seen(bucket: str, tmp_path: Path) -> None:
    logs, home = chat_logs(f"{bucket}/*.jsonl"), tmp_path / "home"
    days, first = changed_days(logs, home, None)
    assert sorted(days) == ["2026-03-02", "2026-03-03"]
    assert changed_days(logs, home, first) == ({}, first)
    put(f"{bucket}/b.jsonl", call(5, "three", "Yes?", "No."))
    days, second = changed_days(logs, home, first)
    assert sorted(days) == ["2026-03-05"]
    put(f"{bucket}/b.jsonl", call(5, "three", "Yes?", "No.") + call(3, "four", "A", "B"))
    days, third = changed_days(logs, home, second)
    assert sorted(days) == ["2026-03-03"]
    fsspec.filesystem("torn").rm(f"{bucket}/b.jsonl")
    days, fourth = changed_days(logs, home, third)
    assert sorted(days) == ["2026-03-03"], "a day of which something was removed is built again"
    assert gone_days(third, fourth) == ["2026-03-05"], "a day of which nothing is left is told"


def test_what_cannot_be_read_now_counts_as_it_was_and_is_read_the_next_time(bucket: str, tmp_path: Path) -> None:
    logs, home = chat_logs(bucket), tmp_path / "home"
    _, first = changed_days(logs, home, None)
    put(f"{bucket}/a.jsonl", call(2, "one", "Hi", "Hello") + call(3, "two", "Why?", "So.") + call(4, "six", "A", "B"))
    Torn.most = 100
    assert changed_days(logs, home, first) == ({}, first)
    Torn.most = 1 << 30
    assert sorted(changed_days(logs, home, first)[0]) == ["2026-03-04"]


def test_a_bucket_that_cannot_be_listed_stops_the_look(bucket: str, tmp_path: Path) -> None:
    Torn.broken = True
    with pytest.raises(BucketError, match=r"torn://bucket/logs: cannot be listed \(PermissionError"):
        changed_days(chat_logs(bucket), tmp_path / "home", None)


def test_a_cursor_names_no_file(bucket: str, tmp_path: Path) -> None:
    assert "a.jsonl" not in changed_days(chat_logs(bucket), tmp_path / "home", None)[1]
