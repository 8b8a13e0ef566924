"""Exports of Langfuse: observations of type GENERATION hold what was said, scores what was thought of it.

Rows of `observations_v2/` and `observations/`, `scores/` and `traces/`, in snake case as the blob storage export writes
them and in camel case as the API does; a trace or session downloaded from the UI holds all of them. Input and output
may be JSON in a text, a list of messages, an object around one, or a bare text. The conversation is the session, else
the trace. A score of an observation, or of a trace (then of its last answer), finds the answer in whatever file it
stands. EVAL scores come from a model; ANNOTATION ones from a person; those of the API from a person where their name
says so (user, feedback, thumb, rating, like, csat), else from a program. Only booleans of people are thumbs.
Legacy `observations/` do not name the session: there each trace is a conversation.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal
from feedback.chatlogs.said import answered, asked, exchange, first, listing, mapping, number, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_SOURCES = ("API", "EVAL", "ANNOTATION")
_BY_PEOPLE = ("user", "feedback", "thumb", "rating", "like", "csat")
_TYPES = ("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")


def _fits(fields: Mapping[str, Any]) -> bool:
    if _is_score(fields) or (_of(fields, "trace_id") is not None and fields.get("type") in _TYPES):
        return True
    observations, traces = fields.get("observations"), fields.get("traces")
    if isinstance(observations, list):
        return "scores" in fields or any(_of(mapping(one), "trace_id") is not None for one in observations[:16])
    if isinstance(traces, list):
        return any({"id", "timestamp"} <= mapping(trace).keys() for trace in traces[:16])
    return {"bookmarked", "release", "input", "output"} <= fields.keys()


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    if _is_score(fields):
        yield _scored(fields)
    elif fields.get("type") in _TYPES:
        yield from _generation(fields, {})
    elif isinstance(fields.get("traces"), list):
        for trace in fields["traces"]:
            yield from _trace({"session_id": fields.get("id"), **mapping(trace)})
    elif "observations" in fields or "bookmarked" in fields:
        yield from _trace({**fields, **mapping(fields.get("trace"))})
    else:
        raise Broken(record.place, "no observation, score or trace",
                     "is no row of a Langfuse export; export observations, scores or traces as JSON Lines")


def _trace(trace: Mapping[str, Any]) -> Iterator[Conversation]:
    """A trace: its generations and scores where it holds them, else its own input and output."""
    observations = [row for row in listing(trace.get("observations")) if isinstance(row, Mapping)]
    generations = [row for row in observations if row.get("type") == "GENERATION"]
    for row in sorted(generations, key=lambda row: str(_of(row, "start_time"))):
        yield from _generation(row, trace)
    if not observations:
        name = word(trace.get("id"))
        yield from _generation({**trace, "type": "GENERATION", "id": None, "trace_id": name,
                                "start_time": trace.get("timestamp")}, {})
    for score in listing(trace.get("scores")):
        if isinstance(score, Mapping):
            yield _scored(score)


def _generation(row: Mapping[str, Any], trace: Mapping[str, Any]) -> Iterator[Conversation]:
    """What was said in a call of a model."""
    if row.get("type") != "GENERATION":
        return
    trace_id = first(_of(row, "trace_id"), trace.get("id"))
    key = first(_of(row, "session_id"), _of(trace, "session_id"), trace_id)
    if key is None:
        return
    dropped: Counter[str] = Counter()
    answers = answered(row.get("output"))
    if not answers:
        dropped["the request failed" if row.get("level") == "ERROR" else "no output was captured"] += 1
    names = tuple((f"{kind} {name}", "answer") for kind, name in (("observation", word(row.get("id"))),
                                                                  ("trace", trace_id)) if name is not None)
    read = exchange(asked(row.get("input")), answers, dropped, names=names,
                    model=first(_of(row, "provided_model_name"), row.get("model")),
                    asked_at=moment(_of(row, "start_time")),
                    answered_at=moment(_of(row, "end_time")) or moment(_of(row, "start_time")))
    yield Conversation(key=key, user=first(_of(row, "user_id"), _of(trace, "user_id")), turns=read, dropped=dropped)


def _scored(score: Mapping[str, Any]) -> Conversation:
    """A score, aimed at what it names."""
    observation, trace = word(_of(score, "observation_id")), word(_of(score, "trace_id"))
    key = f"observation {observation}" if observation else f"trace {trace}"
    reason = "" if observation or trace else "about a session or a run of a data set, not an answer"
    signal = _signal(score)
    if signal is None:
        reason = reason or "no value"
    return Conversation(key=key, signals=() if reason or signal is None else (signal,),
                        dropped_signals=Counter({reason: 1} if reason else {}))


def _signal(score: Mapping[str, Any]) -> Signal | None:
    """A score as a signal; its name is a label."""
    name, source, kind = word(score.get("name")) or "", score.get("source"), _of(score, "data_type")
    value, said = number(score.get("value")), word(_of(score, "string_value"))
    author = first(_of(score, "author_user_id"))
    human = source == "ANNOTATION" or (source == "API" and any(part in name.lower() for part in _BY_PEOPLE))
    told: dict[str, Any] = {
        "target": "answer", "labels": (name,) if name else (), "text": word(score.get("comment")),
        "created_at": moment(score.get("timestamp")), "what": f"score {first(score.get('id'), name) or ''}",
        "actor": author or (None if human and source == "API" else f"{source} {name}"),
        "actor_kind": "human" if human else "llm" if source == "EVAL" else "code",
    }
    if kind == "TEXT":
        return None if said is None else Signal(kind="comment", **{**told, "text": said})
    if kind == "CATEGORICAL":
        return None if said is None else Signal(kind="flag", **{**told, "labels": (*told["labels"], said)})
    if value is None:
        return None
    if kind == "BOOLEAN":
        if human:
            return Signal(kind="thumb", value=1.0 if value else -1.0, scale_min=-1.0, scale_max=1.0, **told)
        return Signal(kind="score", value=value, scale_min=0.0, scale_max=1.0, **told)
    return Signal(kind="score", value=value, **told)


def _is_score(fields: Mapping[str, Any]) -> bool:
    return fields.get("source") in _SOURCES and "value" in fields and "name" in fields


def _of(row: Mapping[str, Any], name: str) -> Any:
    """A column, as the blob storage export (trace_id) or as the API (traceId) writes it."""
    if name in row:
        return row[name]
    head, *tail = name.split("_")
    return row.get(head + "".join(part.capitalize() for part in tail))


FORMAT = Format(name="langfuse", fits=_fits, read=_read)
