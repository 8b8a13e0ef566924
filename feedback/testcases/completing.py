"""COMPLETE: models carry beginnings of responses on to their end; a completion is the beginning and what follows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from feedback.testcases.asking import Answer, Question, Questions, filled, said, some_engines, user
from generators.engines import Engine
from generators.made import Made
from schemas import RESPONSES
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.ids import text_digest
from schemas.messages import Message
from schemas.responses import response_id

STRATEGY = "completion"
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
"""What tells vLLM, SGLang and the pocket server to carry on the last turn instead of beginning another."""
How = Literal["continue", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """Completes beginnings; see `complete`."""

    names: tuple[str, ...]
    n: int
    how: How
    params: Mapping[str, Any]

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return set(self.names)

    def plan(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: `n` a beginning and engine; equal beginnings of a prompt are asked once."""
        return self._questions(prompts, responses, steps).plan(engines, "complete")

    def parse(self, text: str) -> str | None:
        """Any text carries on, except none."""
        return None if text.strip() else "empty completion"

    def responses(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame,
                  completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """RESPONSES rows of strategy completion whose parent is the response that begins so; counts answers."""
        rows, failed = {}, Counter[str]()
        for answer, step in self._answers(prompts, responses, steps, completions, engines):
            if answer.reason:
                failed[answer.reason] += 1
            else:
                row = _row(answer, step, engines)
                rows[row["response_id"]] = row
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows.values()))).sort("response_id")
        return Made(table, count("completions", "answers", table.height + failed.total(), out=table.height,
                                 failed=failed))

    def links(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame,
              completions: pl.DataFrame, engines: Mapping[str, Engine]) -> pl.DataFrame:
        """step_id and the response_id of each of its completions, sorted."""
        found = [(answer.question.subject, _row(answer, step, engines)["response_id"])
                 for answer, step in self._answers(prompts, responses, steps, completions, engines)
                 if not answer.reason]
        return pl.DataFrame(found, schema={"step_id": pl.String, "response_id": pl.String}, orient="row").sort(
            "step_id", "response_id")

    def calls(self, n_steps: int) -> int:
        """The most requests for that many beginnings, re-asks apart."""
        return n_steps * self.n * len(self.names)

    def _questions(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame) -> Questions:
        def drawn() -> Iterator[Question]:
            for step in _begun(prompts, responses, steps).values():
                yield Question(subject=step["step_id"], prompt_id=step["prompt_id"],
                               messages=self._messages(step["messages"], step["text"]))

        params = {**(CONTINUE if self.how == "continue" else {}), **self.params}
        return Questions(drawn=drawn, engines=self.names, n=self.n, params=params)

    def _messages(self, messages: Sequence[Message], text: str) -> list[Message]:
        if self.how == "continue":
            return [*messages, {"role": "assistant", "content": text}]
        return user(filled("complete", task=said(messages), beginning=text))

    def _answers(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame,
                 completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Iterator[tuple[Answer, dict[str, Any]]]:
        begun = _begun(prompts, responses, steps)
        asked = self._questions(prompts, responses, steps)
        for answer in asked.answers(engines, completions, self.parse):
            yield answer, begun[answer.question.subject]


def complete(engines: Sequence[str], n: int = 3, how: How = "continue", temperature: float | None = 1.0,
             params: Mapping[str, Any] | None = None) -> Complete:
    """Each engine completes every beginning `n` times (PFPO: 3 at temperature 1, 5 for programs at first).

    With how="continue" the beginning is the assistant's unfinished turn, which vLLM, SGLang and the pocket server carry
    on; how="ask" asks any server in words for what is missing. Raises ConfigError on what cannot be.
    """
    if n < 1:
        raise ConfigError("complete: n must be 1 or more")
    if how not in ("continue", "ask"):
        raise ConfigError(f"complete: how={how!r} must be 'continue' or 'ask'")
    settings = {**(params or {}), **({} if temperature is None else {"temperature": temperature})}
    return Complete(names=some_engines("complete", engines), n=n, how=how, params=settings)


def _begun(prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """By step_id: the step with its prompt's messages and the text of the beginning; in the steps' order."""
    met = steps.select("step_id", "response_id", "prompt_id", "end").join(
        responses.select("response_id", "text"), on="response_id").join(
        prompts.select("prompt_id", "messages"), on="prompt_id")
    if met.height < steps.height:
        raise SchemaError(f"steps: {steps.height - met.height} row(s) are of a response or prompt that is not given")
    ordered = met.with_columns(text=pl.col("text").str.slice(0, pl.col("end"))).sort("prompt_id", "response_id", "end")
    return {row["step_id"]: row for row in ordered.iter_rows(named=True)}


def _row(answer: Answer, step: Mapping[str, Any], engines: Mapping[str, Engine]) -> dict[str, Any]:
    engine, text = engines[answer.engine.name], step["text"] + answer.text
    parents = [step["response_id"]]
    return {
        "response_id": response_id(step["prompt_id"], "engine", answer.request_id, answer.sample, parents=parents),
        "prompt_id": step["prompt_id"], "origin": "engine", "role": "candidate", "engine": engine.name,
        "model": engine.model, "revision": engine.revision, "strategy": STRATEGY, "round": 0, "parents": parents,
        "criteria": [], "critiques": [], "sample": answer.sample, "text": text, "text_digest": text_digest(text),
        "request_id": answer.request_id, "attempt": answer.attempt,
    }
