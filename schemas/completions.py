"""The completions table: the build's sorted snapshot of raw replies."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.table import Column, Rule, Table

STATUSES = ("ok", "invalid", "error")

COMPLETIONS = Table(
    name="completions",
    version=1,
    meaning="one raw reply of a model, or the final failure to get one",
    columns=(
        Column("request_id", pa.string(), "digest of engine, model, revision, messages, parameters, schema"),
        Column("sample", pa.int32(), "0-based number of the sample of this request"),
        Column("attempt", pa.int32(), "0, or more where an earlier reply did not parse and was asked again"),
        Column("prompt_id", pa.string(), "the prompt this request was made for"),
        Column("engine", pa.string(), "the engine's name in the engines file"),
        Column("model", pa.string(), "the model's name at the server"),
        Column("revision", pa.string(), "the model's revision or weights digest", null="the engines file gives none"),
        Column("status", pa.string(), "ok, invalid (came, but does not parse), error (never came)", values=STATUSES),
        Column("text", pa.string(), "what the model said, reasoning apart", null="status is error"),
        Column("reasoning", pa.string(), "the model's reasoning text", null="there is none"),
        Column("tool_calls", pa.string(), "tool calls as JSON", null="there are none"),
        Column("finish_reason", pa.string(), "why it stopped: stop, length, ...", null="the server does not say"),
        Column("prompt_tokens", pa.int64(), "tokens in, as the server counts", null="the server does not say"),
        Column("completion_tokens", pa.int64(), "tokens out, as the server counts", null="the server does not say"),
        Column("logprobs", pa.string(), "the server's logprobs object as JSON", null="not asked for"),
        Column("cost", pa.float64(), "price in the engines file's currency", null="price or tokens are unknown"),
        Column("error", pa.string(), "why there is no reply, or why it does not parse", null="status is ok"),
    ),
    key=("request_id", "sample", "attempt"),
    rules=(
        Rule("a reply has text or is an error", lambda t: pc.equal(
            pc.is_null(t["text"]), pc.equal(t["status"], "error"))),
        Rule("cost is not negative", lambda t: pc.fill_null(pc.greater_equal(t["cost"], 0.0), True)),
    ),
)
