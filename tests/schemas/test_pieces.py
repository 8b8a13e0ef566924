"""Tables written and read in pieces: the same file, the same rules, the same rows."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from schemas import table as table_module
from schemas.errors import SchemaError
from schemas.table import Column, Table

TABLE = Table(name="fruits", version=1, meaning="a fruit", key=("name",), columns=(
    Column("name", pa.string(), "its name"), Column("kind", pa.string(), "its kind", values=("stone", "pome")),
    Column("seeds", pa.list_(pa.int32()), "their weights", null="not weighed")))


def rows(*names: str, kind: str = "pome") -> pa.Table:
    fields = {"name": list(names), "kind": [kind] * len(names), "seeds": [[len(name)] for name in names]}
    return pa.table(fields, schema=pa.schema([(column.name, column.type) for column in TABLE.columns]))


@pytest.mark.parametrize("sizes", [[10], [1, 2, 3, 4], [4, 4, 2], [0, 10, 0], [], [0]])
def test_rows_in_pieces_give_the_file_of_rows_at_once(sizes: list[int], tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_GROUP", 4)
    names = iter(f"fruit {number}" for number in range(sum(sizes)))
    pieces = [rows(*(next(names) for _ in range(size))) for size in sizes]
    whole = pa.concat_tables([rows(), *pieces]).combine_chunks()
    TABLE.write(whole, tmp_path / "whole.parquet")
    TABLE.write_pieces(pieces, tmp_path / "pieces.parquet")
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pieces.parquet", "whole.parquet"]


@pytest.mark.parametrize("pieces", [[rows("a"), rows("b", kind="nut")], [rows("a", "b"), rows("c", "a")]])
def test_a_rule_that_is_broken_in_a_piece_or_between_pieces_stops_the_writing(pieces: list[pa.Table],
                                                                             tmp_path: Path) -> None:
    told = []
    for write in (lambda: TABLE.write(pa.concat_tables(pieces), tmp_path / "t.parquet"),
                  lambda: TABLE.write_pieces(pieces, tmp_path / "t.parquet")):
        with pytest.raises(SchemaError) as caught:
            write()
        told.append((str(caught.value), pl.read_parquet(tmp_path / "t.quarantine.parquet").rows()))
        assert not (tmp_path / "t.parquet").exists()
    assert told[0] == told[1]
    assert [path.name for path in tmp_path.iterdir()] == ["t.quarantine.parquet"]


def test_pieces_are_read_in_their_order_and_of_no_other_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_PIECE", 3)
    TABLE.write(rows(*"abcdefgh"), tmp_path / "t.parquet")
    read = list(TABLE.read_pieces(tmp_path / "t.parquet", ["name"]))
    assert [piece["name"].to_pylist() for piece in read] == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]
    other = Table(name="fruits", version=2, meaning="", key=("name",), columns=TABLE.columns)
    with pytest.raises(SchemaError, match="holds fruits version 1, not fruits version 2"):
        list(other.read_pieces(tmp_path / "t.parquet"))


@pytest.mark.parametrize("columns", [None, ["name"]])
def test_a_table_without_rows_is_one_empty_piece(columns: list[str] | None, tmp_path: Path) -> None:
    TABLE.write(rows(), tmp_path / "t.parquet")
    (piece,) = TABLE.read_pieces(tmp_path / "t.parquet", columns)
    assert piece.num_rows == 0
    assert piece.column_names == (columns or ["name", "kind", "seeds"])
