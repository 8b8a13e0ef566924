"""Spans in the convention of OpenInference, as Phoenix exports them, and the annotations of spans.

A span's attributes are flat (`llm.input_messages.0.message.role`) or nested, as an object of `attributes`, as columns
`attributes.…` of a table, or as the key-value lists of OTLP. Spans of kind LLM are read; others repeat what these hold.
Where no messages were captured, `input.value` and `output.value` are. The conversation is `session.id`, else the trace.
Annotations - in a span or as rows of their own - name the span and who gave them: HUMAN, LLM or CODE. Those of a whole
trace or session point at no answer; a trace's are given to its last one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.otlp import attributes_of, spans_of
from feedback.chatlogs.parts import Conversation, Format, Signal
from feedback.chatlogs.said import answered, asked, exchange, first, listing, mapping, number, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_ACTORS = {"HUMAN": "human", "LLM": "llm", "CODE": "code"}
_MARKS = ("openinference.span.kind", "llm.input_messages.", "llm.output_messages.", "llm.model_name")
Flat = Mapping[str, Any]


def _fits(fields: Mapping[str, Any]) -> bool:
    if fields.get("annotator_kind") in _ACTORS:
        return True
    spans = list(spans_of(fields))
    names = {name for span in spans[:16] for name in attributes_of(span)}
    return any(name.startswith(_MARKS) for name in names) and not any(name.startswith("gen_ai.") for name in names)


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    if fields.get("annotator_kind") in _ACTORS:
        yield _annotated(fields, None)
        return
    spans = list(spans_of(fields))
    if not spans:
        raise Broken(record.place, "no span", "is no span and no annotation; export spans with their attributes")
    for span in spans:
        yield from _span(span)


def _span(span: Mapping[str, Any]) -> Iterator[Conversation]:
    attributes = attributes_of(span)
    kind = first(attributes.get("openinference.span.kind"), span.get("span_kind"))
    if kind is not None and kind.upper() not in ("LLM", "SPAN_KIND_LLM"):
        return
    context = mapping(span.get("context"))
    trace_id = first(context.get("trace_id"), span.get("traceId"), span.get("trace_id"), span.get("context.trace_id"))
    span_id = first(context.get("span_id"), span.get("spanId"), span.get("span_id"), span.get("context.span_id"))
    key = first(attributes.get("session.id"), trace_id)
    if key is None:
        return
    dropped: Counter[str] = Counter()
    history = _messages(attributes, "llm.input_messages") or asked(attributes.get("input.value"))
    answers = _messages(attributes, "llm.output_messages") or answered(attributes.get("output.value"))
    if not answers:
        dropped["no output was captured"] += 1
    names = tuple((f"{kind} {name}", "answer") for kind, name in (("span", span_id), ("trace", trace_id)) if name)
    start = moment(first(span.get("start_time"), span.get("startTimeUnixNano")))
    end = moment(first(span.get("end_time"), span.get("endTimeUnixNano")))
    yield Conversation(key=key, user=word(attributes.get("user.id")), dropped=dropped, turns=exchange(
        history, answers, dropped, model=word(attributes.get("llm.model_name")), asked_at=start,
        answered_at=end or start, names=names))
    for annotation in (*listing(span.get("annotations")), *listing(span.get("span_annotations"))):
        if isinstance(annotation, Mapping):
            yield _annotated(annotation, span_id)


def _messages(attributes: Flat, name: str) -> list[Any]:
    """The messages that lie flat under `name`, in the order of their numbers."""
    return [_message(held) for held in _numbered(attributes, f"{name}.")]


def _message(flat: Flat) -> dict[str, Any]:
    own = {name.removeprefix("message."): value for name, value in flat.items()}
    parts = [_part(part) for part in _numbered(own, "contents.")]
    calls = [{name.removeprefix("tool_call."): value for name, value in call.items()}
             for call in _numbered(own, "tool_calls.")]
    if "function_call_name" in own:
        calls.append({"function.name": own["function_call_name"],
                      "function.arguments": own.get("function_call_arguments_json")})
    return {"role": own.get("role"), "content": parts or own.get("content"), **({"tool_calls": calls} if calls else {})}


def _part(flat: Flat) -> dict[str, Any]:
    return {name.removeprefix("message_content."): value for name, value in flat.items()}


def _numbered(flat: Flat, prefix: str) -> list[dict[str, Any]]:
    """The objects of a list whose fields are named `<prefix><number>.<field>`."""
    found: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for name, value in flat.items():
        if name.startswith(prefix):
            place, _, field = name[len(prefix):].partition(".")
            if place.isdecimal() and len(place) < 8:
                found[int(place)][field] = value
    return [found[place] for place in sorted(found)]


def _annotated(row: Mapping[str, Any], span: str | None) -> Conversation:
    """An annotation, aimed at what it names."""
    span = first(row.get("span_id"), span)
    trace = word(row.get("trace_id"))
    signal = _signal(row)
    reason = "no value" if signal is None else "" if span or trace else "about a session, not an answer"
    return Conversation(key=f"span {span}" if span else f"trace {trace}",
                        signals=() if reason or signal is None else (signal,),
                        dropped_signals=Counter({reason: 1} if reason else {}))


def _signal(row: Mapping[str, Any]) -> Signal | None:
    result = {**row, **mapping(row.get("result"))}
    name, label, score = word(row.get("name")), word(result.get("label")), number(result.get("score"))
    remark = word(result.get("explanation"))
    if label is None and score is None and remark is None:
        return None
    kind = "score" if score is not None else "flag" if label is not None else "comment"
    by = _ACTORS.get(str(row.get("annotator_kind")), "code")
    return Signal(
        kind=kind, target="answer", value=score, text=remark, labels=tuple(one for one in (name, label) if one),
        actor=first(row.get("user_id")) or f"{by} {name}", actor_kind=by, created_at=moment(row.get("created_at")),
        what=f"annotation {first(row.get('id'), row.get('identifier'), name) or ''}")


FORMAT = Format(name="openinference", fits=_fits, read=_read)
