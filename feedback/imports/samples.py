"""Completions that exist, such as a harness's samples of a model: prompts and answers, and no vote on them yet."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from feedback.imports.evidence import Evidence, Row, gather
from generators.columns import fill, turns, words
from generators.made import Made
from generators.read import About, OnError
from generators.records import Broken, Record
from schemas import RESPONSES
from schemas.funnel import count
from schemas.ids import text_digest
from schemas.messages import Message
from schemas.responses import response_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSamples:
    """Prompts and answers of one source, with no model call; see `samples`."""

    path: str
    prompt: str | None
    messages: str | None
    answers: str
    model: str | None
    about: About
    limit: int | None
    on_error: OnError

    def prompts(self) -> Made:
        """The prompts that were answered."""
        return self._evidence().prompts_made()

    def responses(self) -> Made:
        """The answers, with origin `import`: every one counts, those that say the same too.

        Counts records, dropped as those of the prompts are, and answers.
        """
        found = self._evidence()
        seen: dict[tuple[str, str, str], int] = defaultdict(int)
        rows = [_response(row, answer, seen) for row in found.rows for answer in row.answers]
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows))).sort("response_id")
        return Made(table, [
            *count("responses", "records", found.total, out=len(found.rows), dropped=+Counter(found.dropped)),
            *count("responses", "answers", len(rows), out=table.height)])

    def _evidence(self) -> Evidence:
        return gather(self.path, self._row, self.on_error, self.limit)

    def _row(self, record: Record) -> Row:
        messages, column = self._asked(record)
        model = fill(record, self.model) or "unknown"
        used = (column, self.answers, *(name for name in record.fields if self.model == f"{{{name}}}"))
        prompt = self.about.prompt(record, messages, used)
        return Row(prompt, record.place, [{"model": model, "text": text} for text in self._texts(record)], [])

    def _asked(self, record: Record) -> tuple[list[Message], str]:
        if self.messages:
            return turns(record, self.messages), self.messages
        column = self.prompt or "prompt"
        return [{"role": "user", "content": words(record, column)}], column

    def _texts(self, record: Record) -> Sequence[str]:
        found = record.get(self.answers)
        if isinstance(found, str):
            return [found]
        if isinstance(found, list) and all(isinstance(text, str) for text in found):
            return found
        told = f"column '{self.answers}' holds neither a text nor a list of texts; write the answers there"
        raise Broken(record.place, f"column {self.answers} is no text", told)


def samples(path: str | Path, *, prompt: str = "prompt", messages: str | None = None, answers: str = "completion",
            model: str | None = None, reference: str | None = None, task: str | None = None,
            licence: str | None = None, language: str | None = None, group: str | None = None,
            source: str | None = None, limit: int | None = None, on_error: OnError = "stop") -> ImportSamples:
    """Import answers that exist, one record an answer or one record a prompt.

    `answers` names the column of an answer's text, or of a list of texts; `model` says who wrote them, a name or
    "{column}". Records of one prompt must agree in their other columns, which become the prompt's `meta`. Two equal
    answers are two: where answers vote, each has its vote.
    """
    about = About(reference=reference, task=task, licence=licence, language=language, group=group, source=source)
    return ImportSamples(path=str(path), prompt=prompt, messages=messages, answers=answers, model=model, about=about,
                         limit=limit, on_error=on_error)


def _response(row: Row, answer: dict[str, str], seen: dict[tuple[str, str, str], int]) -> dict[str, Any]:
    """A responses row; copies of one text are numbered, so that the order of records changes no id."""
    prompt, model, digest = row.prompt["prompt_id"], answer["model"], text_digest(answer["text"])
    number = seen[prompt, model, digest]
    seen[prompt, model, digest] += 1
    return {
        "response_id": response_id(prompt, "import", f"{model}/{digest}", number), "prompt_id": prompt,
        "origin": "import", "role": "candidate", "model": model, "strategy": "import", "round": 0, "parents": [],
        "criteria": [], "critiques": [], "sample": number, "text": answer["text"], "text_digest": digest,
    }
