"""Questions to a model about a log, and its replies, which meet again by key: request and sample."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from feedback.jury.parse import Unparsable
from generators.ask import Ask
from generators.engines import Engine

PROMPTS = Path(__file__).with_name("prompts")
CUT = " […] "
"""Stands where a text was shortened."""
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_TAG = re.compile(r"<(?=\s*/?\s*(?:before|answer|turn|after|conversation|question|label)\b)", re.IGNORECASE)
_MADE_HARMLESS = re.compile(_TAG.pattern.replace("<", "&lt;", 1), re.IGNORECASE)
_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)
_FENCE = re.compile(r"\s*```(?:json)?[ \t\r]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_REPLY = ("request_id", "sample", "attempt", "status", "text")
SAMPLE = 0
"""A question is asked once; `sample` of every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something to ask about a log."""

    subject: str
    """The id of what it is about."""
    conv_id: str
    """The conversation it tells of: the request's prompt_id, so that one conversation's requests can be found."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a question came to: the reply that parses, or the reason why there is none."""

    question: Question
    request_id: str
    attempt: int = 0
    text: str = ""
    reason: str = ""
    """Empty: the reply parses. Else `no reply` (the request failed), `missing` (not asked), or why it does not."""

    @property
    def failure(self) -> str:
        """The reason in one of few words, for counting: no reply, missing, invalid; empty where the reply parses."""
        return self.reason if self.reason in ("", "no reply", "missing") else "invalid"


class Parse(Protocol):
    """None where the reply to an ask parses, else why not."""

    def __call__(self, text: str, ask: Ask) -> str | None:
        """Read the reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Questions to one engine at temperature 0 unless it sets its own; iterate it, for its Asks."""

    drawn: Callable[[], Iterator[Question]]
    engine: Engine
    schema: Mapping[str, Any]

    def __iter__(self) -> Iterator[Ask]:
        """Every request once: questions that say the same share theirs."""
        seen = set()
        for question in self.drawn():
            if (what := (question.conv_id, question.text)) not in seen:
                seen.add(what)
                yield self._ask(question)

    def __len__(self) -> int:
        """How many requests there are."""
        return sum(1 for _ in self)

    def of(self, engine: str) -> Iterator[Ask]:
        """The requests to one engine."""
        return iter(self) if engine == self.engine.name else iter(())

    def heard(self, completions: pl.DataFrame, parse: Parse) -> Iterator[Heard]:
        """Of each question the first attempt that parses, or why there is none."""
        attempts = _by_key(completions)
        for question in self.drawn():
            ask = self._ask(question)
            request = ask.request_id(self.engine)
            yield _heard(question, request, attempts.get((request, SAMPLE), []), partial(parse, ask=ask))

    def _ask(self, question: Question) -> Ask:
        params = {} if "temperature" in self.engine.params else {"temperature": 0.0}
        return Ask(engine=self.engine.name, messages=({"role": "user", "content": question.text},), params=params,
                   schema=self.schema, sample=SAMPLE, prompt_id=question.conv_id)


def filled(template: str, **texts: str) -> str:
    """The prompt text of that name with its {{slots}} filled; what is filled in is not read for slots."""
    return _SLOT.sub(lambda slot: texts[slot.group(1)], template_text(template))


@cache
def template_text(name: str) -> str:
    """The prompt text of that name."""
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8")


def shown(text: str | None, head: int, tail: int = 0) -> str:
    """A text as a model sees it: its first and last characters, with imitations of our tags made harmless."""
    said = text or ""
    if len(said) > head + tail + len(CUT):
        said = said[:head] + CUT + (said[-tail:] if tail else "")
    return _TAG.sub("&lt;", said)


def restored(text: str) -> str:
    """What was said, where a tag was made harmless or a model wrote one so."""
    return _MADE_HARMLESS.sub("<", text)


def between(tag: str, text: str) -> str | None:
    """What stands in the last tag of that name, as it was said; None where there is none."""
    found = re.findall(rf"<{tag}>\n(.*?)\n</{tag}>", text, re.DOTALL)
    return restored(found[-1]) if found else None


def json_object(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """The JSON object that a reply is, after a thinking block if it has one; it holds these keys and no other.

    Raises Unparsable for anything else: text around it, a key given twice, NaN.
    """
    bare = _THOUGHT.sub("", text, count=1) if text.lstrip().startswith("<think>") else text
    fenced = _FENCE.fullmatch(bare)
    try:
        reply = json.loads(fenced[1] if fenced else bare, object_pairs_hook=_once, parse_constant=_refused)
    except Unparsable:
        raise
    except (ValueError, RecursionError):
        raise Unparsable("not one JSON object" if bare.strip() else "empty") from None
    return fields(reply, keys, "not one JSON object")


def fields(value: object, keys: Sequence[str], otherwise: str) -> dict[str, Any]:
    """The value if it is an object of exactly these keys; else Unparsable."""
    if not isinstance(value, dict):
        raise Unparsable(otherwise)
    for key in keys:
        if key not in value:
            raise Unparsable(f"no '{key}'")
    if unknown := sorted(value.keys() - set(keys)):
        raise Unparsable(f"unknown key {ascii(unknown[0])[:30]}")
    return value


def one_of(value: object, values: Sequence[str], what: str) -> str:
    """The value if it is one of those offered; else Unparsable."""
    if not isinstance(value, str) or value not in values:
        raise Unparsable(f"unknown {what} {ascii(value)[:30]}")
    return value


def flag(value: object, what: str) -> bool:
    """The value if it is true or false; else Unparsable."""
    if not isinstance(value, bool):
        raise Unparsable(f"'{what}' is not true or false")
    return value


def _heard(question: Question, request: str, attempts: list[tuple[int, str, str]],
           parse: Callable[[str], str | None]) -> Heard:
    reason = "missing"
    for attempt, status, text in attempts:
        reason = "no reply" if status == "error" else parse(text) or ""
        if not reason:
            return Heard(question=question, request_id=request, attempt=attempt, text=text)
    return Heard(question=question, request_id=request, reason=reason)


def _by_key(completions: pl.DataFrame) -> dict[tuple[str, int], list[tuple[int, str, str]]]:
    """Attempt, status and text of the attempts of each ask, the first one first."""
    found: dict[tuple[str, int], list[tuple[int, str, str]]] = defaultdict(list)
    for request, sample, attempt, status, text in completions.sort("request_id", "sample", "attempt").select(
            _REPLY).iter_rows():
        found[request, sample].append((attempt, status, text or ""))
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unparsable("a key is given twice")
    return found


def _refused(constant: str) -> None:
    raise Unparsable(f"{constant} is not JSON")
