"""Reading prompts: every format, every way a file can be wrong, and no dependence on order."""

import gzip
import json
import random
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.made import Made
from generators.read import read
from schemas.errors import ConfigError, InputError
from schemas.messages import Message, prompt_id
from schemas.prompts import PROMPTS

ROWS = [{"prompt": "Why is the sky blue?", "topic": "physics", "n": 1},
        {"prompt": "Name a prime.\nOnly one.", "topic": "maths", "n": 2},
        {"prompt": 'Say "hi", twice', "topic": "chat", "n": 3}]
TEXTS = {row["prompt"] for row in ROWS}


def write(path: Path, *lines: Any) -> str:
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    return str(path)


def texts(made: Made) -> list[str]:
    return [messages[-1]["content"] for messages in made.table["messages"].to_list()]


def dropped(made: Made) -> dict[str, int]:
    return {row.reason: row.count for row in made.counts if row.fate == "dropped"}


def by_text(made: Made) -> dict[str, dict[str, Any]]:
    return {row["messages"][-1]["content"]: row for row in made.table.to_dicts()}


def csv_of(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    def quoted(value: object) -> str:
        return '"' + str(value).replace('"', '""') + '"'
    lines = [list(rows[0]), *(row.values() for row in rows)]
    return "".join(delimiter.join(map(quoted, line)) + "\n" for line in lines)


def jsonl_of(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def save(folder: Path, kind: str) -> Path:
    path = folder / f"asks.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress(jsonl_of(ROWS).encode()))
    else:
        path.write_text({"jsonl": jsonl_of(ROWS), "json": json.dumps(ROWS, indent=2), "csv": csv_of(ROWS),
                         "tsv": csv_of(ROWS, "\t")}[kind], encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet"])
def test_the_same_prompts_come_out_of_every_format(kind: str, tmp_path: Path) -> None:
    made = read(str(save(tmp_path, kind)), task="{topic}", licence="MIT", language="en")()
    assert set(texts(made)) == TEXTS
    for row in made.table.to_dicts():
        assert row["prompt_id"] == prompt_id(row["messages"])
        assert (row["sources"], row["licences"], row["language"]) == (["asks"], ["MIT"], "en")
        assert row["group"] == row["prompt_id"]
    assert {row["messages"][0]["content"]: row["task"] for row in made.table.to_dicts()} == {
        row["prompt"]: row["topic"] for row in ROWS}
    assert not PROMPTS.check(PROMPTS.conform(made.table.to_arrow()))[0]


def test_the_other_columns_are_kept_as_json(tmp_path: Path) -> None:
    made = read(str(save(tmp_path, "jsonl")), task="{topic}")()
    assert by_text(made)["Why is the sky blue?"]["meta"] == '{"n":1}'


def test_a_format_is_known_by_its_content_where_the_name_says_nothing(tmp_path: Path) -> None:
    for kind, name in (("jsonl.gz", "one"), ("parquet", "two"), ("json", "three")):
        save(tmp_path, kind).rename(tmp_path / name)
        assert set(texts(read(str(tmp_path / name))())) == TEXTS
    path = write(tmp_path / "four", "prompt,topic", "a,b")
    with pytest.raises(InputError, match=r"four: its format is not known; name it \.jsonl"):
        read(path)()


def test_nothing_said_of_the_licence_is_unknown_not_a_default(tmp_path: Path) -> None:
    assert read(str(save(tmp_path, "csv")))().table["licences"].to_list() == [["unknown"]] * 3


@pytest.mark.parametrize(("line", "reason", "told"), [
    ('{"prompt": "x"', "not JSON", r"asks\.jsonl, line 17: is not JSON \(.+ at character \d+\); mend or delete"),
    ('["x"]', "not an object", r'line 17: is a list, not an object; write \{"prompt"'),
    ('{"promt": "x"}', "no column prompt", "line 17: there is no column 'prompt'; the columns are promt; did you mean"),
    ('{"a": 1, "zz": 2}', "no column prompt", "the columns are a, zz; name one of these"),
    ('{"prompt": ""}', "empty prompt", "line 17: the prompt is empty"),
    ('{"prompt": " \\n"}', "empty prompt", "line 17: the prompt is empty"),
    ('{"prompt": null}', "column prompt is no text", "line 17: column 'prompt' holds null, which is no text"),
    ('{"prompt": 7}', "column prompt is no text", "line 17: column 'prompt' holds 7, which is no text"),
    ('{"prompt": ["x"]}', "column prompt is no text", "name a column of turns as messages="),
    ('{"prompt": NaN}', "not JSON", "line 17: is not JSON"),
    ('{"prompt": "\\ud800"}', "not JSON", "line 17: is not JSON"),
])
def test_a_broken_line_17_stops_with_its_place_and_remedy_or_is_counted(line: str, reason: str, told: str,
                                                                        tmp_path: Path) -> None:
    good: list[Any] = [{"prompt": f"question {number}"} for number in range(20)]
    path = write(tmp_path / "asks.jsonl", *good[:16], line, *good[16:])
    with pytest.raises(InputError, match=told):
        read(path)()
    made = read(path, on_error="drop")()
    assert len(texts(made)) == 20
    assert dropped(made) == {reason: 1}


def test_bytes_that_are_not_utf8_are_found_on_their_line(tmp_path: Path) -> None:
    (tmp_path / "asks.jsonl").write_bytes(b'{"prompt": "a"}\n{"prompt": "caf\xe9"}\n')
    (tmp_path / "asks.csv").write_bytes(b'prompt,n\n"a\nb",1\n"caf\xe9",2\n"d",3\n')
    with pytest.raises(InputError, match=r"asks\.jsonl, line 2: byte 16 is not UTF-8; save the file as UTF-8"):
        read(str(tmp_path / "asks.jsonl"))()
    with pytest.raises(InputError, match=r"asks\.csv, line 4: holds bytes that are not UTF-8"):
        read(str(tmp_path / "asks.csv"))()
    made = read(str(tmp_path / "asks.csv"), on_error="drop")()
    assert set(texts(made)) == {"a\nb", "d"}
    (tmp_path / "wide.csv").write_text("prompt\na\n", encoding="utf-16")
    with pytest.raises(InputError, match="is UTF-16; save it as UTF-8"):
        read(str(tmp_path / "wide.csv"))()


def test_a_byte_order_mark_and_blank_lines_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "asks.jsonl").write_bytes(b'\xef\xbb\xbf\n{"prompt": "a"}\n\n  \n{"prompt": "b"}')
    (tmp_path / "asks.csv").write_bytes(b"\xef\xbb\xbfprompt\r\na\r\n\r\nb")
    for name in ("asks.jsonl", "asks.csv"):
        made = read(str(tmp_path / name))()
        assert sorted(texts(made)) == ["a", "b"]
        assert made.counts[0].count == 2


def test_a_line_of_several_megabytes_is_read_whole(tmp_path: Path) -> None:
    long = "word " * 1_000_000
    assert texts(read(write(tmp_path / "asks.jsonl", {"prompt": long}))()) == [long]
    (tmp_path / "asks.csv").write_text(f"prompt\n{long}\n", encoding="utf-8")
    assert texts(read(str(tmp_path / "asks.csv"))()) == [long]


def test_a_csv_record_with_a_field_too_many_is_broken(tmp_path: Path) -> None:
    path = write(tmp_path / "asks.csv", "prompt,n", "one,1", "two, or three,2")
    with pytest.raises(InputError, match="line 3: has 3 fields, the header 2; quote fields that hold a comma"):
        read(path)()
    assert dropped(read(path, on_error="drop")()) == {"wrong number of fields": 1}


@pytest.mark.parametrize(("name", "content", "told"), [
    ("open.csv", b'prompt\n"never closed\n', "line 2: is not CSV"),
    ("twice.csv", b"prompt,a,a\nx,1,2\n", "the header names a twice"),
    ("array.json", b'[{"prompt": "a"},', "begins like a JSON array, but is none"),
    ("cut.jsonl.gz", gzip.compress(jsonl_of(ROWS * 99).encode())[:-20], "cannot be read"),
    ("empty.jsonl", b"", "holds no records"),
    ("header.csv", b"prompt\n", "holds no records"),
    ("cut.parquet", b"PAR1 and no more", "cannot be read"),
])
def test_a_file_that_is_wrong_as_a_whole_stops_even_where_records_may_drop(name: str, content: bytes, told: str,
                                                                           tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told) as raised:
        read(str(tmp_path / name), on_error="drop")()
    assert name in str(raised.value)


def test_a_path_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/\*\.jsonl: there is no such file \(looked from .+\)"):
        read("nowhere/*.jsonl")()


def test_a_source_without_one_usable_record_stops_even_where_records_may_drop(tmp_path: Path) -> None:
    path = write(tmp_path / "asks.jsonl", {"question": "a"}, {"question": "b"})
    with pytest.raises(InputError, match=r"none of its 2 records can be used: no column prompt \(2\)"):
        read(path, on_error="drop")()


def test_a_prompt_in_two_files_is_one_row_that_names_both(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", {"prompt": "same"}, {"prompt": "only b"})
    write(tmp_path / "a.jsonl", {"prompt": "same"}, {"prompt": "same"})
    made = read(str(tmp_path / "*.jsonl"))()
    assert {text: row["sources"] for text, row in by_text(made).items()} == {"same": ["a", "b"], "only b": ["b"]}
    assert dropped(made) == {"duplicate": 2}


def test_two_references_for_one_prompt_name_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "asks.jsonl", {"prompt": "2+2", "answer": 4}, {"prompt": "2+2", "answer": None},
                 {"prompt": "1+1", "answer": "2"}, {"prompt": "2+2", "answer": "5"})
    with pytest.raises(InputError, match=r"jsonl, line 4: the same prompt has another reference at .*jsonl, line 1"):
        read(path, reference="answer")()
    made = read(path, reference="answer", on_error="drop")()
    assert made.table["reference"].to_list() == ["2"]
    assert dropped(made) == {"conflicting references": 3}


def test_a_reference_said_once_holds_for_the_prompt_wherever_it_comes(tmp_path: Path) -> None:
    path = write(tmp_path / "asks.jsonl", {"prompt": "2+2", "answer": None}, {"prompt": "2+2", "answer": "4"})
    assert read(path, reference="answer")().table["reference"].to_list() == ["4"]


rows = st.lists(st.fixed_dictionaries({
    "prompt": st.sampled_from(["a", "b", "c", "d"]), "task": st.sampled_from(["x", "y", ""]),
    "set": st.sampled_from(["g", "h", None]), "extra": st.integers(0, 2)}), min_size=1, max_size=12)


@given(rows, st.integers(0, 2**16), st.integers(1, 4))
@settings(max_examples=30)
def test_the_order_of_files_and_lines_changes_nothing(tmp_path_factory: pytest.TempPathFactory,
                                                      records: list[dict[str, Any]], seed: int, limit: int) -> None:
    mixed = random.Random(seed).sample(records, len(records))
    tables = []
    for order in (records, mixed):
        folder = tmp_path_factory.mktemp("asks")
        for number in range(3):
            write(folder / f"{number}.jsonl", *order[number::3])
        tables.append(read(f"{folder}/*.jsonl", task="{task}", group="set", source="s", limit=limit)())
    assert tables[0].table.equals(tables[1].table)
    assert tables[0].counts == tables[1].counts
    assert tables[0].table.height == min(limit, len({row["prompt"] for row in records}))
    assert tables[0].table["prompt_id"].is_sorted()


def test_a_limit_takes_the_smallest_ids_so_that_a_larger_one_only_adds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *[{"prompt": f"question {number}"} for number in range(30)])
    everything = read(path)().table["prompt_id"].to_list()
    for limit in (1, 7, 29):
        made = read(path, limit=limit)()
        assert made.table["prompt_id"].to_list() == everything[:limit]
        assert dropped(made) == {"over the limit": 30 - limit}


def test_what_json_does_not_have_is_null_or_text_in_the_meta(tmp_path: Path) -> None:
    row = {"prompt": "a", "nan": float("nan"), "raw": b"\x00", "day": date(2024, 2, 29), "list": [1, None]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    made = read(str(tmp_path / "a.parquet"))()
    assert json.loads(made.table["meta"][0]) == {"nan": None, "raw": None, "day": "2024-02-29", "list": [1, None]}


@given(st.permutations([("p", "d"), ("q", "b"), ("p", "b"), ("r", "d"), ("s", "c"), ("q", "a"), ("t", "e")]))
def test_groups_that_share_a_prompt_are_one_whatever_the_order_of_records(
        tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, str]]) -> None:
    path = write(tmp_path_factory.mktemp("asks") / "a.jsonl", *[{"prompt": text, "set": name} for text, name in told])
    groups = {text: row["group"] for text, row in by_text(read(path, group="set")()).items()}
    assert groups == {"p": "a", "q": "a", "r": "a", "s": "c", "t": "e"}


def test_a_group_that_any_source_names_stands_before_the_prompts_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"prompt": "a", "set": None}, {"prompt": "a", "set": "zz"},
                 {"prompt": "b", "set": None})
    made = by_text(read(path, group="set")())
    assert made["a"]["group"] == "zz"
    assert made["b"]["group"] == made["b"]["prompt_id"]


def test_prompts_of_many_turns_keep_them_all_and_their_tools(tmp_path: Path) -> None:
    turns: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                            {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Bye"}]
    tools = [{"type": "function", "function": {"name": "f"}}]
    path = write(tmp_path / "a.jsonl", {"turns": turns, "tools": tools},
                 {"turns": json.dumps(turns), "tools": json.dumps(tools)})
    made = read(path, messages="turns", tools="tools")()
    assert made.table["messages"].to_list() == [turns]
    assert json.loads(made.table["tools"][0]) == tools
    assert made.table["prompt_id"].to_list() == [prompt_id(turns, made.table["tools"][0])]


@pytest.mark.parametrize(("turns", "told"), [
    ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "the last turn is the assistant's"),
    ([{"role": "human", "content": "a"}], "column 'turns': message 0 has role 'human'; use one of system"),
    ([], "messages must be a list that is not empty"),
    ("[no json", "column 'turns' is no JSON"),
    ([{"role": "system", "content": "a"}, {"role": "user", "content": " "}], "the prompt is empty"),
])
def test_turns_that_cannot_be_answered_are_named(turns: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told) as raised:
        read(write(tmp_path / "a.jsonl", {"turns": turns}), messages="turns")()
    assert "a.jsonl, line 1" in str(raised.value)


def test_a_column_name_where_a_word_is_expected_is_refused_not_taken_as_the_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'topic' is also a column; write '\{topic\}' to take its values"):
        read(str(save(tmp_path, "jsonl")), task="topic")()


def test_a_folder_that_datasets_saved_is_read(tmp_path: Path) -> None:
    import datasets

    made = datasets.Dataset.from_list(ROWS)
    made.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": made, "test": made.select([0])}).save_to_disk(str(tmp_path / "two"))
    assert set(texts(read(str(tmp_path / "one"))())) == TEXTS
    assert set(texts(read(str(tmp_path / "two"))())) == TEXTS
    assert texts(read(str(tmp_path / "two"), split="test")()) == [ROWS[0]["prompt"]]
    with pytest.raises(InputError, match=r"say which split to read, split='\.\.\.', one of train, test"):
        read(str(tmp_path / "two"), split="dev")()


def test_the_first_turns_of_the_mt_bench_questions_are_read(shared_data: Path) -> None:
    path = shared_data / "chat" / "mt_bench_questions.jsonl.gz"
    questions = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    made = read(str(path), text="turns.0", task="{category}", licence="Apache-2.0", language="en")()
    assert set(texts(made)) == {question["turns"][0] for question in questions}
    assert Counter(made.table["task"]) == Counter(question["category"] for question in questions)
    assert made.table["sources"].to_list() == [["mt_bench_questions"]] * 80
