"""Existing preference sets (chosen and rejected), to be judged again or mixed with others: HH-RLHF, TRL's shapes."""

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from feedback.imports.evidence import Evidence, Row, Unfit, answer, gather, vote
from generators.columns import fill, plain, turns
from generators.made import Made
from generators.read import About, OnError
from generators.records import Broken, Record
from schemas.ids import digest
from schemas.messages import Message

_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_OPENING = "\n\nHuman:"
_ROLES = {"Human": "user", "Assistant": "assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPreferences:
    """Prompts, answers and one vote for each record of a preference set, with no model call."""

    path: str
    prompt: str | None
    """The column of the prompt: text, or turns; None: what both sides begin with."""
    chosen: str
    rejected: str
    margin: str | None
    """The column of how strong the preference is."""
    chosen_model: str | None
    """Who wrote the chosen side, a name or "{column}"; None: unknown."""
    rejected_model: str | None
    judge: str | None
    """Who says so; default: import:<source>."""
    aspect: str
    about: About
    limit: int | None
    on_error: OnError

    def prompts(self) -> Made:
        """The prompts of the pairs."""
        return self._evidence().prompts_made()

    def responses(self) -> Made:
        """Both sides of each pair, with origin `import`."""
        return self._evidence().responses_made(2)

    def judgments(self) -> Made:
        """One win a record, shown in the order of the ids, since no set says what was shown first."""
        return self._evidence().judgments_made(1)

    def _evidence(self) -> Evidence:
        return gather(self.path, self._row, self.on_error, self.limit)

    def _row(self, record: Record) -> Row:
        messages, chosen, rejected = self._sides(record)
        prompt = self.about.prompt(record, messages, record.fields.keys())
        key = prompt["prompt_id"]
        answers = [answer(key, fill(record, self.chosen_model) or "unknown", chosen),
                   answer(key, fill(record, self.rejected_model) or "unknown", rejected)]
        order = [row["response_id"] for row in answers]
        judge = self.judge or f"import:{self.about.source or record.source}"
        cast = vote((digest(plain(record.fields)), judge), key, judge, self.aspect, sorted(order), subject="pair",
                    order_policy="random", outcome="win", order=order, strength=self._strength(record))
        return Row(prompt, record.place, answers, [cast])

    def _sides(self, record: Record) -> tuple[list[Message], str, str]:
        """The prompt, and the one assistant turn that each side adds to it; Unfit where that is not what there is."""
        said = _explicit(record, self.prompt) if self.prompt else None
        chosen, rejected = (_turns(record, column, said) for column in (self.chosen, self.rejected))
        if chosen == rejected:
            raise Unfit("identical sides")
        if said is None:
            said = _shared(chosen, rejected)
            chosen, rejected = chosen[len(said):], rejected[len(said):]
        if [turn["role"] for side in (chosen, rejected) for turn in side] != ["assistant"] * 2 or len(chosen) != 1:
            raise Unfit("sides differ in more than one assistant turn")
        return said, chosen[0]["content"], rejected[0]["content"]

    def _strength(self, record: Record) -> float | None:
        value = None if self.margin is None else plain(record.get(self.margin))
        try:
            return None if value is None or value == "" else float(value)
        except (TypeError, ValueError) as error:
            told = f"column '{self.margin}' holds {value!r}, which is no number; write a number or leave it empty"
            raise Broken(record.place, f"column {self.margin} is no number", told) from error


def preference_set(path: str | Path, *, prompt: str | None = None, chosen: str = "chosen", rejected: str = "rejected",
                   margin: str | None = None, chosen_model: str | None = None, rejected_model: str | None = None,
                   judge: str | None = None, aspect: str = "overall", reference: str | None = None,
                   task: str | None = None, licence: str | None = None, language: str | None = None,
                   group: str | None = None, source: str | None = None, limit: int | None = None,
                   on_error: OnError = "stop") -> ImportPreferences:
    """Import a set of chosen and rejected answers, with the prompt named or begun by both sides.

    Sides are texts, turns, or transcripts of "Human:" and "Assistant:" paragraphs. A record whose sides are the same,
    share no beginning, or differ in more than their last answer is dropped and counted: which words are the prompt is
    never guessed.
    """
    about = About(reference=reference, task=task, licence=licence, language=language, group=group, source=source)
    return ImportPreferences(path=str(path), prompt=prompt, chosen=chosen, rejected=rejected, margin=margin,
                             chosen_model=chosen_model, rejected_model=rejected_model, judge=judge, aspect=aspect,
                             about=about, limit=limit, on_error=on_error)


def transcript(text: str) -> list[Message] | None:
    """The turns of an HH-RLHF transcript; None where the text is none."""
    before, *rest = _SPEAKER.split(text)
    if before.strip() or not rest:
        return None
    said = zip(rest[::2], rest[1::2], strict=True)
    return [{"role": _ROLES[speaker], "content": words.strip()} for speaker, words in said]


def _explicit(record: Record, column: str) -> list[Message]:
    value = record.get(column)
    if not isinstance(value, str):
        return turns(record, column)
    found = transcript(value) if value.startswith(_OPENING) else None
    if found is None:
        return [{"role": "user", "content": value}]
    return found[:-1] if found[-1] == {"role": "assistant", "content": ""} else found


def _turns(record: Record, column: str, prompt: list[Message] | None) -> list[Message]:
    """A side's turns; without the prompt's, where that is known and the side repeats it."""
    value = record.get(column)
    if prompt is None:
        return _conversation(record, column, value)
    if isinstance(value, str) and not value.startswith(_OPENING):
        return [{"role": "assistant", "content": value}]
    side = _conversation(record, column, value)
    return side[len(prompt):] if side[:len(prompt)] == prompt else side


def _conversation(record: Record, column: str, value: object) -> list[Message]:
    if not isinstance(value, str):
        return turns(record, column)
    found = transcript(value)
    if found is None:
        raise Unfit("no transcript, and no prompt is named")
    return found


def _shared(chosen: list[Message], rejected: list[Message]) -> list[Message]:
    """The turns both sides begin with."""
    same: list[tuple[Any, Any]] = list(takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False)))
    if not same:
        raise Unfit("sides share no prompt")
    return chosen[:len(same)]
