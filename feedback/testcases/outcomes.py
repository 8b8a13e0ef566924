"""OUTCOMES: executions joined with test cases; computed, never run.

What a program's own failure means is kept apart from what ours means: fail, error and timeout count against a
response, unknown and sandbox_error count neither way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import polars as pl

from feedback.testcases.maths.equal import Equal
from feedback.testcases.values import verdict
from feedback.testcases.vote import one_environment
from generators.made import Made
from schemas import OUTCOMES
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.outcomes import FAILURES

_OF_ANSWERS = {"equal": "pass", "different": "fail", "unknown": "unknown"}


class Comparer(Protocol):
    """What compares stated answers: open MathsWorkers, or a stand-in."""

    def compare(self, pairs: Iterable[tuple[str, str]]) -> Iterable[Equal]:
        """One verdict a pair (expected, stated), in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Compares outputs with what is expected; see `check`."""

    tolerance: float
    unanswered: Literal["unknown", "error"]

    def __call__(self, executions: pl.DataFrame, test_cases: pl.DataFrame, maths: Comparer | None = None) -> Made:
        """The OUTCOMES rows, sorted by response_id and test_id.

        Two cases of one input (of two sources) are two outcomes. `maths` compares stated answers; by default workers
        are started where there are any. Counts outcomes (failed: `unknown`, `sandbox_error`) and test cases (dropped:
        `not run`).
        """
        one_environment(executions)
        met = executions.join(test_cases.select("test_id", "input_id", "source", "expected"), on="input_id")
        met = met.sort("response_id", "test_id")
        verdicts = self._verdicts(met.filter(_GOOD).select("kind", "expected", "output").unique(), maths)
        table = self._rows(met.join(verdicts, on=["kind", "expected", "output"], how="left", maintain_order="left"))
        known = test_cases.filter(pl.col("input_id").is_in(executions["input_id"].unique().to_list())).height
        failed = Counter(one for one in table["outcome"] if one in ("unknown", "sandbox_error"))
        return Made(table, [
            *count("outcomes", "test cases", test_cases.height, out=known,
                   dropped=+Counter({"not run": test_cases.height - known})),
            *count("outcomes", "outcomes", table.height, out=table.height - failed.total(), failed=failed),
        ])

    def _verdicts(self, pairs: pl.DataFrame, maths: Comparer | None) -> pl.DataFrame:
        """Each different pair of expected and given output is compared once."""
        stated = pairs.filter(pl.col("kind") == "answer").sort("expected", "output")
        ran = pairs.filter(pl.col("kind") != "answer")
        told = [verdict(kind, expected, output, self.tolerance) for kind, expected, output in ran.iter_rows()]
        said = list(_compared(stated.select("expected", "output").iter_rows(), maths)) if stated.height else []
        both = pl.concat([ran, stated])
        return both.with_columns(verdict=pl.Series([*told, *said], dtype=pl.String))

    def _rows(self, met: pl.DataFrame) -> pl.DataFrame:
        flaky, ours = ~pl.col("steady"), pl.col("status") == "sandbox_error"
        silent = (pl.col("kind") == "answer") & (pl.col("status") == "error") & (self.unanswered == "unknown")
        outcome = pl.when(_GOOD).then("verdict").when((flaky | silent) & ~ours).then(pl.lit("unknown")).otherwise(
            "status")
        plain = pl.col("outcome").is_in(["pass", "fail"])
        reason = (pl.when(flaky & ~ours).then(pl.lit("flaky")).when(plain).then(None).otherwise(
            pl.coalesce("detail", pl.lit("the two cannot be compared"))))
        rows = met.with_columns(outcome=outcome).with_columns(reason=reason)
        return pl.DataFrame(pl.from_arrow(OUTCOMES.conform(rows.select(OUTCOMES.schema.names).to_arrow())))


_GOOD = (pl.col("status") == "ran") & pl.col("steady")


def check(tolerance: float = 0.0, unanswered: Literal["unknown", "error"] = "unknown") -> Check:
    """Compare each output with what is expected of its input.

    `tolerance` is allowed, absolute or relative, where the expected number is a float (EvalPlus: 1e-6). `unanswered`
    is the outcome of a response that states no answer where an answer is what is tested: "unknown", since our reading
    may have missed it, or "error", which counts against it. Raises ConfigError on what cannot be.
    """
    if not 0.0 <= tolerance < 1.0:
        raise ConfigError(f"check: tolerance is {tolerance}; give a small number, such as 1e-6, or 0")
    return Check(tolerance=tolerance, unanswered=unanswered)


def passes(outcomes: pl.DataFrame, sources: Iterable[str] | None = None) -> pl.DataFrame:
    """The pass vector's sums: prompt_id, response_id, tests, passed, failed, unknown, sorted; of some sources, or all.

    tests = passed + failed + unknown; fail, error and timeout are failed, unknown and sandbox_error are unknown.
    """
    rows = outcomes if sources is None else outcomes.filter(pl.col("source").is_in(list(sources)))
    told = pl.col("outcome")
    return rows.group_by("prompt_id", "response_id").agg(
        tests=pl.len().cast(pl.Int64), passed=(told == "pass").sum().cast(pl.Int64),
        failed=told.is_in(FAILURES).sum().cast(pl.Int64),
        unknown=(~told.is_in(["pass", *FAILURES])).sum().cast(pl.Int64),
    ).sort("prompt_id", "response_id")


def trivial(outcomes: pl.DataFrame, least: int = 2) -> pl.DataFrame:
    """Test cases that tell no two responses apart: prompt_id, test_id, input_id, source, outcome, responses.

    `outcome` is "pass" where every labelled response passes and "fail" where none does, of `least` responses or more.
    """
    labelled = outcomes.filter(pl.col("outcome").is_in(["pass", *FAILURES]))
    found = labelled.group_by("prompt_id", "test_id", "input_id", "source").agg(
        responses=pl.len().cast(pl.Int64), passed=(pl.col("outcome") == "pass").sum())
    alike = (pl.col("responses") >= least) & ((pl.col("passed") == 0) | (pl.col("passed") == pl.col("responses")))
    outcome = pl.when(pl.col("passed") > 0).then(pl.lit("pass")).otherwise(pl.lit("fail"))
    return found.filter(alike).select("prompt_id", "test_id", "input_id", "source", "responses", outcome=outcome).sort(
        "prompt_id", "test_id")


def _compared(pairs: Iterator[tuple[str, str]], maths: Comparer | None) -> Iterator[str]:
    if maths is not None:
        yield from (_OF_ANSWERS[one] for one in maths.compare(pairs))
        return
    from feedback.testcases.maths.workers import MathsWorkers

    with MathsWorkers() as workers:
        yield from (_OF_ANSWERS[one] for one in workers.compare(pairs))
