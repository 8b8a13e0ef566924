"""Outcomes of test cases into single labels: good where the tests are passed, bad where they are not (KTO)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feedback.testcases.outcomes import passes
from generators.made import Made
from preferences.by_tests import tested_by
from preferences.evidence import assistant
from preferences.ranked import check_responses
from preferences.split import check_share, with_split
from schemas import UNPAIRED
from schemas.errors import ConfigError
from schemas.funnel import count


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpairedByTests:
    """Labels responses by their tests; see `unpaired_by_tests`."""

    good: float
    bad: float
    sources: tuple[str, ...] | None
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, outcomes: pl.DataFrame) -> Made:
        """The UNPAIRED rows, sorted by response_id.

        Responses are dropped as "baseline", "no outcomes" or "between", as "contradiction" where equal texts of a
        prompt got both labels.
        """
        check_responses(prompts, responses)
        told = responses.join(passes(outcomes, self.sources).drop("prompt_id"), on="response_id", how="left")
        told = told.with_columns(label=self._label(), score=pl.col("passed") / pl.col("tests"))
        both = pl.col("label").n_unique().over("prompt_id", "text_digest")
        told = told.with_columns(fate=self._fate())
        clear = told.filter(pl.col("fate").is_null()).with_columns(fate=pl.when(both > 1).then(
            pl.lit("contradiction")))
        table = self._rows(clear.filter(pl.col("fate").is_null()), prompts, outcomes)
        dropped = Counter([*told["fate"].drop_nulls(), *clear["fate"].drop_nulls()])
        return Made(table, count("unpaired", "responses", responses.height, out=table.height, dropped=dropped))

    def _label(self) -> pl.Expr:
        """True good, false bad, null neither; what is unknown counts for neither side."""
        share, most = pl.col("passed") / pl.col("tests"), (pl.col("passed") + pl.col("unknown")) / pl.col("tests")
        return pl.when(share >= self.good - 1e-9).then(True).when(most < self.bad - 1e-9).then(False)

    def _fate(self) -> pl.Expr:
        return (pl.when(pl.col("role") != "candidate").then(pl.lit("baseline"))
                .when(pl.col("tests").is_null()).then(pl.lit("no outcomes"))
                .when(pl.col("label").is_null()).then(pl.lit("between")))

    def _rows(self, labelled: pl.DataFrame, prompts: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
        tested = tested_by(outcomes, None if self.sources is None else set(self.sources))
        rows = labelled.join(with_split(prompts, self.seed, self.test_share), on="prompt_id").join(
            tested, on="response_id").select(
            "response_id", "prompt_id", "prompt", "label", "model", "score", "split", "evidence",
            completion=assistant("text")).sort("response_id")
        return pl.DataFrame(pl.from_arrow(UNPAIRED.conform(rows.to_arrow())))


def unpaired_by_tests(good: float = 1.0, bad: float = 0.5, sources: Sequence[str] | None = None, seed: int = 0,
                      test_share: float = 0.0) -> UnpairedByTests:
    """Label a response good where it passes at least the share `good` of its tests, bad where it cannot reach `bad`.

    What lies between has no label, and an outcome that is no label makes none: it counts as not passed for good and
    as passed for bad. `sources` are those whose cases count (None: all). Raises ConfigError on what cannot be.
    """
    if not 0.0 < bad <= good <= 1.0:
        raise ConfigError(f"unpaired_by_tests: good is {good} and bad is {bad}; give 0 < bad <= good <= 1")
    check_share(test_share)
    return UnpairedByTests(good=good, bad=bad, sources=None if sources is None else tuple(sources), seed=seed,
                           test_share=test_share)
