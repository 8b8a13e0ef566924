"""Logs that are wrong in every way that makes programs quote them: what they hold is in no error and no count."""

import gzip
import json
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from feedback.chatlogs.gather import gather
from feedback.chatlogs.imports import first_days
from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.readers.columns import columns
from generators.records import Broken, Record
from privacy.people import Salt
from schemas.errors import InputError

MAIL, KEY, WORDS = "anna.meier77@example.com", "ghp_Zk3Lr9Qw2Xc7Vb5Nm1As8Df4Gh6Jk0Pq2Rt", "I have been ill"
"""An address, a key, and words that no pattern knows."""
SALT = Salt(b"k" * 32)
TALK = json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}).encode()
TABLE = columns(prompt="question", response="answer", user="customer")


def told(path: Path, reader: Format | None = None) -> str:
    """All that is said of a file that is read: tables, counts, broken records, or the error with what caused it."""
    try:
        read = gather([str(path)], SALT, reader=reader)
    except InputError as error:
        return "".join(traceback.format_exception(error, limit=0))
    return "\n".join([*read.told, str(read.counts), str(read.messages.to_dicts()), str(read.signals.to_dicts())])


def silent(said: str) -> bool:
    """Whether nothing of what must not be told is told."""
    return not any(word in said for word in (MAIL, KEY, WORDS))


def archive(name: str, spoilt: bool) -> bytes:
    """A zip archive with one log; spoilt, its checksum does not hold."""
    path = Path(name)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{MAIL}.json", b"[" + TALK + b"]")
    held = bytearray(path.read_bytes())
    held[held.find(b"hi")] ^= spoilt
    path.unlink()
    return bytes(held)


FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "an archive that is none": (f"{MAIL}.zip", lambda: b"PK\x03\x04" + b"x" * 50, "cannot be read"),
    "an archive with a spoilt member": ("logs.zip", lambda: archive("made.zip", True), "cannot be read"),
    "a member called after a person": ("logs.zip", lambda: archive("made.zip", False), "messages"),
    "a file that breaks off": (f"{MAIL}.jsonl.gz", lambda: gzip.compress(TALK * 99)[:-9], "cannot be read"),
    "Parquet that is none": (f"{MAIL}.parquet", lambda: b"PAR1" + b"x" * 50, "cannot be read"),
    "UTF-16": (f"{MAIL}.jsonl", lambda: KEY.encode("utf-16"), "UTF-16"),
    "a line that is no JSON": ("log.jsonl", lambda: TALK + f'\n{{"{WORDS}": {KEY} {MAIL}'.encode(), "not JSON"),
    "a line that is a text": ("log.jsonl", lambda: TALK + f'\n"{WORDS} {KEY}"'.encode(), "not an object"),
    "a line that is not UTF-8": ("log.jsonl", lambda: TALK + f"\n{KEY}".encode() + b"\xff", "not UTF-8"),
    "a log of no known form": (f"{MAIL}.jsonl", lambda: json.dumps({WORDS: KEY}).encode(), "no reader of chat logs"),
    "no file": (f"{MAIL}.jsonl.none", lambda: b"", "no such file"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_told_without_what_it_holds_or_is_called(
        case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, made, expected = FILES[case]
    if not name.endswith(".none"):
        (tmp_path / name).write_bytes(made())
    said = told(tmp_path / name)
    assert expected in said
    assert silent(said)


def test_the_days_of_files_that_cannot_be_read_are_told_without_their_names(tmp_path: Path) -> None:
    (tmp_path / f"{MAIL}.zip").write_bytes(b"PK\x03\x04" + b"x" * 50)
    with pytest.raises(InputError, match=r"<EMAIL_1>.*cannot be read") as caught:
        first_days([str(tmp_path / f"{MAIL}.zip")], tmp_path / "home", date(2026, 1, 1))
    assert silent("".join(traceback.format_exception(caught.value, limit=0)))


@pytest.mark.parametrize(("text", "expected"), [
    (f"{WORDS},{KEY},{MAIL}\nq,a,u\n",
     "the columns are <GITHUB_TOKEN_1>, 2 that are no plain names (is the first line a header?)"),
    (f"{WORDS},{WORDS},{MAIL}\nq,a,u\n", "the header names 1 that are no plain names"),
    (f'question,answer,customer\n"{WORDS}" {KEY},x,y\n', "is not CSV"),
    (f"question,answer,customer\n{WORDS},{KEY},y,{MAIL}\n", "has 4 fields, the header 3"),
])
def test_a_table_without_a_header_does_not_tell_its_first_row(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    said = told(tmp_path / "table.csv", TABLE)
    assert expected in said
    assert silent(said)


def failing(error: type[Exception]) -> Format:
    """A reader whose error quotes what it was given."""
    def read(record: Record) -> Iterator[Conversation]:
        yield from ()
        raise error(f"cannot make sense of {record.fields}")

    return Format("mine", lambda fields: True, read)


class OwnError(Exception):
    """Of a reader that somebody wrote for their log."""


@pytest.mark.parametrize("error", [OwnError, RuntimeError, AssertionError, ValueError, KeyError, UnicodeError])
def test_an_error_of_a_reader_that_quotes_its_record_is_told_by_its_type_alone(error: type[Exception],
                                                                              tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({WORDS: f"{KEY} {MAIL}"}) + "\n")
    said = told(tmp_path / "log.jsonl", failing(error))
    assert f"log.jsonl, line 1: is not as mine is ({error.__name__})" in said
    assert silent(said)


def careless(**more: Any) -> Format:
    """A reader that puts what a record says where only words of its own belong."""
    def read(record: Record) -> Iterator[Conversation]:
        turns = [Turn(key=MAIL, parent=None, role="user", text="hi", language=MAIL, finish_reason=KEY, flags=(MAIL,)),
                 Turn(key=KEY, parent=MAIL, role="assistant", text="yo", model=MAIL, parts=[{MAIL: {KEY: MAIL}}])]
        thumb = Signal(kind="thumb", target=KEY, value=1.0, labels=(MAIL,), text=KEY, actor=MAIL, what=MAIL)
        yield Conversation(key=MAIL, user=MAIL, turns=turns, signals=[thumb], dropped=Counter({f"of {MAIL}": 1}),
                           dropped_signals=Counter({KEY: 1}), licence=f"(c) {MAIL}")
        raise Broken(record.place, **more) if more else StopAsyncIteration

    return Format("mine", lambda fields: True, read)


def kept() -> Format:
    """The same, with nothing broken."""
    whole = careless()

    def read(record: Record) -> Iterator[Conversation]:
        yield next(whole.read(record))

    return Format("mine", lambda fields: True, read)


@pytest.mark.parametrize("reader", [kept(), careless(reason=f"no {MAIL}", told=f"holds {KEY}")], ids=["kept", "broken"])
def test_a_careless_reader_gives_nothing_away(reader: Format, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")
    said = told(tmp_path / "log.jsonl", reader)
    assert "<EMAIL_1>" in said
    assert silent(said)
