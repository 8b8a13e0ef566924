"""Values of JSON found one by one: any chunks, broken ones, long ones, files that break off."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import json_stream
from generators.json_stream import CutOff, lines, values
from generators.records import Broken, Record, each_file, records
from schemas.errors import InputError

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\{}[],:\n\u00e9', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\{k', max_size=3), inner, max_size=3),
    max_leaves=12)


def whole(data: bytes, longest: int = 1 << 20) -> list[bytes | None]:
    return list(values(io.BytesIO(data), longest))


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY, max_size=6), st.sampled_from([None, 1]), st.integers(1, 40))
def test_the_elements_of_an_array_are_those_a_parser_finds_whatever_the_chunks(
    elements: list[Any], indent: int | None, chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        objects = [{"v": element} for element in elements]
        assert [json.loads(value or b"") for value in whole(json.dumps(objects, indent=indent).encode())] == objects
        beside = "\n".join(json.dumps(element, indent=indent) for element in objects).encode()
        assert [json.loads(value or b"") for value in whole(beside)] == objects


@pytest.mark.parametrize(("data", "found"), [
    (b"[]", []),
    (b'\xef\xbb\xbf[{"a": "]"}, 3, "x", null]', [b'{"a": "]"}', b"3", b'"x"', b"null"]),
    (b'[{"a": 1 "b"}, {"c": 2}]', [b'{"a": 1 "b"}', b'{"c": 2}']),
    (b'[\n {"a": 1},\n {"b": 2\n {"c": 3}\n]', [b'{"a": 1}', b'{"b": 2', b'{"c": 3}']),
    (b'[\n{"a": "x},\n{"b": 2}\n]', [b'{"a": "x},', b'{"b": 2}']),
    (b'[\n{"a": [1}},\n{"b": 2}\n]', [b'{"a": [1}},', b'{"b": 2}']),
])
def test_a_broken_value_ends_where_the_next_is_known_to_begin(data: bytes, found: list[bytes]) -> None:
    assert whole(data) == found


@pytest.mark.parametrize("data", [b"[", b'[{"a": 1},', b'[{"a": 1}, {"b": [', b'[{"a": "x', b'[{"a": 1}, {"b": 2]'])
def test_what_breaks_off_is_told(data: bytes) -> None:
    with pytest.raises(CutOff):
        whole(data)


def test_a_value_or_line_that_is_too_long_is_passed_over_and_the_next_is_read() -> None:
    long = b'{"a": "' + b"x" * 5000 + b'"}'
    assert whole(b"[" + long + b', {"b": 2}]', 1000) == [None, b'{"b": 2}']
    assert whole(b"[\n" + long + b',\n{"b": 2}]', 1000)[-1] == b'{"b": 2}'
    assert list(lines(io.BytesIO(b"short\n" + b"x" * 5000 + b"\nend"), 1000)) == [b"short\n", None, b"end"]
    assert list(lines(io.BytesIO(b"x" * 5000), 1000)) == [None]
    assert list(lines(io.BytesIO(b"x" * 1000 + b"\n"), 1000)) == [b"x" * 1000 + b"\n"]


def test_an_object_over_many_lines_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"id": 1, "messages": [{"text": "a"}]}, indent=2), encoding="utf-8")
    assert [record.fields["id"] for record in records(str(path)) if isinstance(record, Record)] == [1]
    path.write_text('{"a": 1,\n{"a": 2}\n', encoding="utf-8")  # a broken line of JSON Lines is no such object
    assert [isinstance(record, Record) for record in records(str(path))] == [False, True]


def test_records_before_the_place_where_an_array_breaks_off_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_bytes(b'[{"a": 1}, {"a": \xff}, 7, {"a": 2}, {"a"')
    found: list[Record | Broken] = []
    with pytest.raises(InputError, match="begins like a JSON array, but is none"):
        found.extend(records(str(path)))  # extend keeps what came before the error
    assert [record.fields["a"] if isinstance(record, Record) else record.reason for record in found] == [
        1, "not UTF-8", "not an object", 2]
    assert [record.place for record in found] == [f"{path}, record {number}" for number in (1, 2, 3, 4)]


def test_the_json_files_of_an_archive_are_read_each_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.jsonl", '{"n": 2}\n{"n": 3}\n')
        archive.writestr("a/a.json", '[{"n": 1}]')
        archive.writestr("picture.png", b"\x89PNG")
    files = list(each_file(str(path)))
    assert [file.name for file in files] == [f"{path}/a/a.json", f"{path}/b.jsonl"]
    assert all(file.in_archive for file in files)
    assert [(record.fields["n"], record.source) for record in records(str(path)) if isinstance(record, Record)] == [
        (1, "a"), (2, "b"), (3, "b")]


def test_an_archive_that_is_cut_off_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "[]")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"logs\.zip: cannot be read"):
        list(records(str(path)))
