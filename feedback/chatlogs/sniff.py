"""Which format a log has: seen from its first records, never from its name."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from feedback.chatlogs.parts import Format
from feedback.chatlogs.readers import (
    arena,
    chatgpt,
    hh_rlhf,
    hugging_chat,
    langfuse,
    librechat,
    lmsys,
    oasst,
    open_webui,
    openai_chat,
    openinference,
    otel_genai,
    prism,
    realhumaneval,
    sharegpt,
    wildchat,
)
from generators.records import Broken, File, Record
from schemas.errors import ConfigError, InputError

FORMATS: tuple[Format, ...] = (
    arena.FORMAT,
    chatgpt.FORMAT,
    hh_rlhf.FORMAT,
    hugging_chat.FORMAT,
    langfuse.FORMAT,
    librechat.FORMAT,
    lmsys.FORMAT,
    oasst.FORMAT,
    open_webui.FORMAT,
    openai_chat.FORMAT,
    openinference.FORMAT,
    otel_genai.FORMAT,
    prism.FORMAT,
    realhumaneval.FORMAT,
    sharegpt.FORMAT,
    wildchat.FORMAT,
)
LOOKED_AT = 16
"""How many records of a file are looked at until one fits a format."""
UNKNOWN = Format("unknown", fits=lambda fields: False, read=lambda record: iter(()))
"""Stands for the format of a file that has none: no record is whole, or an archive holds it beside the logs."""
WRAPPERS = ("data", "conversations", "chats", "items", "results")
"""Under which an object may hold the records themselves."""


def recognised(file: File, reader: str | Format | None = None) -> Iterator[tuple[Format, Record | Broken]]:
    """Each record of a file with the file's format; UNKNOWN where all are broken, or no log lies in an archive's file.

    An object that holds the records in a list, as answers of web services do, is opened. Raises InputError where no
    format fits one of the first records, or two fit alike.
    """
    format = named(reader) if isinstance(reader, str) else reader
    records = _opened(file.records, format)
    first: list[Record | Broken] = []
    while format is None and len(first) < LOOKED_AT and (item := next(records, None)) is not None:
        first.append(item)
        format = _fitting(file.name, item.fields) if isinstance(item, Record) else None
    usable = [item for item in first if isinstance(item, Record)]
    if format is None and usable and not file.in_archive:  # an export's archive holds other things beside its logs
        raise InputError(f"{usable[0].place}: no reader of chat logs knows it; they read {_names()}. Name the reader, "
                         "map its columns with columns(...), or leave the file out")
    for item in chain(first, records):
        yield format or UNKNOWN, item


def _fitting(name: str, fields: Mapping[str, Any]) -> Format | None:
    fitting = [format for format in FORMATS if format.fits(fields)]
    if len(fitting) > 1:
        raise InputError(f"{name}: could be {' or '.join(format.name for format in fitting)}; name the reader")
    return fitting[0] if fitting else None


def _opened(records: Iterator[Record | Broken], format: Format | None) -> Iterator[Record | Broken]:
    known = FORMATS if format is None else (format,)
    for record in records:
        inner = _inside(record.fields, known) if isinstance(record, Record) else None
        if inner is None or isinstance(record, Broken):
            yield record
            continue
        for number, fields in enumerate(inner, 1):
            place = f"{record.place}, element {number}"
            yield Record(fields, place, record.source) if isinstance(fields, dict) else Broken(
                place, "not an object", "is no object; delete it")


def _inside(fields: Mapping[str, Any], known: Sequence[Format]) -> list[Any] | None:
    """The records that an object holds, where it is none itself."""
    held = next((value for key in WRAPPERS if isinstance(value := fields.get(key), list)), None)
    if held is None or _known(fields, known):
        return None
    return held if any(_known(inner, known) for inner in held[:LOOKED_AT]) else None


def _known(fields: Any, known: Sequence[Format]) -> bool:
    return isinstance(fields, dict) and any(format.fits(fields) for format in known)


def named(name: str) -> Format:
    """The format of this name; raises ConfigError where there is none."""
    for format in FORMATS:
        if format.name == name:
            return format
    raise ConfigError(f"reader '{name}': there is none; use one of {_names()}")


def _names() -> str:
    return ", ".join(sorted(format.name for format in FORMATS))
