"""TUTOR: models say in words what is wrong with answers that fail; whether a hint helps, a weaker student shows.

The tutor sees the answer and a test it fails, as in GPT4Hints-GPT3.5Val (Phung et al. 2023, arXiv 2310.03780).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from feedback.testcases.asking import Question, Questions, filled, said, some_engines, user
from generators.engines import Engine
from generators.made import Made
from schemas import CRITIQUES
from schemas.critiques import critique_id
from schemas.errors import ConfigError
from schemas.funnel import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutor:
    """Writes hints; see `tutor`."""

    names: tuple[str, ...]
    n: int
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return set(self.names)

    def plan(self, prompts: pl.DataFrame, responses: pl.DataFrame, reports: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: `n` a report and engine."""
        return self._questions(prompts, responses, reports).plan(engines, "tutor")

    def parse(self, text: str) -> str | None:
        """Any text is a hint, except none."""
        return None if text.strip() else "empty hint"

    def hints(self, prompts: pl.DataFrame, responses: pl.DataFrame, reports: pl.DataFrame, completions: pl.DataFrame,
              engines: Mapping[str, Engine]) -> Made:
        """CRITIQUES rows by critic, the engine; parent is the report. Counts hints (failed by reason; "identical")."""
        of = {row["critique_id"]: row for row in reports.iter_rows(named=True)}
        rows, failed, total = dict[str, dict[str, Any]](), Counter[str](), 0
        for answer in self._questions(prompts, responses, reports).answers(engines, completions, self.parse):
            total += 1
            if answer.reason:
                failed[answer.reason] += 1
                continue
            report, critic, text = of[answer.question.subject], answer.engine.name, answer.text.strip()
            name = critique_id(report["response_id"], critic, report["round"], text)
            rows.setdefault(name, {
                "critique_id": name, "response_id": report["response_id"], "prompt_id": report["prompt_id"],
                "critic": critic, "model": answer.engine.model, "text": text, "round": report["round"],
                "parents": [report["critique_id"]], "request_id": answer.request_id, "sample": answer.sample,
                "attempt": answer.attempt})
        table = pl.DataFrame(pl.from_arrow(CRITIQUES.rows(rows.values()))).sort("critique_id")
        same = +Counter({"identical": total - failed.total() - table.height})
        return Made(table, count("hints", "hints", total, out=table.height, failed=failed, dropped=same))

    def _questions(self, prompts: pl.DataFrame, responses: pl.DataFrame, reports: pl.DataFrame) -> Questions:
        def drawn() -> Iterator[Question]:
            met = reports.select("critique_id", "response_id", "prompt_id", report="text").join(
                responses.select("response_id", "text"), on="response_id").join(
                prompts.select("prompt_id", "messages"), on="prompt_id").sort("prompt_id", "response_id", "critique_id")
            for row in met.iter_rows(named=True):
                text = filled("hint", task=said(row["messages"]), answer=row["text"], report=row["report"])
                yield Question(subject=row["critique_id"], prompt_id=row["prompt_id"], messages=user(text))

        return Questions(drawn=drawn, engines=self.names, n=self.n, params=self.params)


def tutor(engines: Sequence[str], n: int = 1, params: Mapping[str, Any] | None = None) -> Tutor:
    """Each engine writes `n` hints for every answer that fails. Raises ConfigError on what cannot be."""
    if n < 1:
        raise ConfigError(f"tutor: n is {n}; give 1 or more")
    return Tutor(names=some_engines("tutor", engines), n=n, params=dict(params or {}))
