"""docs/chat_logs.md: every reader is in its table, and the code it shows runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from feedback.chatlogs.gather import gather
from feedback.chatlogs.readers.columns import columns
from feedback.chatlogs.sniff import FORMATS
from tests.chatlogs.flat import said, told
from tests.chatlogs.reading import SALT, left_out, read

PAGE = (Path(__file__).parent.parent.parent / "docs" / "chat_logs.md").read_text(encoding="utf-8")
COLUMNS, READER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(code, names)
    return names


def test_the_table_names_every_reader_and_says_whose_texts_may_not_leave() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    assert sorted(row[0].strip("`") for row in rows) == sorted([*(format.name for format in FORMATS), "columns"])
    assert {row[0].strip("`") for row in rows if row[-1] != "yes"} == {"lmsys", "prism"}


def test_the_reader_shown_reads_messages_and_stars(tmp_path: Path) -> None:
    shown = run(READER)["FORMAT"]
    (tmp_path / "desk.jsonl").write_text(
        '{"ticket": 7, "passenger": "p1", "stars": 2, "talk": [{"role": "user", "content": "Is the 9:40 late?"}, '
        '{"role": "assistant", "content": "By an hour."}, {"role": "gull", "content": "Kree"}]}\n{"ticket": 8}\n',
        encoding="utf-8")
    found = read(tmp_path / "desk.jsonl", reader=shown)
    assert said(found) == [("Is the 9:40 late?", "assistant", "By an hour."), (None, "user", "Is the 9:40 late?")]
    assert told(found, "value", "scale_max") == [("score", "By an hour.", [], 2.0, 5.0)]
    assert left_out(found, "messages") == {"unknown role": 1}
    assert left_out(found, "records") == {"no ticket": 1}


def test_the_maps_of_columns_shown_are_readers() -> None:
    names = run(COLUMNS)
    assert {names[name].name for name in ("a_message_a_row", "an_exchange_a_row", "a_conversation_a_row")} == {
        columns(messages="m").name}


@pytest.mark.parametrize(("word", "value"), [
    ("1", 1.0), ("yes", 1.0), ("Like", 1.0), ("👍", 1.0), ("0", -1.0), ("false", -1.0), ("👎", -1.0), ("maybe", None)])
def test_thumbs_are_what_the_page_says(word: str, value: float | None, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"q,a,thumb\nHi,Hello,{word}\n", encoding="utf-8")
    reader = columns(prompt="q", response="a", thumb="thumb")
    found = gather([str(tmp_path / "log.csv")], SALT, reader=reader)
    assert list(found.signals["value"]) == ([] if value is None else [value])
