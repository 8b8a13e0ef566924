"""When a log was first imported: kept for ever, known by the file's bytes."""

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from feedback.chatlogs.imports import LEDGER, day_of, first_days
from feedback.chatlogs.logs import chat_logs
from schemas.errors import ConfigError

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def log(folder: Path, name: str, text: str) -> Path:
    """A log of one line."""
    path = folder / name
    path.write_text(json.dumps({"messages": [{"role": "user", "content": text}]}) + "\n")
    return path


def test_a_file_keeps_the_day_on_which_it_was_first_seen(tmp_path: Path) -> None:
    first, home = log(tmp_path, "a.jsonl", "one"), tmp_path / "home"
    assert first_days([str(first)], home, MONDAY) == {str(first): MONDAY}
    other = log(tmp_path, "b.jsonl", "two")
    assert first_days([str(tmp_path / "*.jsonl")], home, TUESDAY) == {str(first): MONDAY, str(other): TUESDAY}
    assert first_days([str(tmp_path / "*.jsonl")], home, MONDAY) == {str(first): MONDAY, str(other): TUESDAY}


def test_a_renamed_file_keeps_its_day_and_a_grown_one_is_new(tmp_path: Path) -> None:
    path, home = log(tmp_path, "a.jsonl", "one"), tmp_path / "home"
    first_days([str(path)], home, MONDAY)
    moved = path.rename(tmp_path / "c.jsonl")
    assert first_days([str(moved)], home, TUESDAY) == {str(moved): MONDAY}
    moved.write_text(moved.read_text() * 2)
    assert first_days([str(moved)], home, TUESDAY) == {str(moved): TUESDAY}


def test_the_members_of_an_archive_are_of_its_day(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", "[]")
        archive.writestr("message_feedback.json", "[]")
    days = first_days([str(path)], tmp_path / "home", MONDAY)
    assert days == {f"{path}/conversations.json": MONDAY, f"{path}/message_feedback.json": MONDAY}


def test_the_ledger_holds_digests_and_days_and_no_name(tmp_path: Path) -> None:
    first_days([str(log(tmp_path, "anna.jsonl", "one"))], tmp_path / "home", MONDAY)
    told = (tmp_path / "home" / LEDGER).read_text()
    assert "anna" not in told
    assert list(json.loads(told).values()) == ["2026-03-02"]


@pytest.mark.parametrize(("build", "day"), [("2026-03-02", MONDAY), ("20260302", None), ("b1234", None), ("", None),
                                            ("2026-13-02", None)])
def test_a_build_is_a_day_where_its_name_is_one(build: str, day: date | None) -> None:
    assert day_of(build) == day


def test_logs_without_a_path_or_with_an_unknown_reader_are_refused() -> None:
    with pytest.raises(ConfigError, match="name the logs"):
        chat_logs()
    with pytest.raises(ConfigError, match="telegram"):
        chat_logs("logs", reader="telegram")
