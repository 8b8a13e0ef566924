"""KEEP CORRECT: responses that pass their tests, at most so many a prompt (ReST-EM, Singh et al. 2024)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feedback.testcases.outcomes import passes
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import draw


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepCorrect:
    """Keeps correct responses; see `keep_correct`."""

    cap: int | None
    sources: tuple[str, ...] | None
    seed: int

    def __call__(self, responses: pl.DataFrame, outcomes: pl.DataFrame) -> Made:
        """The RESPONSES rows that are kept, sorted by response_id.

        Responses are dropped as "no outcomes", "not every test passed", "identical" (to one that is kept) or "cap".
        """
        told = responses.join(passes(outcomes, self.sources).select("response_id", "tests", "passed"),
                              on="response_id", how="left").sort("response_id")
        drawn = [draw(self.seed, "keep", prompt, response)
                 for prompt, response in told.select("prompt_id", "response_id").iter_rows()]
        told = told.with_columns(draw=pl.Series(drawn, dtype=pl.Float64), fate=pl.when(pl.col("tests").is_null()).then(
            pl.lit("no outcomes")).when(pl.col("passed") < pl.col("tests")).then(pl.lit("not every test passed")))
        good = told.filter(pl.col("fate").is_null()).sort("prompt_id", "draw", "response_id")
        single = good.unique(["prompt_id", "text_digest"], keep="first", maintain_order=True)
        few = single if self.cap is None else single.filter(pl.int_range(pl.len()).over("prompt_id") < self.cap)
        dropped = Counter(told["fate"].drop_nulls())
        dropped += Counter({"identical": good.height - single.height, "cap": single.height - few.height})
        table = few.select(responses.columns).sort("response_id")
        return Made(table, count("correct", "responses", responses.height, out=table.height, dropped=dropped))


def keep_correct(cap: int | None = 10, sources: Sequence[str] | None = None, seed: int = 0) -> KeepCorrect:
    """Keep responses that pass every test of `sources` (None: all), at most `cap` different texts a prompt.

    The cap, drawn by hash, keeps easy prompts from dominating (ReST-EM: 10 a question). An outcome that is no label is
    not a pass. Raises ConfigError on what cannot be.
    """
    if cap is not None and cap < 1:
        raise ConfigError(f"keep_correct: cap is {cap}; give 1 or more, or None for all")
    return KeepCorrect(cap=cap, sources=None if sources is None else tuple(sources), seed=seed)
