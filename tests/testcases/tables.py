"""Small planted tables of test-case feedback, and a stand-in for the sandbox that counts what it runs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from feedback.testcases.given import case_rows, input_rows
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.sandbox.job import Job, Ran
from schemas import COMPLETIONS, EXECUTIONS, PROGRAMS, PROMPTS, RESPONSES
from schemas.funnel import Count
from schemas.ids import text_digest
from schemas.programs import program_id
from schemas.table import Table
from schemas.test_inputs import input_id

ENVIRONMENT = "stand-in"


def frame(table: Table, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def prompts(*names: str, **fields: Any) -> pl.DataFrame:
    said = fields.pop("said", "Solve {}.")
    return frame(PROMPTS, [{
        "prompt_id": name, "messages": [{"role": "user", "content": said.format(name)}], "sources": ["test"],
        "licences": ["CC0-1.0"], "group": name, **fields} for name in names])


def responses(texts: Mapping[str, str], **fields: Any) -> pl.DataFrame:
    """By "prompt/name", the text."""
    return frame(RESPONSES, [{
        "response_id": name, "prompt_id": name.split("/")[0], "origin": "engine", "role": "candidate", "model": "m",
        "strategy": "sample", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": number,
        "text": text, "text_digest": text_digest(text), **fields} for number, (name, text) in enumerate(texts.items())])


def programs(sources: Mapping[str, str], entry: str | None = "f") -> pl.DataFrame:
    """By "prompt/name", the source."""
    return frame(PROGRAMS, [{
        "response_id": name, "prompt_id": name.split("/")[0], "program_id": program_id("python", source, entry),
        "language": "python", "entry": entry, "source": source, "found": "fence"} for name, source in sources.items()])


def call_inputs(prompt: str, *arguments: Sequence[Any]) -> pl.DataFrame:
    return input_rows((prompt, "call", encode(list(one)), ["human"]) for one in arguments)


def runs(outputs: Mapping[str, Sequence[Any]], kind: str = "call") -> pl.DataFrame:
    """EXECUTIONS by "prompt/name" on inputs 0, 1, ...; an output that is an `Ran` status in capitals failed so."""
    rows = []
    for name, values in outputs.items():
        for number, value in enumerate(values):
            rows.append(execution(name, number, value, kind))
    return frame(EXECUTIONS, rows).sort("response_id", "input_id")


def execution(name: str, number: int, value: Any, kind: str = "call") -> dict[str, Any]:
    prompt = name.split("/")[0]
    failed = value.lower() if isinstance(value, str) and value in ("ERROR", "TIMEOUT", "SANDBOX_ERROR") else None
    flaky = value == "FLAKY"
    output = None if failed else encode(value) if kind == "call" else value
    return {"response_id": name, "input_id": the_input(prompt, number, kind), "environment": ENVIRONMENT,
            "prompt_id": prompt, "kind": kind, "status": failed or "ran", "output": output,
            "detail": "planted" if failed else None, "runs": 2 if flaky else 1, "steady": not flaky}


def the_input(prompt: str, number: int, kind: str = "call") -> str:
    return input_id(prompt, kind, "" if kind == "answer" else encode([number]))


def cases(expected: Mapping[str, Sequence[Any]], source: str = "human", kind: str = "call") -> pl.DataFrame:
    """TEST_CASES by prompt: what is expected of inputs 0, 1, ...; None: no case."""
    return case_rows(
        (prompt, kind, "" if kind == "answer" else encode([number]), source,
         encode(value) if kind == "call" else value,
         *((3, 1.0) if source == "vote" else (None, None)))
        for prompt, values in expected.items() for number, value in enumerate(values) if value is not None)


def completions(texts: Mapping[tuple[str, int], str], engine: str = "e") -> pl.DataFrame:
    """COMPLETIONS by (request_id, sample)."""
    return frame(COMPLETIONS, [{
        "request_id": request, "sample": sample, "attempt": 0, "prompt_id": "p", "engine": engine, "model": "m",
        "status": "ok", "text": text} for (request, sample), text in texts.items()])


def fates(counts: Iterable[Count], unit: str) -> dict[str, int]:
    """What became of the units: in, out and each reason."""
    return {row.reason or row.fate: row.count for row in counts if row.unit == unit}


class Sandbox:
    """Runs programs with `does(source, arguments)`; an exception's text is the status; remembers every run."""

    isolation = "none"
    environment = ENVIRONMENT

    def __init__(self, does: Callable[[str, Any], Any]) -> None:
        self.does = does
        self.ran: Counter[tuple[str, str]] = Counter()
        self.jobs = 0

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, list[Ran]]]:
        for job in reversed(list(jobs)):
            self.jobs += 1
            yield job, [self._one(job, text) for text in job.inputs]

    def _one(self, job: Job, text: str) -> Ran:
        self.ran[job.program.source, text] += 1
        try:
            return Ran("ran", encode(self.does(job.program.source, decode(text))), None, 1.0)
        except RuntimeError as error:
            return Ran(str(error), None, "planted", 1.0)  # type: ignore[arg-type]
