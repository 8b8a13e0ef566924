"""PAIR: ranked responses into preference pairs, with a fate for every pair that could have been."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from generators.made import Made
from preferences.evidence import answers, assistant, votes
from preferences.policies import POLICIES, capped, good
from preferences.ranked import DECIMALS, FEW, check_responses, ranked
from preferences.split import check_share, with_split
from preferences.strength import Strength
from schemas import PREFERENCES
from schemas.errors import ConfigError
from schemas.funnel import Count, count
from schemas.ids import draw
from schemas.preferences import pair_id

BY_ORDER = "by-model-order"
_CLOSE = 2 * 10.0**-DECIMALS
"""How far a distance of rounded scores may lie below that of the scores."""
_BATCH = 4_000_000
"""Pairs, counted both ways round, that are looked at together: bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Makes pairs; see `pair`."""

    policy: str
    ties: str
    identical: str
    gap: float
    cap: int | None
    models: tuple[str, ...] | None
    """Model or engine names, weakest first."""
    strength: Strength | None
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, rankings: pl.DataFrame | None = None,
                 judgments: pl.DataFrame | None = None) -> Made:
        """The PREFERENCES rows, sorted by pair_id, and what became of every other pair of responses and every prompt.

        Rankings are not read by by-model-order; judgments are read by the strength vote_share() only.
        """
        standing = self._standing(prompts, responses, rankings)
        fates: Counter[str] = Counter(_left_out(standing))
        taken = [self._taken(pairs, fates) for pairs in _pairs(_placed(standing, self.seed))]
        table = self._rows(pl.concat(taken), standing, prompts, judgments)
        return Made(table, self._counts(prompts, standing, table, fates))

    def _standing(self, prompts: pl.DataFrame, responses: pl.DataFrame, rankings: pl.DataFrame | None) -> pl.DataFrame:
        if self.models is not None:
            check_responses(prompts, responses)
            return _by_model(responses, self.models)
        if rankings is None:
            raise ConfigError(f"pair({self.policy!r}) goes by scores: give it a rankings table, or use {BY_ORDER!r}")
        return ranked(prompts, responses, rankings)

    def _taken(self, pairs: pl.DataFrame, fates: Counter[str]) -> pl.DataFrame:
        """The pairs that the policy takes; the fates of the others are added up."""
        judged = pairs.with_columns(fate=self._fate())
        chosen = POLICIES[self.policy](judged, self.seed)
        judged = judged.with_columns(fate=pl.when(pl.col("fate").is_null() & ~chosen).then(pl.lit("not selected"))
                                     .otherwise("fate"))
        return good(capped(judged, self.cap, self.seed), fates)

    def _fate(self) -> pl.Expr:
        distance = (pl.col("level") - pl.col("level_rejected")).round(DECIMALS)
        return (pl.when(pl.col("text_digest") == pl.col("text_digest_rejected")).then(pl.lit("identical"))
                .when(distance == 0).then(pl.lit("tie"))
                .when(distance < self.gap - _CLOSE).then(pl.lit("below gap")))

    def _rows(self, taken: pl.DataFrame, standing: pl.DataFrame, prompts: pl.DataFrame,
              judgments: pl.DataFrame | None) -> pl.DataFrame:
        side = standing.select("response_id", "model", "text", "score", "judgment_ids")
        other = side.select(pl.all().name.suffix("_rejected"))
        named = taken.join(side, on="response_id").join(other, on="response_id_rejected").join(
            with_split(prompts, self.seed, self.test_share), on="prompt_id")
        rows = named.select(
            "prompt_id", "prompt", "split", chosen=assistant("text"), rejected=assistant("text_rejected"),
            chosen_id="response_id", rejected_id="response_id_rejected",
            chosen_model="model", rejected_model="model_rejected",
            score_chosen="score", score_rejected="score_rejected", margin=pl.col("score") - pl.col("score_rejected"),
            policy=pl.lit(self.policy),
            evidence=votes("", "_rejected") if self.models is None else answers("", "_rejected"),
        ).with_columns(_pair_ids(named)).sort("pair_id")
        if self.strength is not None:
            rows = rows.with_columns(self.strength(rows, judgments).alias("p_chosen"))
        return pl.DataFrame(pl.from_arrow(PREFERENCES.conform(rows.to_arrow())))

    def _counts(self, prompts: pl.DataFrame, standing: pl.DataFrame, table: pl.DataFrame,
                fates: Counter[str]) -> list[Count]:
        sizes = standing.group_by("prompt_id").len()["len"]
        eligible = int((sizes * (sizes - 1) // 2).sum())
        able = standing.filter(pl.col("out").is_null()).group_by("prompt_id").len().filter(pl.col("len") > 1).height
        paired = table["prompt_id"].n_unique()
        without = Counter({FEW: prompts.height - able, "no pair": able - paired})
        return [*count("preferences", "pairs", eligible, out=table.height, dropped=fates),
                *count("preferences", "prompts", prompts.height, out=paired, dropped=without)]


def pair(policy: str, ties: str = "drop", identical: str = "drop", gap: float = 0.0, cap: int | None = None,
         models: Sequence[str] | None = None, strength: Strength | None = None, seed: int = 0,
         test_share: float = 0.0) -> Pair:
    """Preference pairs from the ranked responses of each prompt.

    Policies: best-worst (max-min of RLHF Workflow, Dong et al. 2024), best-random (binarised UltraFeedback),
    best-vs-each (Curry-DPO, Pattnaik et al. 2024), adjacent, all (UltraFeedback, Cui et al. 2023; RLAIF-V, Yu et al.
    2024) and by-model-order (Delta Learning, Geng et al. 2025). The last needs no votes: `models` names models or
    engines, weakest first, and the answer of the stronger one is chosen; scores, margin and p_chosen are null and
    `gap` counts places.

    Equal scores are never a win: such a pair is dropped as "tie" (by-model-order: two answers of one model), and
    `ties="drop"` is the only way. Scores are compared after rounding to nine decimals. Where several responses share
    the best or worst score, a hash of (seed, prompt_id, response_id) says which one counts as the best, the worst, or
    the next; likewise best-random draws among the responses that the best may be paired with. Row order decides
    nothing.

    Every pair of two responses to a prompt meets exactly one fate, the first of: "baseline" (a baseline takes part
    only where `models` names it), "not in models", "no_quorum" (ranked so, or without a vote), "identical" (the same
    text, byte for byte), "tie", "below gap" (margin less than `gap`), "not selected" (by the policy), "cap" (more
    than `cap` pairs of the prompt; a hash of the ids says which stay), or it is a row. Prompts are counted too.

    `strength` fills p_chosen: sigmoid(b), gap(widest) or vote_share(). `test_share` of the prompt groups is split
    "test". Raises ConfigError when the arguments cannot be combined, SchemaError when the tables do not fit each
    other.
    """
    _check(policy, ties, identical, gap, cap)
    _check_models(policy, models, strength)
    check_share(test_share)
    return Pair(policy=policy, ties=ties, identical=identical, gap=gap, cap=cap, strength=strength, seed=seed,
                models=None if models is None else tuple(models), test_share=test_share)


def _check(policy: str, ties: str, identical: str, gap: float, cap: int | None) -> None:
    if policy not in POLICIES:
        raise ConfigError(f"pair: no policy is called {policy!r}; use one of {', '.join(POLICIES)}")
    if ties != "drop" or identical != "drop":
        raise ConfigError('pair: ties and identical texts are no preference; write ties="drop", identical="drop"')
    if not gap >= 0:
        raise ConfigError(f"pair: gap is {gap}; give 0 or more")
    if cap is not None and cap < 1:
        raise ConfigError(f"pair: cap is {cap}; give at least 1 pair a prompt, or None for all")


def _check_models(policy: str, models: Sequence[str] | None, strength: Strength | None) -> None:
    if (policy == BY_ORDER) != (models is not None):
        raise ConfigError(f"pair: models=[weakest, ..., strongest] belongs to {BY_ORDER!r}, and it needs them")
    if models is None:
        return
    if isinstance(models, str) or len(models) < 2 or len(set(models)) < len(models):
        raise ConfigError(f"pair: models is {models!r}; name two or more different models or engines, weakest first")
    if strength is not None:
        raise ConfigError(f"pair: {BY_ORDER!r} has no scores, so it has no strength; leave strength out")


def _by_model(responses: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """As `ranked`, with the place of the engine (else of the model) in `models` as level, and no score."""
    rungs = {name: float(rung) for rung, name in enumerate(models)}
    level = [rungs.get(engine, rungs.get(model)) for engine, model in responses.select("engine", "model").iter_rows()]
    return responses.select(
        "prompt_id", "response_id", "model", "engine", "text", "text_digest",
        judgment_ids=pl.lit(None, pl.List(pl.String)), score=pl.lit(None, pl.Float64),
        level=pl.Series(level, dtype=pl.Float64), role="role",
    ).with_columns(out=pl.when(pl.col("level").is_not_null()).then(None).when(pl.col("role") == "baseline")
                   .then(pl.lit("baseline")).otherwise(pl.lit("not in models")))


def _left_out(standing: pl.DataFrame) -> dict[str, int]:
    """How many pairs have a side that takes no part, by the first reason that holds of either side."""
    left = standing.group_by("prompt_id").agg(pl.col("out"), n=pl.len())
    fates = {}
    for reason in ("baseline", "not in models", "no_quorum"):
        after = left.with_columns(n_after=pl.col("n") - pl.col("out").list.count_matches(reason))
        fates[reason] = int(after.select((_two("n") - _two("n_after")).sum()).item())
        left = after.with_columns(n="n_after")
    return {reason: n for reason, n in fates.items() if n}


def _two(column: str) -> pl.Expr:
    n = pl.col(column).cast(pl.Int64)
    return n * (n - 1) // 2


def _placed(standing: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The responses that take part, with their place in their prompt: best first, equals by a hash of their ids."""
    part = standing.filter(pl.col("out").is_null())
    equal = part.select(pl.struct("prompt_id", "level").is_duplicated()).to_series()
    keys = part.select("prompt_id", "response_id", equal=equal).iter_rows()
    drawn = [draw(seed, "place", prompt, response) if equal else 0.0 for prompt, response, equal in keys]
    order = part.with_columns(draw=pl.Series(drawn, dtype=pl.Float64)).sort(
        "prompt_id", "level", "draw", "response_id", descending=[False, True, False, False])
    return order.select("prompt_id", "response_id", "text_digest", "level",
                        place=pl.int_range(pl.len()).over("prompt_id"), last=pl.len().over("prompt_id") - 1)


def _pairs(placed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """All pairs of one prompt's responses, the better placed first, some prompts at a time."""
    batches = placed.with_columns(batch=(pl.col("last") + 1).cum_sum() // _BATCH)
    batches = batches.with_columns(pl.col("batch").first().over("prompt_id"))
    for part in batches.partition_by("batch", maintain_order=True) or [batches]:
        other = part.select("prompt_id", pl.exclude("prompt_id", "last", "batch").name.suffix("_rejected"))
        both = part.drop("batch").join(other, on="prompt_id")
        yield both.filter(pl.col("place") < pl.col("place_rejected"))


def _pair_ids(named: pl.DataFrame) -> pl.Series:
    ids = named.select("prompt_id", "response_id", "response_id_rejected").iter_rows()
    return pl.Series("pair_id", [pair_id(*row) for row in ids], dtype=pl.String)
