"""STEPS: beginnings of responses, cut at line ends, and what completions of them come to.

PFPO (Jiao et al. 2025) compares beginnings as well as whole answers. Its numbers are the defaults: three ends in ten of
the first 70 % of the lines (80 % for programs), no response of fewer than five lines, ten beginnings a prompt (twenty
for programs). One draw, by hash, decides on an end, so that a beginning and its id cannot part.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from feedback.testcases.outcomes import passes
from generators.made import Made
from schemas import STEPS
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.ids import draw, pick
from schemas.steps import step_id

Reduction = Literal["hits", "mean", "max"]
REDUCTIONS: tuple[Reduction, ...] = ("hits", "mean", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Cuts responses; see `cut`."""

    ratio: float
    head: float
    least_lines: int
    cap: int | None
    seed: int

    def __call__(self, responses: pl.DataFrame, outcomes: pl.DataFrame | None = None) -> Made:
        """STEPS rows without a value, sorted by response_id and start: the spans from one chosen end to the next.

        With `outcomes`, prompts whose responses all pass as many tests are left alone: nothing can be learnt of them.
        Counts responses (dropped as "all alike", "too short" or "cap": no end of it is left) and ends (dropped: cap).
        """
        alike = set() if outcomes is None else all_alike(outcomes)
        ends: dict[str, list[tuple[str, int]]] = {}
        dropped, told = Counter[str](), set()
        for prompt, response, text in responses.select("prompt_id", "response_id", "text").iter_rows():
            if prompt in alike:
                dropped["all alike"] += 1
            elif not (chosen := self.ends(response, text)):
                dropped["too short"] += 1
            else:
                told.add(response)
                ends.setdefault(prompt, []).extend((response, end) for end in chosen)
        kept = {prompt: self._capped(prompt, found) for prompt, found in ends.items()}
        left = {response for found in kept.values() for response, _ in found}
        dropped["cap"] += len(told) - len(left)
        table = pl.DataFrame(pl.from_arrow(STEPS.rows(
            row for prompt, found in kept.items() for row in _spans(prompt, found)))).sort("response_id", "start")
        drawn = sum(map(len, ends.values()))
        return Made(table, [
            *count("steps", "responses", responses.height, out=len(left), dropped=+dropped),
            *count("steps", "ends", drawn, out=table.height, dropped=+Counter({"cap": drawn - table.height}))])

    def ends(self, response: str, text: str) -> list[int]:
        """The chosen ends of a response, in characters; none where it is too short."""
        found = line_ends(text)
        if len(found) < self.least_lines:
            return []
        first = found[:int(self.head * len(found) + 1e-9)]
        return pick(first, max(1, int(self.ratio * len(first) + 1e-9)), self.seed, "prefix", response) if first else []

    def _capped(self, prompt: str, found: list[tuple[str, int]]) -> list[tuple[str, int]]:
        if self.cap is None:
            return found
        return sorted(found, key=lambda one: (draw(self.seed, "cap", prompt, *one), one))[:self.cap]


def cut(ratio: float = 0.3, head: float = 0.7, least_lines: int = 5, cap: int | None = 10, seed: int = 0) -> Cut:
    """Cut responses into beginnings at the ends of their lines.

    Of the first `head` of a response's lines that are not empty, the share `ratio` are ends, at least one; responses
    of fewer than `least_lines` are not cut; `cap` beginnings a prompt are kept. PFPO's numbers for maths are the
    defaults; for programs give head=0.8, cap=20. Raises ConfigError on what cannot be.
    """
    if not 0.0 < ratio <= 1.0 or not 0.0 < head <= 1.0:
        raise ConfigError(f"cut: ratio is {ratio} and head is {head}; give shares above 0, up to 1")
    if least_lines < 1 or (cap is not None and cap < 1):
        raise ConfigError(f"cut: least_lines is {least_lines} and cap is {cap}; give 1 or more (cap: or None)")
    return Cut(ratio=ratio, head=head, least_lines=least_lines, cap=cap, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSteps:
    """Values beginnings; see `value_steps`."""

    reduction: Reduction
    sources: tuple[str, ...] | None

    def __call__(self, steps: pl.DataFrame, links: pl.DataFrame, outcomes: pl.DataFrame) -> Made:
        """The STEPS rows with value, rollouts and tests; counts steps (failed: "no rollout has a label").

        `links` has step_id and response_id of the completions. A completion has a label where it was run on as many
        tests as the best covered completion of the prompt, and every outcome is one. SchemaError where a step repeats.
        """
        if steps["step_id"].is_duplicated().any():
            raise SchemaError("steps: a step_id repeats; join the tables of one cut only")
        met = steps.select("prompt_id", "step_id").join(links.select("step_id", "response_id"), on="step_id").join(
            passes(outcomes, self.sources).drop("prompt_id"), on="response_id")
        labelled = met.filter((pl.col("unknown") == 0) & (pl.col("tests") == pl.col("tests").max().over("prompt_id")))
        valued = labelled.group_by("step_id").agg(
            value=self._value().cast(pl.Float64), rollouts=pl.len().cast(pl.Int32),
            tests=(pl.len() if self.reduction == "hits" else pl.col("tests").max()).cast(pl.Int32))
        told = steps.drop("value", "rollouts", "tests").join(valued, on="step_id", how="left").with_columns(
            pl.col("rollouts").fill_null(0))
        table = pl.DataFrame(pl.from_arrow(STEPS.conform(told.select(STEPS.schema.names).to_arrow()))).sort(
            "response_id", "start")
        silent = table["value"].null_count()
        return Made(table, count("steps", "steps", table.height, out=table.height - silent,
                                 failed=+Counter({"no rollout has a label": silent})))

    def _value(self) -> pl.Expr:
        if self.reduction == "hits":
            return (pl.col("passed") == pl.col("tests")).sum()
        return pl.col("passed").mean() if self.reduction == "mean" else pl.col("passed").max()


def value_steps(reduction: Reduction = "mean", sources: tuple[str, ...] | None = None) -> ValueSteps:
    """Value beginnings by the tests that their completions pass.

    `hits`: completions that pass every test (PFPO, maths); `mean` or `max`: tests passed, over the completions (PFPO,
    programs: max in the first round, mean later). `sources` are those whose tests count (None: all). Raises
    ConfigError for another reduction.
    """
    if reduction not in REDUCTIONS:
        raise ConfigError(f"value_steps: reduction={reduction!r} must be one of {', '.join(REDUCTIONS)}")
    return ValueSteps(reduction=reduction, sources=sources)


def line_ends(text: str) -> list[int]:
    """Where the lines that are not empty end, each after its line break; the last line needs none."""
    ends, at = [], 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        if line.strip():
            ends.append(at)
    return ends


def all_alike(outcomes: pl.DataFrame) -> set[str]:
    """Prompts whose responses pass the same number of tests, all of them labels."""
    found = passes(outcomes).group_by("prompt_id").agg(
        alike=(pl.col("passed").n_unique() == 1) & (pl.col("unknown").sum() == 0))
    return set(found.filter("alike")["prompt_id"])


def _spans(prompt: str, found: list[tuple[str, int]]) -> Iterator[dict[str, object]]:
    """Rows of one prompt: each span starts where the response's previous one ends."""
    last: dict[str, int] = {}
    for response, end in sorted(found):
        start = last.get(response, 0)
        last[response] = end
        yield {"response_id": response, "start": start, "end": end, "step_id": step_id(response, start, end),
               "prompt_id": prompt, "rollouts": 0}
