"""No format is mistaken for another: every record of every fixture fits the one reader it was made for."""

from pathlib import Path

import pytest

from feedback.chatlogs.sniff import FORMATS, named, recognised
from generators.records import Broken, Record, each_file
from tests.chatlogs.reading import FIXTURES

NAMES = sorted((format.name for format in FORMATS), key=len, reverse=True)
LOGS = sorted(path for path in FIXTURES.rglob("*") if path.suffix in (".json", ".jsonl") and path.name != "user.json")


def _format(path: Path) -> str:
    """The name of the format that a fixture is of: its file's, or its folder's."""
    return next(name for name in NAMES if path.relative_to(FIXTURES).as_posix().startswith(name))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.relative_to(FIXTURES).as_posix())
def test_a_record_fits_the_one_format_of_its_fixture_or_is_broken(path: Path) -> None:
    expected = _format(path)
    fitted = 0
    for file in each_file(str(path)):
        for _, record in recognised(file, expected):
            assert isinstance(record, Record)
            fitting = [format.name for format in FORMATS if format.fits(record.fields)]
            fitted += fitting == [expected]
            if fitting != [expected]:
                assert fitting == [], record.place
                with pytest.raises(Broken):
                    list(named(expected).read(record))
    assert fitted


def test_there_is_a_fixture_for_each_format() -> None:
    assert {_format(path) for path in LOGS} == set(NAMES)


@pytest.mark.parametrize("fields", [
    {}, {"prompt": "a", "response": "b"}, {"text": "a"}, {"conversation": []}, {"chosen": "a", "rejected": "b"},
    {"messages": "a"}, {"id": 1, "value": 2}, {"attributes": {}}, {"conversations": [["a", "b"]]},
    {"observations": [{"rain": 2}]}, {"traces": [{"x": 1}]}, {"conversation_id": "a", "conversation": []},
    {"prompt": "a", "chosen": [{"role": "user", "content": "b"}], "rejected": []},
])
def test_a_record_that_is_no_chat_log_fits_none(fields: dict[str, object]) -> None:
    assert [format.name for format in FORMATS if format.fits(fields)] == []
