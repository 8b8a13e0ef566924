"""Raw replies into COMPLETIONS rows: text apart from reasoning and tool calls, tokens, cost."""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from schemas.completions import COMPLETIONS

_THINK = re.compile(r"\A\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"\A((?:(?!<think>).)*?)</think>\s*", re.DOTALL)
"""Where the chat template has opened the block already."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_TOKENS = 1 << 40
_BLOCK = 4096


class Malformed(ValueError):
    """A body that is not a chat completion, and why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said, taken out of the server's body."""

    text: str
    reasoning: str | None
    tool_calls: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    logprobs: str | None


def parse_body(raw: bytes) -> Any:
    """A body's JSON value, as liberal as servers are (lone surrogates, NaN, bytes that are no UTF-8); or ValueError."""
    try:
        return orjson.loads(raw)
    except ValueError:
        try:
            return json.loads(raw.decode(errors="replace"), parse_constant=lambda _: None)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error


def read_body(reply: Any) -> Said:
    """What the first choice of a chat completion says; Malformed where the JSON value is not one."""
    if not isinstance(reply, dict):
        raise Malformed("the body is not an object")
    choices = reply.get("choices")
    if not choices or not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise Malformed(f"the body has no choices{_server_error(reply)}")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Malformed("the first choice has no message")
    if choice.get("finish_reason") == "error":
        raise Malformed(f"the server broke off{_server_error(choice)}")
    text, reasoning = _parts(message)
    calls, logprobs = message.get("tool_calls") or None, choice.get("logprobs") or None
    if (prompted := reply.get("prompt_logprobs")) and isinstance(logprobs, dict | None):  # vLLM tells them beside
        logprobs = {**(logprobs or {}), "prompt": prompted}
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    finish = choice.get("finish_reason")
    return Said(
        text=_clean(text), reasoning=reasoning and _clean(reasoning), tool_calls=calls and _json(calls),
        finish_reason=finish if finish is None else _clean(str(finish)),
        prompt_tokens=_whole(usage.get("prompt_tokens")),
        completion_tokens=_whole(usage.get("completion_tokens")), logprobs=logprobs and _json(logprobs),
    )


def _parts(message: dict[str, Any]) -> tuple[str, str | None]:
    """Text and reasoning; servers give reasoning as a field of its own, as a part, or as a leading <think> block."""
    content = message.get("content")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        thought = "".join(_text_of(part.get("thinking")) for part in parts if part.get("type") == "thinking")
        reasoning = reasoning or thought
        content = "".join(_text_of(part.get("text")) for part in parts if part.get("type") in ("text", "output_text"))
    text = _text_of(content) or _text_of(message.get("refusal"))
    if not reasoning and "think>" in text and (found := _THINK.match(text) or _THOUGHT.match(text)):
        return text[found.end():], found[1].strip() or None
    return text, reasoning if isinstance(reasoning, str) and reasoning else None


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_text_of(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _server_error(reply: dict[str, Any]) -> str:
    error = reply.get("error")
    return f": {error.get('message', error) if isinstance(error, dict) else error}" if error else ""


def _whole(value: Any) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return value if good else None


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates and integers beyond 64 bits
        return json.dumps(value, separators=(",", ":"))


def _clean(text: str) -> str:
    """The text with lone surrogates, which no table can hold, replaced."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def answered(said: Said, why_not: str | None, cost: float | None) -> tuple[Any, ...]:
    """A COMPLETIONS row from its status on, for a reply that came."""
    return ("ok" if why_not is None else "invalid", said.text, said.reasoning, said.tool_calls, said.finish_reason,
            said.prompt_tokens, said.completion_tokens, said.logprobs, cost, why_not)


def unanswered(error: str | None) -> tuple[Any, ...]:
    """A COMPLETIONS row from its status on, where no reply came."""
    return ("error", *[None] * 8, error or "unknown: the store does not say")


class Snapshot:
    """COMPLETIONS rows as they come, kept as Arrow so that a million of them stay small."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._blocks: list[pl.DataFrame] = []
        self._types = [column.type for column in COMPLETIONS.columns]

    def add(self, row: tuple[Any, ...]) -> None:
        """One row, its values in the order of the table's columns."""
        self._rows.append(row)
        if len(self._rows) >= _BLOCK:
            self._pack()

    def table(self) -> pl.DataFrame:
        """All rows, sorted by key; where two prompts share a request, the row names the first of them."""
        self._pack()
        key = list(COMPLETIONS.key)
        blocks, self._blocks = self._blocks, []
        frame = pl.concat([pl.DataFrame(pl.from_arrow(COMPLETIONS.rows([]))), *blocks])
        blocks.clear()
        frame = frame.sort([*key, "prompt_id"])
        if frame.select(key).is_duplicated().any():
            frame = frame.unique(key, keep="first", maintain_order=True)
        return frame

    def _pack(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(values, type=kind) for values, kind in zip(columns, self._types, strict=True)]
            batch = pa.RecordBatch.from_arrays(arrays, schema=COMPLETIONS.schema)
            self._blocks.append(pl.DataFrame(pl.from_arrow(batch)))
            self._rows = []
