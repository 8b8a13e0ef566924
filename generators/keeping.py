"""What is in a reply store and what it cost; export; asking failures again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from generators.engines import Engine
from generators.shelf import Stored
from generators.store import ReplyStore
from schemas.errors import ConfigError

_SUMMARY = {
    "engine": pl.String, "model": pl.String, "revision": pl.String, "requests": pl.Int64, "replies": pl.Int64,
    "ok": pl.Int64, "error": pl.Int64, "truncated": pl.Int64, "forgotten": pl.Int64, "unmetered": pl.Int64,
    "prompt_tokens": pl.Int64, "completion_tokens": pl.Int64, "bytes": pl.Int64, "first": pl.Float64,
    "last": pl.Float64,
}
_EXPORT = pa.schema([
    ("request_id", pa.string()), ("sample", pa.int32()), ("attempt", pa.int32()), ("prompt_ids", pa.list_(pa.string())),
    ("engine", pa.string()), ("model", pa.string()), ("revision", pa.string()), ("endpoint", pa.string()),
    ("seed", pa.int64()), ("status", pa.string()), ("http_status", pa.int32()), ("error", pa.string()),
    ("at", pa.float64()), ("latency_ms", pa.float64()), ("request", pa.string()), ("body", pa.string()),
])
_BATCH = 1000


@dataclass(slots=True)
class _Tally:
    requests: set[str] = field(default_factory=set)
    replies: int = 0
    ok: int = 0
    error: int = 0
    truncated: int = 0
    forgotten: int = 0
    unmetered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    bytes: int = 0
    first: float | None = None
    last: float | None = None

    def take(self, stored: Stored) -> None:
        record, usage = stored.record, _usage(stored.record)
        self.requests.add(record["request_id"])
        self.bytes += len(stored.line) + 1
        self.first = min(self.first or record["at"], record["at"])
        self.last = max(self.last or record["at"], record["at"])
        if usage:
            self.prompt_tokens += usage[0]
            self.completion_tokens += usage[1]
        elif record["status"] == "ok":
            self.unmetered += 1
        if stored.forgotten:
            self.forgotten += 1
        else:
            self.replies += 1
            self.ok += record["status"] == "ok"
            self.error += record["status"] != "ok"
            self.truncated += is_truncated(record)


def summary(store: ReplyStore) -> pl.DataFrame:
    """What is in the store: one row for each engine, model and revision, sorted.

    Columns: requests, replies with their ok, error and truncated (finish reason length) ones; forgotten replies;
    unmetered ones, whose server counted no tokens; prompt_tokens, completion_tokens and bytes, those of forgotten
    replies included, for they were paid for; first and last, in Unix seconds.
    """
    store.refresh()
    tallies: dict[tuple[str, str, str | None], _Tally] = {}
    for stored in store.records():
        record = stored.record
        if record["kind"] == "reply":
            tallies.setdefault((record["engine"], record["model"], record["revision"]), _Tally()).take(stored)
    rows = []
    for (engine, model, revision), tally in tallies.items():
        counts = {f.name: getattr(tally, f.name) for f in fields(tally)} | {"requests": len(tally.requests)}
        rows.append({"engine": engine, "model": model, "revision": revision} | counts)
    return pl.DataFrame(rows, schema=_SUMMARY).sort("engine", "model", "revision")


def with_cost(counted: pl.DataFrame, engines: Mapping[str, Engine]) -> pl.DataFrame:
    """The summary with columns cost and currency; null where a price or the tokens of a reply are unknown."""
    costs: list[float | None] = []
    currencies: list[str | None] = []
    for row in counted.iter_rows(named=True):
        engine = engines.get(row["engine"])
        known = engine is not None and not row["unmetered"]
        costs.append(engine.cost(row["prompt_tokens"], row["completion_tokens"]) if engine and known else None)
        currencies.append(engine.currency if engine and costs[-1] is not None else None)
    return counted.with_columns(
        pl.Series("cost", costs, pl.Float64), pl.Series("currency", currencies, pl.String)
    )


def export(store: ReplyStore, path: Path) -> int:
    """Write one row a reply, with its request and prompts, to a .jsonl or .parquet file; the number of rows.

    Rows are sorted by request_id, sample, attempt. In Parquet, request and body are JSON text.
    """
    if path.suffix not in (".jsonl", ".parquet"):
        raise ConfigError(f"cannot export the reply store to {path}: the name must end in .jsonl or .parquet")
    beside = path.with_name(f".{path.name}.part")
    try:
        write = _write_jsonl if path.suffix == ".jsonl" else _write_parquet
        count = write(_rows(store), beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return count


def refresh_failed(store: ReplyStore, truncated: bool = False) -> int:
    """Forget the replies that are errors (and those cut off at the length limit), so that they are asked again."""
    store.refresh()
    failed = [
        stored for stored in store.records()
        if stored.record["kind"] == "reply" and not stored.forgotten
        and (stored.record["status"] == "error" or (truncated and is_truncated(stored.record)))
    ]
    for stored in failed:
        store.forget(stored)
    return len(failed)


def is_truncated(record: Mapping[str, Any]) -> bool:
    """Whether a reply record was cut off at the length limit."""
    match record["body"]:
        case {"choices": [{"finish_reason": "length"}, *_]}:
            return True
    return False


def _usage(record: Mapping[str, Any]) -> tuple[int, int] | None:
    match record["body"]:
        case {"usage": {"prompt_tokens": int(prompt), "completion_tokens": int(completion)}}:
            return prompt, completion
    return None


def _rows(store: ReplyStore) -> Iterator[dict[str, Any]]:
    store.refresh()
    prompts: dict[str, set[str]] = {}
    answered = set()
    for stored in store.records():
        if stored.record["kind"] == "link":
            prompts.setdefault(stored.record["request_id"], set()).add(stored.record["prompt_id"])
        elif stored.record["kind"] == "reply":
            answered.add(stored.record["request_id"])
    for request_id in sorted(answered):
        about = {"prompt_ids": sorted(prompts.get(request_id, ())), "request": store.request(request_id)}
        for reply in store.replies_of(request_id):
            yield asdict(reply) | about


def _write_jsonl(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(_json({name: row[name] for name in _EXPORT.names}) + b"\n")
            count += 1
    return count


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with pq.ParquetWriter(path, _EXPORT, compression="zstd") as writer:
        while batch := list(islice(rows, _BATCH)):
            for row in batch:
                row["request"], row["body"] = _json(row["request"]).decode(), _json(row["body"]).decode()
            writer.write_table(pa.Table.from_pylist(batch, schema=_EXPORT))
            count += len(batch)
    return count


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # lone surrogates and integers beyond 64 bits
        return json.dumps(value, separators=(",", ":")).encode()
