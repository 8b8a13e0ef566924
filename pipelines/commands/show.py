"""winnow show: builds, a build's report, a table's rows, or the answer to a DuckDB query."""

import json
from typing import Any, ClassVar

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.markup import escape
from rich.table import Table

from assets.home import Build, Home
from assets.show import cut, last_text
from pipelines.commands.places import newest, scan, tables_of
from schemas.errors import ConfigError


class _Folded(TableElement):
    """A table whose words are broken, not cut, where the terminal is narrow."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table."""
        for shown in super().__rich_console__(console, options):
            if isinstance(shown, Table):
                for column in shown.columns:
                    column.overflow = "fold"
            yield shown


class _Card(Markdown):
    """A dataset card on a terminal."""

    elements: ClassVar = {**Markdown.elements, "table_open": _Folded}


def run(dataset: str | None, table: str | None, name: str | None, limit: int, sql: str | None,
        console: Console) -> None:
    """Show what was asked for."""
    if dataset is None:
        _builds(console)
        return
    build = newest(dataset, name)
    if sql is not None:
        _print_answer(_query(build, sql).head(limit), console)
    elif table is not None:
        _print(scan(build, table).head(limit).collect(), console)
    else:
        _report(build, console)


def _builds(console: Console) -> None:
    home = Home.find()
    shown = Table("dataset", "build", "kept", "dropped", "state", box=SIMPLE_HEAD)
    for build in home.builds():
        complete = (build.folder / "manifest.json").exists()
        shown.add_row(build.dataset, build.name, _rows(build, "kept"), _rows(build, "dropped"),
                      "complete" if complete else "not finished")
    console.print(shown if shown.row_count else "no builds yet; `winnow build arithmetic` makes one")
    console.print(f"in {home.root / 'builds'}", highlight=False, soft_wrap=True, markup=False)


def _rows(build: Build, table: str) -> str:
    return f"{scan(build, table).select(pl.len()).collect().item():,}" if build.file(table).exists() else ""


def _query(build: Build, sql: str) -> pl.DataFrame:
    import duckdb

    with duckdb.connect() as connection:
        for table in tables_of(build):
            file = str(build.file(table)).replace("'", "''")
            connection.execute(f"create view {table} as from read_parquet('{file}')")
        try:
            return pl.DataFrame(pl.from_arrow(connection.sql(sql).to_arrow_table()))
        except duckdb.Error as error:
            raise ConfigError(f"{error}\nThe tables are {', '.join(tables_of(build))}.") from None


def _report(build: Build, console: Console) -> None:
    readme = build.folder / "README.md"
    if not readme.exists():
        console.print(f"{build.dataset}/{build.name} is not finished; its tables: {', '.join(tables_of(build))}")
        return
    console.print(_Card(readme.read_text(encoding="utf-8").split("---\n", 2)[-1]))


def _print_answer(rows: pl.DataFrame, console: Console) -> None:
    """The answer to a query, as a table."""
    shown = Table(*map(escape, rows.columns), box=SIMPLE_HEAD)
    for row in rows.iter_rows():
        shown.add_row(*(escape(cut(_text(value))) for value in row))
    console.print(shown)


def _print(rows: pl.DataFrame, console: Console) -> None:
    """One row a record, one line a field: chat text does not fit into columns."""
    for number, row in enumerate(rows.iter_rows(named=True)):
        grid = Table.grid(padding=(0, 2))
        for field, value in row.items():
            grid.add_row(f"[dim]{field}[/]", escape(cut(_text(value), 300)))
        console.print(f"[bold]row {number}[/]", grid)
    console.print(f"{rows.height} row(s)")


def _text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict) and "content" in value[0]:
        return last_text(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
