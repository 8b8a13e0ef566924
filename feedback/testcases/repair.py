"""REPAIR: models correct a response from a report of what its tests said, a few rounds long.

Self-debugging follows LeDex (Jiang et al. 2024, arXiv 2405.18649): an explanation of the error, then the answer anew;
the chains worth keeping are those whose repair passes its tests. Most of what rounds give comes in the first two to
four of them, and the commonest failure is that feedback is ignored (Feedback Friction, Jiang et al. 2025, arXiv
2506.11930), so whether an answer changed is measured.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from feedback.testcases.asking import Answer, Question, Questions, filled, said, some_engines, user
from feedback.testcases.outcomes import passes
from generators.engines import Engine
from generators.made import Made
from schemas import CRITIQUES, MEASUREMENTS, RESPONSES
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.ids import text_digest
from schemas.responses import response_id

STRATEGY = "repair"
MOST_ROUNDS = 4
CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Repairs responses; see `repair`."""

    names: tuple[str, ...]
    n: int
    rounds: int
    explain: bool
    told: bool
    """Whether the critique is shown; without it, the repairs are what hints are compared with."""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return set(self.names)

    def plan(self, prompts: pl.DataFrame, responses: pl.DataFrame, critiques: pl.DataFrame,
             engines: Mapping[str, Engine]) -> Questions:
        """The requests to send: `n` a critique and engine, for responses whose rounds are not over."""
        return self._questions(prompts, responses, critiques).plan(engines, "repair")

    def parse(self, text: str) -> str | None:
        """Any text is a repair, except none."""
        return None if text.strip() else "empty answer"

    def responses(self, prompts: pl.DataFrame, responses: pl.DataFrame, critiques: pl.DataFrame,
                  completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """RESPONSES rows of strategy repair: parent is what was repaired, critiques what it was repaired by.

        Counts critiques (dropped: "rounds are over") and answers (failed by reason).
        """
        due = self._due(prompts, responses, critiques)
        rows, failed = dict[str, dict[str, Any]](), Counter[str]()
        for answer in self._questions(prompts, responses, critiques).answers(engines, completions, self.parse):
            if answer.reason:
                failed[answer.reason] += 1
            else:
                row = self._row(answer, due[answer.question.subject])
                same = rows.setdefault(row["response_id"], row)
                same["critiques"] = sorted({*same["critiques"], *row["critiques"]})
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows.values()))).sort("response_id")
        over = Counter({"rounds are over": critiques.height - len(due)})
        return Made(table, [*count("repairs", "critiques", critiques.height, out=len(due), dropped=+over),
                            *count("repairs", "answers", table.height + failed.total(), out=table.height,
                                   failed=failed)])

    def _due(self, prompts: pl.DataFrame, responses: pl.DataFrame,
             critiques: pl.DataFrame) -> dict[str, dict[str, Any]]:
        """By critique_id: the critique's text with its response and prompt, where a round is left."""
        met = critiques.select("critique_id", "response_id", critique="text").join(
            responses.select("response_id", "prompt_id", "round", "text"), on="response_id").join(
            prompts.select("prompt_id", "messages"), on="prompt_id")
        if met.height < critiques.height:
            raise SchemaError(f"critiques: {critiques.height - met.height} row(s) are of a response or prompt that is "
                              "not given")
        left = met.filter(pl.col("round") < self.rounds).sort("prompt_id", "response_id", "critique_id")
        return {row["critique_id"]: row for row in left.iter_rows(named=True)}

    def _questions(self, prompts: pl.DataFrame, responses: pl.DataFrame, critiques: pl.DataFrame) -> Questions:
        def drawn() -> Iterator[Question]:
            seen = set()
            for row in self._due(prompts, responses, critiques).values():
                if self.told or row["response_id"] not in seen:
                    seen.add(row["response_id"])
                    yield Question(subject=row["critique_id"], prompt_id=row["prompt_id"],
                                   messages=user(self._text(row)))

        return Questions(drawn=drawn, engines=self.names, n=self.n, params=self.params)

    def _text(self, row: Mapping[str, Any]) -> str:
        name = "repair_alone" if not self.told else "repair_explained" if self.explain else "repair"
        return filled(name, task=said(row["messages"]), answer=row["text"], report=row["critique"])

    def _row(self, answer: Answer, due: Mapping[str, Any]) -> dict[str, Any]:
        engine, parents, round_ = answer.engine, [due["response_id"]], due["round"] + 1
        return {
            "response_id": response_id(due["prompt_id"], "engine", answer.request_id, answer.sample, round_, parents),
            "prompt_id": due["prompt_id"], "origin": "engine", "role": "candidate", "engine": engine.name,
            "model": engine.model, "revision": engine.revision, "strategy": STRATEGY, "round": round_,
            "parents": parents, "criteria": [], "critiques": [due["critique_id"]] if self.told else [],
            "sample": answer.sample, "text": answer.text, "text_digest": text_digest(answer.text),
            "request_id": answer.request_id, "attempt": answer.attempt,
        }


def repair(engines: Sequence[str], n: int = 1, rounds: int = 2, explain: bool = False, told: bool = True,
           params: Mapping[str, Any] | None = None) -> Repair:
    """Each engine repairs every criticised response `n` times; responses of round `rounds` are repaired no more.

    Give it the critiques of what failed, round after round. `explain` asks for an explanation first (LeDex);
    told=False shows the response without its critique. Raises ConfigError on what cannot be.
    """
    if n < 1 or not 1 <= rounds <= MOST_ROUNDS:
        raise ConfigError(f"repair: n is {n} and rounds is {rounds}; give an n of 1 or more, and 1 to {MOST_ROUNDS} "
                          "rounds: later ones repair little")
    if explain and not told:
        raise ConfigError("repair: explain=True needs the critique; leave told=False out")
    return Repair(names=some_engines("repair", engines), n=n, rounds=rounds, explain=explain, told=told,
                  params=dict(params or {}))


def changed(repairs: pl.DataFrame, answers: pl.DataFrame) -> Made:
    """MEASUREMENTS rows named changed: 1 where a repair answers otherwise than its parent, 0 where it is ignored.

    `answers` has response_id and key, what an answer is known by: program_id of PROGRAMS, output of EXECUTIONS of
    stated answers, or text_digest. Counts repairs, failed as "no answer to compare".
    """
    keys = dict(answers.select("response_id", "key").drop_nulls().iter_rows())
    rows, lost = [], 0
    for response, parents in repairs.select("response_id", "parents").iter_rows():
        if response in keys and parents and parents[-1] in keys:
            rows.append({"subject_id": response, "name": CHANGED, "source": STRATEGY,
                         "value": float(keys[response] != keys[parents[-1]])})
        else:
            lost += 1
    table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows))).sort("subject_id")
    return Made(table, count("measurements", "repairs", repairs.height, out=table.height,
                             failed=+Counter({"no answer to compare": lost})))


def utility(critiques: pl.DataFrame, repairs: pl.DataFrame, outcomes: pl.DataFrame) -> Made:
    """CRITIQUES rows whose score is what they were worth: the mean share of tests that repairs made with them pass.

    Coffee (Moon et al. 2023, arXiv 2311.07215) calls feedback good where the edit made with it passes more tests. A
    repair with an outcome that is no label is left out. Counts critiques, failed as "no repair has a label": these
    keep no score.
    """
    share = passes(outcomes).filter(pl.col("unknown") == 0).select(
        "response_id", share=pl.col("passed") / pl.col("tests"))
    made_with = repairs.select("response_id", critique_id="critiques").explode("critique_id").drop_nulls("critique_id")
    worth = made_with.join(share, on="response_id").group_by("critique_id").agg(score=pl.col("share").sort().mean())
    told = critiques.drop("score").join(worth, on="critique_id", how="left")
    table = pl.DataFrame(pl.from_arrow(CRITIQUES.conform(told.to_arrow()))).sort("critique_id")
    silent = table["score"].null_count()
    return Made(table, count("critiques", "critiques", table.height, out=table.height - silent,
                             failed=+Counter({"no repair has a label": silent})))
