"""No record of a log, however broken, stops the reading: it is counted, the sums balance, memory stays bounded."""

import os
import tracemalloc
from pathlib import Path

import orjson
import pytest

from feedback.chatlogs.gather import gather, stream
from feedback.chatlogs.parts import Format
from feedback.chatlogs.sniff import FORMATS, recognised
from feedback.chatlogs.tally import Tally
from generators.records import Record, each_file
from schemas.chat_messages import CHAT_MESSAGES
from schemas.feedback_events import SIGNALS
from tests.chatlogs.mutants import mutants
from tests.chatlogs.reading import FIXTURES, SALT

NUMBER = int(os.environ.get("WINNOW_MUTANTS", "10000"))
"""Of each format."""


def seeds(format: Format) -> list[bytes]:
    """The records of the fixtures of a format, each on a line."""
    found: list[bytes] = []
    for path in sorted(path for path in FIXTURES.rglob("*") if path.is_file()):
        for file in each_file(str(path)):
            found += [orjson.dumps(record.fields) for one, record in recognised(file)
                      if one is format and isinstance(record, Record)]
    return found


def lines(path: Path) -> int:
    """How many lines of a file are not blank, as a reader of lines must count them."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_broken_records_are_counted_and_never_stop_the_reading(format: Format, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in mutants(seeds(format), NUMBER, format.name)))
    found = gather([str(path)], SALT, reader=format, scrubbed=False)  # raises where the sums do not balance
    read = {row.fate: 0 for row in found.counts}
    for row in found.counts:
        if row.unit == "records":
            read[row.fate] += row.count
    assert read["in"] == lines(path)
    assert read["out"] > 0.1 * NUMBER
    assert read["failed"] > 0.1 * NUMBER
    assert read["failed"] == len(found.told) or len(found.told) == 1000
    assert all(told.startswith(f"{path}, line ") for told in found.told)
    assert not CHAT_MESSAGES.check(CHAT_MESSAGES.conform(found.messages.to_arrow()))[0]
    assert not SIGNALS.check(SIGNALS.conform(found.signals.to_arrow()))[0]


@pytest.mark.parametrize("array", [True, False])
def test_memory_does_not_grow_with_the_log(array: bool, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    with path.open("wb") as file:
        file.write(b"[" if array else b"")
        for number in range(60):  # 60 MB of valid records among broken ones, each of its own conversation
            turns = [{"role": "user", "content": f"{number} " + "word " * 200_000}, {"role": "assistant", "content": 7}]
            file.write(orjson.dumps({"conversation_hash": str(number), "conversation": turns}))
            file.write(b",\n" if array else b"\n")
        file.write(b"{}]" if array else b"\xff\n")
    tally = Tally()
    tracemalloc.start()
    try:
        rows = sum(batch.messages.height for batch in stream([str(path)], SALT, tally, scrubbed=False))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 60
    assert sum(row.count for row in tally.counts if (row.unit, row.fate) == ("records", "failed")) == 1
    assert peak < 48 << 20, f"{peak >> 20} MB"
