"""What the columns of a record say: texts, turns, numbers, and templates such as "{task}/{level}"."""

import json
import math
import re
from typing import Any

from generators.records import Broken, Record
from schemas.errors import ConfigError, InputError
from schemas.ids import canonical
from schemas.messages import Message, check_messages

HOLE = re.compile(r"\{([^{}]+)\}")
"""A column's name in a template."""


def words(record: Record, column: str, remedy: str = "write a text") -> str:
    """A column's text. Raises Broken where there is none."""
    value = record.get(column)
    if not isinstance(value, str):
        told = f"column '{column}' holds {json.dumps(plain(value))[:60]}, which is no text; {remedy}"
        raise Broken(record.place, f"column {column} is no text", told)
    return value


def turns(record: Record, column: str) -> list[Message]:
    """A column's messages, or JSON text of them, since CSV holds no lists. Raises Broken where there are none."""
    value = record.get(column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(record, column, value)
    try:
        return check_messages(value, f"{record.place}, column '{column}'")
    except InputError as error:
        raise Broken(record.place, "wrong messages", str(error).removeprefix(f"{record.place}, ")) from error


def scalar(record: Record, column: str | None) -> str | None:
    """A column's text or number as text; None where it is null or blank. Raises Broken for other values."""
    value = None if column is None else plain(record.get(column))
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        told = f"column '{column}' holds {json.dumps(value)[:60]}; write a text or a number"
        raise Broken(record.place, f"column {column} is no text", told)
    return str(value)


def fill(record: Record, said: str | None) -> str | None:
    """What is said, with each {column} replaced by its value; None where every value is blank.

    A bare column name is most likely a slip, so it is an error that says how to write it.
    """
    if said is None:
        return None
    if said in record.fields:
        raise ConfigError(f"{record.place}: {said!r} is also a column; write '{{{said}}}' to take its values")
    return template(record, said)


def template(record: Record, said: str) -> str | None:
    """The words with each {column} replaced by its value; None where there are columns and every value is blank."""
    values = {name: scalar(record, name) for name in HOLE.findall(said)}
    if values and not any(values.values()):
        return None
    return HOLE.sub(lambda hole: values[hole.group(1)] or "", said)


def plain(value: Any) -> Any:
    """The value as JSON has it: dates and other kinds of numbers as text; NaN, infinities and bytes as null."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def json_text(record: Record, column: str | None) -> str | None:
    """A column's JSON, canonical; None where it is empty. Raises Broken where it holds text that is no JSON."""
    value = None if column is None else record.get(column)
    if isinstance(value, str) and value.strip():
        value = _json(record, column or "", value)
    return canonical(plain(value)).decode() if value else None


def _json(record: Record, column: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        told = f"column '{column}' is no JSON ({error}); mend it"
        raise Broken(record.place, f"column {column} is no JSON", told) from error
