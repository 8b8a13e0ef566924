"""Ranked responses into single labels: good or bad, each answer for itself (KTO, PMPO)."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from generators.made import Made
from preferences.evidence import assistant, votes
from preferences.ranked import DECIMALS, ranked
from preferences.split import check_share, with_split
from schemas import UNPAIRED
from schemas.errors import ConfigError
from schemas.funnel import count

POLICIES = ("threshold", "best-and-worst", "halves")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """Labels responses; see `unpaired`."""

    policy: str
    good: float | None
    bad: float | None
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, rankings: pl.DataFrame) -> Made:
        """The UNPAIRED rows, sorted by response_id, and what became of every other response."""
        standing = ranked(prompts, responses, rankings)
        part = pl.col("out").is_null()
        labelled = standing.with_columns(label=pl.when(part).then(self._label())).with_columns(
            out=pl.coalesce("out", pl.when(pl.col("label").is_null()).then(self._why())))
        both = pl.col("label").n_unique().over("prompt_id", "text_digest") > 1
        clear = labelled.filter(pl.col("label").is_not_null()).with_columns(
            out=pl.when(both).then(pl.lit("contradiction")))
        table = self._rows(clear.filter(part), prompts)
        dropped = Counter([*labelled["out"].drop_nulls(), *clear["out"].drop_nulls()])
        return Made(table, count("unpaired", "responses", standing.height, out=table.height, dropped=dropped))

    def _label(self) -> pl.Expr:
        """True good, false bad, null neither."""
        level = pl.col("level")
        if self.policy == "threshold":
            good, bad = (round(bound or 0.0, DECIMALS) for bound in (self.good, self.bad))
            return pl.when(level >= good).then(True).when(level < bad).then(False)
        mine = level.filter(pl.col("out").is_null())
        if self.policy == "halves":
            middle = mine.median().round(DECIMALS).over("prompt_id")
            return pl.when(level > middle).then(True).when(level < middle).then(False)
        best, worst = mine.max().over("prompt_id"), mine.min().over("prompt_id")
        return pl.when(best == worst).then(None).when(level == best).then(True).when(level == worst).then(False)

    def _why(self) -> pl.Expr:
        """Why a ranked response has no label."""
        if self.policy == "threshold":
            return pl.lit("between")
        if self.policy == "halves":
            return pl.lit("at the median")
        alike = pl.col("level").filter(pl.col("out").is_null()).n_unique().over("prompt_id") == 1
        return pl.when(alike).then(pl.lit("tie")).otherwise(pl.lit("not selected"))

    def _rows(self, labelled: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
        rows = labelled.join(with_split(prompts, self.seed, self.test_share), on="prompt_id").select(
            "response_id", "prompt_id", "prompt", "label", "model", "score", "split",
            completion=assistant("text"), evidence=votes(""),
        ).sort("response_id")
        return pl.DataFrame(pl.from_arrow(UNPAIRED.conform(rows.to_arrow())))


def unpaired(policy: str = "threshold", good: float | None = None, bad: float | None = None, seed: int = 0,
             test_share: float = 0.0) -> Unpaired:
    """Labels for single responses, for trainers that need no pairs (KTO, Ethayarajh et al. 2024).

    Policies: threshold, score >= `good` is good and score < `bad` is bad (default: `good`), dropped as "between"
    otherwise; best-and-worst, all responses with a prompt's best score against all with its worst, dropped as "not
    selected" otherwise and as "tie" where all scores of the prompt are equal; halves, above or below the prompt's
    median score, dropped as "at the median" otherwise (PMPO, Abdolmaleki et al. 2024: accepted and rejected sets). By
    threshold a prompt may well have good answers only, or bad ones only.

    Every response meets one fate: a row, "baseline", "no_quorum", its policy's reason above, or "contradiction" (the
    same text is labelled both good and bad for one prompt: neither is kept). `seed` and `test_share` are the split's.
    Raises ConfigError when the arguments cannot be combined, SchemaError when the tables do not fit each other.
    """
    if policy not in POLICIES:
        raise ConfigError(f"unpaired: no policy is called {policy!r}; use one of {', '.join(POLICIES)}")
    if (policy == "threshold") != (good is not None) or (good is None and bad is not None):
        raise ConfigError("unpaired: good= (and bad=, if it is lower) are the scores of the policy 'threshold'")
    low = good if bad is None else bad
    if good is not None and low is not None and not low <= good:
        raise ConfigError(f"unpaired: bad is {bad}, above good, {good}; a response cannot be both")
    check_share(test_share)
    return Unpaired(policy=policy, good=good, bad=low, seed=seed, test_share=test_share)
