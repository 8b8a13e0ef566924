"""Tables: rules are checked on every write, offenders go aside, and a file says what it holds."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from schemas import PROMPTS, RESPONSES, TABLES
from schemas.errors import SchemaError
from schemas.table import Column, Rule, Table, footer

FRUIT = Table(
    name="fruit",
    version=3,
    meaning="a fruit on a shelf",
    columns=(
        Column("shelf", pa.string(), "where it lies"),
        Column("place", pa.int32(), "0-based place on the shelf"),
        Column("kind", pa.string(), "what it is", values=("apple", "pear")),
        Column("grams", pa.float64(), "what it weighs", null="not weighed"),
    ),
    key=("shelf", "place"),
    rules=(Rule("grams are positive", lambda table: pc.fill_null(pc.greater(table["grams"], 0.0), True)),),
)


def row(**fields: Any) -> dict[str, Any]:
    return {"shelf": "top", "place": 0, "kind": "apple", "grams": 100.0, **fields}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [row(), row(place=1, grams=None), row(shelf="low", kind="pear")]
    FRUIT.write(FRUIT.rows(rows), tmp_path / "deep" / "fruit.parquet")
    assert FRUIT.read(tmp_path / "deep" / "fruit.parquet").to_pylist() == rows


def test_the_footer_names_the_table_and_its_version(tmp_path: Path) -> None:
    FRUIT.write(FRUIT.rows([row()]), tmp_path / "fruit.parquet")
    assert footer(tmp_path / "fruit.parquet") == ("fruit", 3)
    assert pq.read_metadata(tmp_path / "fruit.parquet").metadata[b"winnow.table"] == b"fruit"


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    newer = Table(name="fruit", version=4, meaning=FRUIT.meaning, columns=FRUIT.columns, key=FRUIT.key)
    newer.write(newer.rows([row()]), tmp_path / "fruit.parquet")
    with pytest.raises(SchemaError, match="holds fruit version 4, not fruit version 3"):
        FRUIT.read(tmp_path / "fruit.parquet")


def test_a_file_that_another_tool_wrote_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"shelf": ["top"]}), tmp_path / "fruit.parquet")
    assert footer(tmp_path / "fruit.parquet") == ("unknown", 0)
    with pytest.raises(SchemaError, match="holds unknown version 0"):
        FRUIT.read(tmp_path / "fruit.parquet")


@pytest.mark.parametrize(("bad", "rule"), [
    ({"kind": None}, "kind is filled"),
    ({"kind": "plum"}, "kind is one of apple, pear"),
    ({"grams": -1.0}, "grams are positive"),
    ({"place": 0}, "shelf, place is unique"),
])
def test_each_rule_names_itself_and_the_rows_that_break_it(bad: dict[str, Any], rule: str, tmp_path: Path) -> None:
    rows = FRUIT.rows([row(), row(**{"place": 1, **bad}), row(place=2)])
    with pytest.raises(SchemaError) as raised:
        FRUIT.write(rows, tmp_path / "fruit.parquet")
    place = bad.get("place", 1)
    assert f"fruit: 1 row(s) break the rule '{rule}', for example top/{place}" in str(raised.value)


def test_only_the_offending_rows_go_to_quarantine_and_nothing_is_written(tmp_path: Path) -> None:
    rows = FRUIT.rows([row(place=place, grams=float(place - 4)) for place in range(10)])
    told = r"5 row\(s\) break the rule 'grams are positive', for example top/0, top/1, top/2\n"
    with pytest.raises(SchemaError, match=told):
        FRUIT.write(rows, tmp_path / "fruit.parquet")
    aside = pq.read_table(tmp_path / "fruit.quarantine.parquet")
    assert aside["place"].to_pylist() == [0, 1, 2, 3, 4]
    assert [path.name for path in tmp_path.iterdir()] == ["fruit.quarantine.parquet"]


def test_a_refused_write_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    FRUIT.write(FRUIT.rows([row()]), tmp_path / "fruit.parquet")
    before = (tmp_path / "fruit.parquet").read_bytes()
    with pytest.raises(SchemaError, match="aside"):
        FRUIT.write(FRUIT.rows([row(kind="plum")]), tmp_path / "fruit.parquet", tmp_path / "aside.parquet")
    assert (tmp_path / "fruit.parquet").read_bytes() == before
    assert (tmp_path / "aside.parquet").exists()


def test_a_rule_that_cannot_say_counts_as_broken() -> None:
    strict = Table(name="strict", version=1, meaning="x", columns=FRUIT.columns, key=FRUIT.key,
                   rules=(Rule("weighs over 50", lambda table: pc.greater(table["grams"], 50.0)),))
    violations, broken = strict.check(strict.rows([row(), row(place=1, grams=None)]))
    assert [(found.rule, found.count) for found in violations] == [("weighs over 50", 1)]
    assert broken.to_pylist() == [False, True]


def test_a_row_that_breaks_two_rules_is_reported_by_both() -> None:
    violations, broken = FRUIT.check(FRUIT.rows([row(kind="plum", grams=-1.0)]))
    assert {found.rule for found in violations} == {"kind is one of apple, pear", "grams are positive"}
    assert broken.to_pylist() == [True]


def test_the_first_of_two_rows_with_one_key_is_not_an_offender() -> None:
    _, broken = FRUIT.check(FRUIT.rows([row(grams=1.0), row(grams=2.0), row(place=1), row(grams=3.0)]))
    assert broken.to_pylist() == [False, True, False, True]


def test_an_unknown_field_is_an_error_and_a_missing_one_is_null() -> None:
    with pytest.raises(SchemaError, match="fruit: no column is called colour"):
        FRUIT.rows([row(colour="red")])
    assert FRUIT.rows([{"shelf": "top"}]).to_pylist() == [{"shelf": "top", "place": None, "kind": None, "grams": None}]


def test_conform_orders_casts_and_fills_only_what_may_be_null() -> None:
    given = pa.table({"kind": ["pear"], "extra": [1], "place": pa.array([2], pa.int64()), "shelf": ["top"]})
    assert FRUIT.conform(given).equals(FRUIT.rows([row(place=2, kind="pear", grams=None)]), check_metadata=True)
    with pytest.raises(SchemaError, match=r"column 'kind' is missing \(what it is\)"):
        FRUIT.conform(given.drop_columns("kind"))


def test_equal_rows_make_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        FRUIT.write(FRUIT.rows([row(), row(place=1)]), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_an_empty_table_of_each_kind_is_written_with_its_types(table: Table, tmp_path: Path) -> None:
    table.write(table.rows([]), tmp_path / "empty.parquet")
    assert table.read(tmp_path / "empty.parquet").schema.equals(table.schema)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_each_key_is_made_of_columns_that_are_never_null(table: Table) -> None:
    columns = {column.name: column for column in table.columns}
    assert len(columns) == len(table.columns)
    assert all(not columns[name].null for name in table.key)
    assert all(column.meaning for column in table.columns)


def test_a_prompt_without_messages_is_refused() -> None:
    empty = {"prompt_id": "p", "messages": [], "sources": ["s"], "licences": ["unknown"], "group": "g"}
    violations, _ = PROMPTS.check(PROMPTS.rows([empty]))
    assert [found.rule for found in violations] == ["messages are not empty"]


def test_a_response_must_say_where_it_came_from() -> None:
    violations, _ = RESPONSES.check(RESPONSES.rows([{"response_id": "r", "origin": "nowhere"}]))
    rules = {found.rule for found in violations}
    assert "origin is one of engine, log, human, import" in rules
    assert "text is filled" in rules
    assert "engine is filled" not in rules
