"""Existing answers with existing votes or scores, such as annotators' verdicts on pairs (PandaLM, Chatbot Arena)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback.imports.evidence import Evidence, Row, Unfit, answer, gather, vote
from generators.columns import fill, plain, template, turns, words
from generators.made import Made
from generators.read import About, OnError
from generators.records import Broken, Record
from schemas.errors import ConfigError
from schemas.ids import digest
from schemas.messages import Message

VERDICTS = ("first", "second", "tie", "both_bad", "abstain")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportVotes:
    """Prompts, answers and votes of one source, with no model call."""

    path: str
    prompt: tuple[str, ...]
    """Columns of the prompt; several are joined by a blank line, empty ones left out."""
    answers: tuple[str, ...]
    models: tuple[str, ...]
    """One name or "{column}" for each answer; or one column that holds them all, see `separator`; empty: unknown."""
    separator: str | None
    judges: tuple[tuple[str, str], ...]
    """Judge and the column of its verdicts."""
    scores: tuple[tuple[str, tuple[str, ...]], ...]
    """Judge and the columns of its scores, one for each answer."""
    coding: tuple[tuple[str, str], ...]
    """A verdict as the source writes it, and what it means: one of VERDICTS."""
    aspect: str
    about: About
    literals: bool
    """Take numbers and booleans among the answers as Python writes them (True, 42), not as an error."""
    limit: int | None
    on_error: OnError

    def prompts(self) -> Made:
        """The prompts that were answered."""
        return self._evidence().prompts_made()

    def responses(self) -> Made:
        """The answers, with origin `import`."""
        return self._evidence().responses_made(len(self.answers))

    def judgments(self) -> Made:
        """The votes, on pairs by verdict, on responses by score; blank abstains, an unknown code is invalid."""
        return self._evidence().judgments_made(len(self.judges) + sum(len(columns) for _, columns in self.scores))

    def _evidence(self) -> Evidence:
        return gather(self.path, self._row, self.on_error, self.limit)

    def _row(self, record: Record) -> Row:
        # The record's other columns describe the votes, not the prompt, so none of them go into the prompt's meta.
        prompt = self.about.prompt(record, self._messages(record), record.fields.keys())
        key, models = prompt["prompt_id"], self._models(record)
        answers = [answer(key, model, self._text(record, column))
                   for model, column in zip(models, self.answers, strict=True)]
        shown = [row["response_id"] for row in answers]
        if len(set(shown)) < len(shown):
            raise Unfit("identical answers of one author")
        votes = [*self._verdicts(record, key, shown), *self._ratings(record, key, shown)]
        return Row(prompt, record.place, answers, votes)

    def _messages(self, record: Record) -> list[Message]:
        if len(self.prompt) == 1 and isinstance(record.get(self.prompt[0]), list):
            return turns(record, self.prompt[0])
        parts = [words(record, column) for column in self.prompt]
        return [{"role": "user", "content": "\n\n".join(part for part in parts if part.strip())}]

    def _text(self, record: Record, column: str) -> str:
        value = record.get(column)
        if self.literals and isinstance(value, bool | int | float):
            return str(value)
        return words(record, column, remedy="write a text, or say literals=True to take it as Python writes it")

    def _models(self, record: Record) -> list[str]:
        if not self.models:
            return ["unknown"] * len(self.answers)
        if len(self.models) == len(self.answers):
            return [fill(record, model) or "unknown" for model in self.models]
        value = record.get(self.models[0])
        names = value.split(self.separator) if isinstance(value, str) and self.separator else value
        if not isinstance(names, list) or len(names) != len(self.answers):
            told = f"column '{self.models[0]}' holds {plain(value)!r}, which does not name {len(self.answers)} models"
            raise Broken(record.place, "models not named", f"{told}; check models= and separator=")
        return [str(name) for name in names]

    def _verdicts(self, record: Record, key: str, shown: list[str]) -> list[dict[str, Any]]:
        coding, row = dict(self.coding), digest(plain(record.fields))
        votes = []
        for name, column in self.judges:
            judge, code = _judge(record, name), _code(record.get(column))
            verdict = "abstain" if code is None else coding.get(code, "invalid")
            reason = {"abstain": "blank" if code is None else f"code {code}", "invalid": f"unknown code {code}"}
            order = {"first": shown, "second": shown[::-1]}.get(verdict, [])
            votes.append(vote((row, judge, column), key, judge, self.aspect, shown, subject="pair", order=order,
                              order_policy="fixed", outcome="win" if order else verdict, reason=reason.get(verdict)))
        return votes

    def _ratings(self, record: Record, key: str, shown: list[str]) -> list[dict[str, Any]]:
        row, votes = digest(plain(record.fields)), []
        for name, columns in self.scores:
            judge = _judge(record, name)
            for response, column in zip(shown, columns, strict=True):
                votes.append(vote((row, judge, column), key, judge, self.aspect, [response], subject="response",
                                  **_rating(record.get(column))))
        return votes


def votes(path: str | Path, *, prompt: str | Sequence[str], answers: Sequence[str],
          models: str | Sequence[str] | None = None, separator: str | None = None,
          judges: Mapping[str, str] | None = None, scores: Mapping[str, Sequence[str]] | None = None,
          coding: Mapping[Any, str] | None = None, aspect: str = "overall", reference: str | None = None,
          task: str | None = None, licence: str | None = None, language: str | None = None, group: str | None = None,
          source: str | None = None, literals: bool = False, limit: int | None = None,
          on_error: OnError = "stop") -> ImportVotes:
    """Import answers and the votes on them; `judges` maps a judge (human:1, or "human:{column}") to its column.

    Verdicts are read by `coding`, by default 1 = first, 2 = second, 0 = tie. `scores` maps a judge to one column of
    numbers for each answer, higher being better. Raises ConfigError where these do not fit together.
    """
    meant = (coding or {1: "first", 2: "second", 0: "tie"}).items()
    asked = ImportVotes(
        path=str(path), prompt=_names(prompt), answers=_names(answers), models=_names(models), separator=separator,
        judges=tuple((judges or {}).items()), aspect=aspect, literals=literals, limit=limit, on_error=on_error,
        scores=tuple((judge, _names(columns)) for judge, columns in (scores or {}).items()),
        coding=tuple((_code(code) or "", verdict) for code, verdict in meant),
        about=About(reference=reference, task=task, licence=licence, language=language, group=group, source=source))
    _check(asked)
    return asked


def _check(asked: ImportVotes) -> None:
    count = len(asked.answers)
    if not asked.judges and not asked.scores:
        raise ConfigError(f"votes({asked.path!r}): nobody votes; name judges= or scores=")
    if asked.judges and count != 2:
        raise ConfigError(f"votes({asked.path!r}): a verdict is about two answers, not {count}; use scores= for more")
    if wrong := {verdict for _, verdict in asked.coding} - set(VERDICTS):
        raise ConfigError(f"votes({asked.path!r}): coding to {', '.join(sorted(wrong))}; use {', '.join(VERDICTS)}")
    if any(len(columns) != count for _, columns in asked.scores):
        raise ConfigError(f"votes({asked.path!r}): name one score column for each of the {count} answers")
    if len(asked.models) not in (0, 1, count):
        raise ConfigError(f"votes({asked.path!r}): name a model for each of the {count} answers, or one column of all")


def _names(said: str | Sequence[str] | None) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said or ())


def _judge(record: Record, name: str) -> str:
    judge = template(record, name)
    if not judge:
        raise Broken(record.place, "no judge", f"the columns of the judge '{name}' are blank; fill them")
    return judge


def _code(value: Any) -> str | None:
    """A verdict as text: 1, 1.0 and "1" are one code; None where it is blank."""
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None or not str(value).strip() else str(value).strip()


def _rating(value: Any) -> dict[str, Any]:
    code = _code(value)
    if code is None:
        return {"outcome": "abstain", "reason": "blank"}
    try:
        score = float(code)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        return {"outcome": "invalid", "reason": f"not a number: {code}"}
    return {"outcome": "scored", "scores": [score]}
