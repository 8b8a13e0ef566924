"""The second scan: it names kind, column and row, never the text; and where it must, nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exports.leaving import LeakError, leaving_folder, read_found, refuse, write_found
from privacy.scan import Alarm, alarms, counted, in_words
from schemas import PROMPTS
from schemas.ids import digest
from tests.exports.conftest import frame, prompt, turns

Write = Callable[..., dict[str, Any]]
SECRET = "maria.keller@example.com"
PLANTED = frame(PROMPTS, [*map(prompt, (1, 2, 3)), prompt(4, messages=turns("user", f"Write to {SECRET}!"))])


def test_what_stands_in_any_column_of_a_row_is_told_by_kind_column_and_row() -> None:
    rows = [
        {"id": "r1", "chosen": [{"role": "user", "content": f"I am {SECRET}"}], "model": "m", "margin": 0.5},
        {"id": "r2", "chosen": [{"role": "user", "content": "nothing"}], "model": "4111 1111 1111 1111"},
        {"id": "r3", "chosen": [], "model": "m", "margin": 0.1},
    ]
    found = list(alarms(rows, "id"))
    assert found == [Alarm("r1", "chosen", "EMAIL"), Alarm("r2", "model", "CARD")]
    assert counted(found) == {"EMAIL": 1, "CARD": 1}
    assert in_words(found) == "1 CARD (model of r2); 1 EMAIL (chosen of r1)"


def test_an_id_of_ours_that_looks_like_an_account_is_no_alarm_and_a_text_that_does_is_one() -> None:
    numbers = (f"be{check:02}{number:020x}" for number in range(100) for check in range(100))
    account = next(one for one in numbers if [*alarms([{"id": "r", "text": f"{one}!"}], "id")])
    assert len(account) == len(digest("an id"))
    evidence = [{"table": "feedback_events", "id": account}]
    assert [*alarms([{"id": account, "evidence": evidence, "text": f"pay {account}"}], "id")] == [
        Alarm(account, "text", "IBAN")]


def test_many_rows_are_counted_and_three_named() -> None:
    found = [Alarm(f"r{number}", "text", "PHONE") for number in range(1200)]
    assert in_words(found) == "1,200 PHONE (text of r0, text of r1, text of r2, ...)"


def test_the_scan_hears_every_config_before_anything_is_written(tmp_path: Path, write: Write) -> None:
    heard: list[Alarm] = []

    def scanned(found: list[Alarm]) -> None:
        assert not (tmp_path / "d").exists()
        heard.extend(found)

    write(tmp_path / "d", scanned=scanned)
    assert heard == []
    assert leaving_folder(tmp_path / "d") == []


def test_a_scan_that_refuses_leaves_the_older_folder_and_no_text(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "d")
    before = {path: path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file()}
    with pytest.raises(LeakError, match=r"1 EMAIL \(prompt of prompts/p4\)") as told:
        write(tmp_path / "d", scanned=refuse, prompts=PLANTED)
    assert SECRET not in str(told.value)
    assert {path: path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file()} == before


def test_a_folder_that_is_written_already_is_scanned_the_same(tmp_path: Path, write: Write) -> None:
    heard: list[Alarm] = []
    write(tmp_path / "d", scanned=heard.extend, prompts=PLANTED)
    assert heard
    assert sorted(leaving_folder(tmp_path / "d"), key=str) == sorted(heard, key=str)
    write_found(heard, tmp_path / "found.json")
    assert read_found(tmp_path / "found.json") == heard
    assert SECRET not in json.dumps((tmp_path / "found.json").read_text())
