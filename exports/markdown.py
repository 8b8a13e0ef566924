"""Markdown and YAML that no text can break out of: escaped cells, fences longer than any fence inside."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SPECIAL = re.compile(r"([\\`*{}\[\]<>#|~$!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""What Markdown acts on; not an underscore inside a word."""
_CELL_CHARACTERS = 200
_LEADING = ("what", "step", "unit", "table", "source", "standing", "low_share", "high_share", "aspect", "judge",
            "engine", "model", "measure", "of", "difference", "value", "low", "high", "in", "out", "dropped", "failed")
"""Columns that say what a row is about, then its figure: a reader looks for these first."""


def inline(value: Any) -> str:
    """A value on one line, as readers will see it; null is said as unknown."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(inline, value))
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    short = line if len(line) <= _CELL_CHARACTERS else f"{line[:_CELL_CHARACTERS]} …"
    return _SPECIAL.sub(r"\\\1", short.replace("&", "&amp;"))


def paragraphs(text: str) -> str:
    """A plain text as paragraphs, each on a line of its own, with nothing in it that Markdown would act on."""
    parts = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_unlisted(" ".join(inline(line) for line in part.splitlines())) for part in parts)


def _unlisted(line: str) -> str:
    """The line, not the start of a list, a heading rule or an indented block."""
    return re.sub(r"^\s*([-+=]|\d+[.)])", lambda start: f"\\{start[1]}" if not start[1][0].isdigit()
                  else f"{start[1][:-1]}\\{start[1][-1]}", line)


def fence(text: str) -> str:
    """The text as a block of code, whatever it holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}text\n{text}\n{mark}"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table whose columns are the rows' keys, in the order of the fullest row; null is unknown."""
    if not rows:
        return ""
    names = list(dict.fromkeys(key for row in sorted(rows, key=len, reverse=True) for key in row))
    lines = [[inline(name.replace("_", " ")) for name in names], ["---"] * len(names)]
    lines += [[inline(row[name]) if name in row else "" for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measured(value: Any) -> str:
    """Figures of which a null was not measured: its cell is empty, and a column of nulls is left out."""
    return figures(_without_null(value))


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(row) for row in value] if _nested(value) else value


def figures(value: Any) -> str:
    """Rows, or a nested mapping from what is measured to its number, as a table; nothing where there is nothing.

    A mapping from titles to lists of rows gives one table a title.
    """
    if isinstance(value, Mapping) and value and all(isinstance(part, (list, tuple)) for part in value.values()):
        parts = {title: part for title, part in value.items() if _nested(part)}
        return "\n\n".join(f"**{inline(title)}**\n\n{table(_led(part))}" for title, part in parts.items())
    rows = list(value) if isinstance(value, (list, tuple)) else _rows(value or {}, ())
    return table(_led(rows))


def _led(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the leading columns first; what comes out of a JSON file is in the alphabet's order."""
    names = {key for row in rows for key in row}
    lead = [name for name in _LEADING if name in names]
    order = [*lead, *(key for row in rows for key in row if key not in lead)]
    return [{name: row[name] for name in dict.fromkeys(order) if name in row} for row in rows]


def _rows(value: Mapping[str, Any], path: tuple[str, ...]) -> list[dict[str, Any]]:
    """One row a mapping of numbers, or one a number at the top; lists of rows keep their own columns."""
    rows: list[dict[str, Any]] = []
    numbers = {key: item for key, item in value.items() if not _nested(item)}
    if numbers and path:
        rows.append({"what": " / ".join(path), **numbers})
    elif numbers:
        rows += [{"what": key, "value": item} for key, item in numbers.items()]
    for key, item in value.items():
        if isinstance(item, Mapping):
            rows += _rows(item, (*path, key))
        elif _nested(item):
            rows += [{"what": " / ".join((*path, key)), **row} for row in item]
    return rows


def _nested(item: Any) -> bool:
    return isinstance(item, Mapping) or (
        isinstance(item, (list, tuple)) and bool(item) and all(isinstance(row, Mapping) for row in item))


def quoted(text: str) -> str:
    """A YAML string; everything that is not plainly printable is escaped."""
    safe = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return f'"{"".join(safe)}"'
