"""Spans and log records of OpenTelemetry as JSON: OTLP batches, single spans, rows of a table; attributes laid flat."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.said import listing, mapping

_DEPTH = 32
_MANY = 100_000  # attributes of a span; more are no span's


def spans_of(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The spans of an OTLP batch, or the one span that the fields are."""
    if "resourceSpans" in fields:
        yield from _scoped(fields, "resourceSpans", "scopeSpans", "spans")
    elif "attributes" in fields and fields.keys() & {"context", "span_id", "spanId", "trace_id", "traceId"}:
        yield fields
    elif any(name.startswith("attributes.") for name in fields):
        yield {**fields, "attributes": {name.removeprefix("attributes."): value for name, value in fields.items()
                                        if name.startswith("attributes.")}}


def logs_of(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The log records of an OTLP batch."""
    yield from _scoped(fields, "resourceLogs", "scopeLogs", "logRecords")


def attributes_of(thing: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a span, an event or a log record, by their full names: nested ones are joined with dots."""
    held = thing.get("attributes")
    if isinstance(held, list):
        held = {str(pair.get("key")): value_of(pair.get("value")) for pair in held if isinstance(pair, Mapping)}
    flat: dict[str, Any] = {}
    waiting: list[tuple[str, Any, int]] = [(str(name), value, 0) for name, value in mapping(held).items()]
    while waiting and len(flat) < _MANY:
        name, value, depth = waiting.pop()
        inner = (value.items() if isinstance(value, Mapping) else
                 enumerate(value) if isinstance(value, list) and any(isinstance(one, Mapping) for one in value) else ())
        if inner and depth < _DEPTH:
            waiting += [(f"{name}.{field}", one, depth + 1) for field, one in inner]
        else:
            flat[name] = value
    return flat


def value_of(value: Any, depth: int = _DEPTH) -> Any:
    """A value of OTLP's JSON (`{"stringValue": ...}`), as JSON; any other as it is."""
    if not isinstance(value, Mapping) or len(value) != 1 or not depth:
        return value
    (kind, held), = value.items()
    if kind == "intValue":
        return int(held) if isinstance(held, str) and held.lstrip("-").isdecimal() and len(held) < 20 else held
    if kind == "arrayValue":
        return [value_of(one, depth - 1) for one in listing(mapping(held).get("values"))]
    if kind == "kvlistValue":
        return {str(pair.get("key")): value_of(pair.get("value"), depth - 1)
                for pair in listing(mapping(held).get("values")) if isinstance(pair, Mapping)}
    return held if kind in ("stringValue", "doubleValue", "boolValue", "bytesValue") else value


def _scoped(fields: Mapping[str, Any], *names: str) -> Iterator[Mapping[str, Any]]:
    """The things three lists deep."""
    outer, middle, inner = names
    for resource in listing(fields.get(outer)):
        for scope in listing(mapping(resource).get(middle)):
            yield from (thing for thing in listing(mapping(scope).get(inner)) if isinstance(thing, Mapping))
