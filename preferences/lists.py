"""Ranked responses into lists, best first."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from generators.made import Made
from preferences.evidence import assistant
from preferences.ranked import FEW, ranked
from preferences.split import check_share, with_split
from schemas import LISTS
from schemas.funnel import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Makes lists; see `lists`."""

    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, rankings: pl.DataFrame) -> Made:
        """The LISTS rows, sorted by prompt_id, and what became of every other response and prompt."""
        standing = ranked(prompts, responses, rankings)
        part = standing.filter(pl.col("out").is_null())
        listed = part.filter(pl.len().over("prompt_id") > 1)
        table = self._rows(listed, prompts)
        dropped = Counter([*standing["out"].drop_nulls(), *[FEW] * (part.height - listed.height)])
        few = Counter({FEW: prompts.height - table.height})
        return Made(table, [
            *count("lists", "responses", standing.height, out=listed.height, dropped=dropped),
            *count("lists", "prompts", prompts.height, out=table.height, dropped=few),
        ])

    def _rows(self, listed: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
        ordered = listed.with_columns(
            rank=pl.col("level").rank("min", descending=True).over("prompt_id").cast(pl.Int32),
            completion=assistant("text"), ranking=pl.format("{}/{}", "prompt_id", "response_id"),
        ).sort("prompt_id", "rank", "response_id")
        rows = ordered.group_by("prompt_id", maintain_order=True).agg(
            completions="completion", response_ids="response_id", models="model", scores="score", ranks="rank",
            judgments=pl.col("judgment_ids").explode().drop_nulls().unique().sort(), rankings="ranking",
        ).with_columns(evidence=pl.concat_list(_named("judgments"), _named("rankings")))
        rows = rows.join(with_split(prompts, self.seed, self.test_share), on="prompt_id").sort("prompt_id")
        return pl.DataFrame(pl.from_arrow(LISTS.conform(rows.to_arrow())))


def _named(table: str) -> pl.Expr:
    return pl.col(table).list.eval(pl.struct(table=pl.lit(table), id=pl.element()))


def lists(seed: int = 0, test_share: float = 0.0) -> Lists:
    """All ranked responses of each prompt, best first; equal scores share the smallest rank (LiPO, Liu et al. 2024).

    Equals stand in the order of their ids. Ranks count the listed responses only: baselines and responses without a
    quorum are left out and counted, and so are prompts with fewer than two ranked responses. Equal texts of two
    models stay two entries. `seed` and `test_share` are the split's. Raises SchemaError when the tables do not fit
    each other.
    """
    check_share(test_share)
    return Lists(seed=seed, test_share=test_share)
