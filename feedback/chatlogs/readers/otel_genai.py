"""Spans and events in OpenTelemetry's conventions for generative AI, as OTLP in JSON.

Since 1.37 the messages are JSON in `gen_ai.input.messages` and `gen_ai.output.messages`, of a span or of an event
`gen_ai.client.inference.operation.details`: a role and parts, whose text stands in `content`. Until 1.36 each message
was an event of its own (`gen_ai.user.message`, `gen_ai.choice`), on the span or as a log record that names the span.
Capturing the content is opt-in: calls without it are counted as dropped. The conversation is
`gen_ai.conversation.id`, else the trace. An evaluation (`gen_ai.evaluation.result`) is a score of a program, which the
conventions do not name further.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback.chatlogs.otlp import attributes_of, logs_of, spans_of, value_of
from feedback.chatlogs.parts import Conversation, Format, Signal
from feedback.chatlogs.said import exchange, first, listing, mapping, number, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_CALLS = ("chat", "text_completion", "generate_content")
_EVALUATION = "gen_ai.evaluation"
_USERS = ("enduser.id", "enduser.pseudo.id", "user.id")
Event = tuple[str, Mapping[str, Any], Mapping[str, Any]]  # its name, its attributes, the event


def _fits(fields: Mapping[str, Any]) -> bool:
    logs = list(logs_of(fields))[:16]
    if any(_name(log, attributes_of(log)).startswith("gen_ai.") for log in logs):
        return True
    things = [*list(spans_of(fields))[:16], *logs]
    return any(name.startswith("gen_ai.") for thing in things for name in attributes_of(thing))


def _read(record: Record) -> Iterator[Conversation]:
    spans = list(spans_of(record.fields))
    logs = list(logs_of(record.fields))
    if not spans and not logs:
        raise Broken(record.place, "no span", "holds no spans and no log records; write OTLP as JSON, a batch a line")
    told: defaultdict[tuple[Any, Any], list[Event]] = defaultdict(list)
    for log in logs:
        attributes = attributes_of(log)
        told[word(log.get("traceId")), word(log.get("spanId"))].append((_name(log, attributes), attributes, log))
    for span in spans:
        own = [(_name(event, attributes), attributes, event) for event in listing(span.get("events"))
               if isinstance(event, Mapping) for attributes in [attributes_of(event)]]
        ids = _ids(span)
        yield from _call(span, attributes_of(span), ids, [*own, *told.pop(ids, [])])
    for ids, events in told.items():
        details = next((held for name, held, _ in events if name.endswith("operation.details")), {})
        yield from _call(events[0][2], details, ids, events)


def _call(thing: Mapping[str, Any], attributes: Mapping[str, Any], ids: tuple[str | None, str | None],
          events: Sequence[Event]) -> Iterator[Conversation]:
    """What was said in a call of a model, and the evaluations of its answer."""
    trace_id, span_id = ids
    history, answers = _captured(attributes)
    if not history and not answers:
        history, answers = _by_events(events)
    operation = attributes.get("gen_ai.operation.name")
    answer = first(attributes.get("gen_ai.response.id"))
    key = first(attributes.get("gen_ai.conversation.id"), trace_id)
    dropped: Counter[str] = Counter()
    if not answers and (operation in _CALLS or history):
        dropped["no content was captured"] += 1
    if key is not None and (history or answers or dropped):
        start = moment(first(thing.get("startTimeUnixNano"), thing.get("start_time"), thing.get("timeUnixNano")))
        end = moment(first(thing.get("endTimeUnixNano"), thing.get("end_time")))
        names = tuple((f"{kind} {name}", "answer") for kind, name in (("span", span_id), ("response", answer)) if name)
        yield Conversation(
            key=key, user=first(*(attributes.get(name) for name in _USERS)), dropped=dropped, turns=exchange(
                history, answers, dropped, asked_at=start, answered_at=end or start, names=names,
                model=first(attributes.get("gen_ai.response.model"), attributes.get("gen_ai.request.model"))))
    for name, held, event in events:
        if name.startswith(_EVALUATION):
            yield _evaluation(held, event, span_id)


def _captured(attributes: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """The messages that attributes hold, as JSON or laid flat."""
    system = _list(attributes, "gen_ai.system_instructions")
    history = _list(attributes, "gen_ai.input.messages")
    if system:
        history = [{"role": "system", "parts": system}, *history]
    answers = _list(attributes, "gen_ai.output.messages")
    return history, [{**mapping(message), "role": "assistant"} for message in answers]


def _list(attributes: Mapping[str, Any], name: str) -> list[Any]:
    """The list that an attribute holds; one laid flat is put together again."""
    if name in attributes:
        return listing(attributes[name])
    root: dict[str, Any] = {}
    for path, value in attributes.items():
        if path.startswith(f"{name}."):
            at = root
            *steps, last = path[len(name) + 1:].split(".")
            for step in steps:
                inner = at.setdefault(step, {})
                at = inner if isinstance(inner, dict) else {}
            at[last] = value
    return _in_order(root)


def _in_order(held: Mapping[str, Any]) -> list[Any]:
    """The values of numbered fields, in their order, and so the parts in them."""
    numbered = sorted(((int(name), value) for name, value in held.items() if name.isdecimal() and len(name) < 8),
                      key=lambda item: item[0])
    return [{name: _in_order(inner) if name == "parts" and isinstance(inner, Mapping) else inner
             for name, inner in value.items()} if isinstance(value, Mapping) else value for _, value in numbered]


def _by_events(events: Sequence[Event]) -> tuple[list[Any], list[Any]]:
    """The messages of a call that were told one by one."""
    history: list[Any] = []
    answers: list[Any] = []
    for name, attributes, event in events:
        body = {**attributes, **mapping(value_of(event.get("body")))}
        kind, _, rest = name.removeprefix("gen_ai.").partition(".")
        if name == "gen_ai.choice":
            message = mapping(body.get("message")) or body
            answers.append({**message, "role": "assistant", "finish_reason": body.get("finish_reason")})
        elif rest == "message":
            history.append({"role": kind, **body})
        elif name.endswith("operation.details"):
            asked, given = _captured(attributes)
            history += asked
            answers += given
    return history, answers


def _evaluation(attributes: Mapping[str, Any], event: Mapping[str, Any], span: str | None) -> Conversation:
    """An evaluation, aimed at the span it stands on, else at the response it names."""
    name, label = word(attributes.get("gen_ai.evaluation.name")), word(attributes.get("gen_ai.evaluation.score.label"))
    score = number(attributes.get("gen_ai.evaluation.score.value"))
    answer = word(attributes.get("gen_ai.response.id"))
    reason = "no value" if score is None and label is None else "" if span or answer else "about no answer"
    signal = Signal(
        kind="flag" if score is None else "score", target="answer", value=score,
        labels=tuple(one for one in (name, label) if one), text=word(attributes.get("gen_ai.evaluation.explanation")),
        actor=f"evaluation {name}", actor_kind="code", created_at=moment(event.get("timeUnixNano")),
        what=f"evaluation {name}")
    return Conversation(key=f"span {span}" if span else f"response {answer}", signals=() if reason else (signal,),
                        dropped_signals=Counter({reason: 1} if reason else {}))


def _name(event: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """What an event or a log record is called."""
    return first(event.get("eventName"), event.get("name"), attributes.get("event.name")) or ""


def _ids(span: Mapping[str, Any]) -> tuple[str | None, str | None]:
    context = mapping(span.get("context"))
    return (first(span.get("traceId"), context.get("trace_id"), span.get("trace_id")),
            first(span.get("spanId"), context.get("span_id"), span.get("span_id")))


FORMAT = Format(name="otel_genai", fits=_fits, read=_read)
