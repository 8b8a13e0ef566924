"""Questions to models about test cases, and their replies, which meet again by key: request and sample."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from generators.ask import Ask
from generators.engines import Engine, engine_named
from schemas.errors import ConfigError
from schemas.ids import digest
from schemas.messages import Message

PROMPTS = Path(__file__).with_name("prompts")

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_REPLY = ("request_id", "sample", "attempt", "status", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something to ask of every engine."""

    subject: str
    """The id of what it is about."""
    prompt_id: str
    messages: Sequence[Message]
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one sample of one engine came to: a reply that parses, or the reason why there is none."""

    question: Question
    engine: Engine
    request_id: str
    sample: int
    attempt: int = 0
    text: str = ""
    reason: str = ""
    """Empty: the reply parses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Questions that are made when they are drawn, whom they are asked, and how often; iterate it for its Asks."""

    drawn: Callable[[], Iterator[Question]]
    engines: tuple[str, ...]
    n: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, engines: Mapping[str, Engine], step: str) -> "Questions":
        """The requests to send, which are these questions' own, once their engines are known to exist."""
        for name in self.engines:
            engine_named(engines, name, step)
        return self

    def __iter__(self) -> Iterator[Ask]:
        """Every request once: questions in their order, engine by engine, sample by sample."""
        return self._asks(self.engines)

    def of(self, engine: str) -> Iterator[Ask]:
        """The requests to one engine."""
        return self._asks([name for name in self.engines if name == engine])

    def answers(self, engines: Mapping[str, Engine], completions: pl.DataFrame,
                parse: Callable[[str], str | None]) -> Iterator[Answer]:
        """Of each question, engine and sample the first attempt that parses, or why there is none."""
        replies = _by_key(completions)
        for question in self.drawn():
            for name in self.engines:
                request = self._ask(question, name, 0).request_id(engines[name])
                for sample in range(self.n):
                    yield _answer(question, engines[name], request, sample, replies.get((request, sample), []), parse)

    def _asks(self, names: Sequence[str]) -> Iterator[Ask]:
        seen = set()
        for question in self.drawn():
            what = digest(list(question.messages), question.schema)
            if what not in seen:
                seen.add(what)
                yield from (self._ask(question, name, sample) for name in names for sample in range(self.n))

    def _ask(self, question: Question, engine: str, sample: int) -> Ask:
        return Ask(engine=engine, messages=question.messages, params=self.params, schema=question.schema,
                   sample=sample, prompt_id=question.prompt_id)


def filled(template: str, **texts: str) -> str:
    """The prompt text of that name with its {{slots}} filled; what is filled in is not read for slots."""
    return _SLOT.sub(lambda slot: texts[slot.group(1)], _template(template))


def user(text: str) -> list[Message]:
    """The text as one user turn."""
    return [{"role": "user", "content": text}]


def said(messages: Sequence[Message]) -> str:
    """A prompt's turns as one text: the only user turn's own words, or every turn after its role."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in messages)


def some_engines(step: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple; ConfigError where there is none, or a text was given."""
    if isinstance(names, str):
        raise ConfigError(f"{step}: engines is the text {names!r}; write a list, [{names!r}]")
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"{step}: name at least one engine, each once")
    return tuple(names)


def _answer(question: Question, engine: Engine, request: str, sample: int, attempts: list[tuple[int, str, str]],
            parse: Callable[[str], str | None]) -> Answer:
    reason = "missing"
    for attempt, status, text in attempts:
        reason = "no reply" if status == "error" else parse(text) or ""
        if not reason:
            return Answer(question=question, engine=engine, request_id=request, sample=sample, attempt=attempt,
                          text=text)
    return Answer(question=question, engine=engine, request_id=request, sample=sample, reason=reason)


def _by_key(completions: pl.DataFrame) -> dict[tuple[str, int], list[tuple[int, str, str]]]:
    """Attempt, status and text of the attempts of each ask, the first one first."""
    found: dict[tuple[str, int], list[tuple[int, str, str]]] = defaultdict(list)
    for request, sample, attempt, status, text in completions.sort("request_id", "sample", "attempt").select(
            _REPLY).iter_rows():
        found[request, sample].append((attempt, status, text or ""))
    return found


@cache
def _template(name: str) -> str:
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8")
