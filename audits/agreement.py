"""Do the judges agree? Raw agreement, Cohen, Fleiss and Krippendorff, with intervals over prompts and tie rates.

Kappa without the tie rate beside it misleads: a judge that ties often loses kappa against labels that rarely tie
(Arif et al. 2024, The Fellowship of the LLMs).
"""

from dataclasses import asdict
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audits.bootstrap import ESTIMATE, Estimate, Resamples, resamples
from audits.kappa import (
    Ratings,
    estimate_cohen,
    estimate_fleiss,
    estimate_nominal,
    estimate_ordinal,
    estimate_raw,
)

HUMAN = "human:"
CLASSES = ("second", "tie", "first", "both_bad")
MEASURES = ("raw", "fleiss", "krippendorff_nominal", "krippendorff_ordinal")
MOST_JUDGES = 24
"""Pairs of judges are compared among this many judges with the most items: their number grows with the square."""
MOST_LEVELS = 101
"""Scores of more distinct values than this are put on as many even steps between the least and the greatest."""

JUDGE_PAIRS = {
    "aspect": pl.String, "judge_a": pl.String, "judge_b": pl.String, "prompts": pl.Int64, "items": pl.Int64,
    "tie_rate_a": pl.Float64, "tie_rate_b": pl.Float64, "agreement": pl.Float64, "agreement_low": pl.Float64,
    "agreement_high": pl.Float64, "kappa": pl.Float64, "kappa_low": pl.Float64, "kappa_high": pl.Float64,
    "reason": pl.String,
}
JURY = {
    "aspect": pl.String, "of": pl.String, "measure": pl.String, "judges": pl.Int64, "prompts": pl.Int64,
    "items": pl.Int64, "ratings": pl.Int64, "tie_rate": pl.Float64, **ESTIMATE,
}


def judge_pairs(outcomes: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Raw agreement and Cohen's kappa of every two judges, a row for each aspect and pair (JUDGE_PAIRS).

    `outcomes` has one row for each judge, aspect and pair of responses: prompt_id, judge, aspect, first_id, second_id,
    outcome. both_bad is a class of its own. Tie rates are those on the items both judged. Kappa is null, with the
    reason, where the two share no item or use one class only.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    rows = []
    for (aspect,), part in outcomes.sort("aspect").group_by("aspect", maintain_order=True):
        judges, ratings = _rated(_outcome_items(part), len(CLASSES), draws)
        for a, b in combinations(_busiest(ratings), 2):
            numbers = _two(ratings, a, b, draws)
            rows.append({"aspect": aspect, "judge_a": judges[a], "judge_b": judges[b], **numbers})
    return pl.DataFrame(rows, JUDGE_PAIRS, orient="row")


def jury(outcomes: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Agreement of all judges of an aspect on pairwise outcomes, a row for each measure (JURY, `of` is "outcomes").

    raw, fleiss, krippendorff_nominal: four classes. krippendorff_ordinal: second < tie < first, where both_bad, which
    prefers neither, stands with tie.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    rows = []
    for (aspect,), part in outcomes.sort("aspect").group_by("aspect", maintain_order=True):
        judges, ratings = _rated(_outcome_items(part), len(CLASSES), draws)
        ordered = Ratings(codes=np.where(ratings.codes == 3, 1, ratings.codes), prompt=ratings.prompt, levels=3)
        ties = (part["outcome"] == "tie").mean()
        found = (estimate_raw(ratings, draws), estimate_fleiss(ratings, draws), estimate_nominal(ratings, draws),
                 estimate_ordinal(ordered, draws))
        measures = dict(zip(MEASURES, found, strict=True))
        rows += _jury_rows(aspect, "outcomes", judges, ratings, ties, measures)
    return pl.DataFrame(rows, JURY, orient="row")


def jury_scores(judgments: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Krippendorff's ordinal alpha of the score values, a row an aspect (JURY, `of` is "scores"; no tie rate).

    `judgments` are raw votes; only scored ones count. Several scores of one judge for one response count as their mean.
    """
    scored = score_rows(judgments)
    draws = draws or resamples(judgments["prompt_id"])
    rows = []
    for (aspect,), part in scored.sort("aspect").group_by("aspect", maintain_order=True):
        item = pl.col("response_id").alias("item")
        items = part.group_by("prompt_id", item, "judge").agg(pl.col("score").sort().mean())
        levels, coded = _levels(items)
        judges, ratings = _rated(coded, levels, draws)
        measures = {"krippendorff_ordinal": estimate_ordinal(ratings, draws)}
        rows += _jury_rows(aspect, "scores", judges, ratings, None, measures)
    return pl.DataFrame(rows, JURY, orient="row")


def humans_and_jury(outcomes: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Agreement of the people's majority with the models' majority (JUDGE_PAIRS, judges "humans" and "jury").

    A majority is the one most frequent outcome of a pair; where several are most frequent it is a tie. Empty unless
    both people (judge "human:<id>") and models voted.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    human = pl.col("judge").str.starts_with(HUMAN)
    sides = outcomes.with_columns(judge=pl.when(human).then(pl.lit("humans")).otherwise(pl.lit("jury")))
    if sides["judge"].n_unique() < 2:
        return pl.DataFrame(schema=JUDGE_PAIRS)
    return judge_pairs(majority(sides), draws)


def majority(outcomes: pl.DataFrame) -> pl.DataFrame:
    """One outcome for each prompt, judge, aspect and pair: the most frequent one, a tie where that is not one."""
    key = ["prompt_id", "judge", "aspect", "first_id", "second_id"]
    counted = outcomes.group_by(*key, "outcome").len()
    top = counted.filter(pl.col("len") == pl.col("len").max().over(key))
    one = pl.when(pl.len() == 1).then(pl.col("outcome").first()).otherwise(pl.lit("tie"))
    return top.group_by(key).agg(one.alias("outcome")).sort(key)


def score_rows(judgments: pl.DataFrame) -> pl.DataFrame:
    """One row a score in a vote: judgment_id, prompt_id, judge, aspect, response_id, position (from 1), score."""
    scored = judgments.filter(pl.col("outcome") == "scored")
    position = pl.int_ranges(1, pl.col("shown").list.len() + 1).alias("position")
    rows = scored.select("judgment_id", "prompt_id", "judge", "aspect", pl.col("shown").alias("response_id"), position,
                         pl.col("scores").alias("score"))
    return rows.explode("response_id", "position", "score").sort("judgment_id", "position")


def _outcome_items(outcomes: pl.DataFrame) -> pl.DataFrame:
    item = pl.concat_str("prompt_id", "first_id", "second_id", separator="/").alias("item")
    code = pl.col("outcome").replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int64).alias("code")
    return outcomes.select("prompt_id", item, "judge", code)


def _levels(items: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    """How many levels the scores have, and the items with the scores' codes."""
    values = items["score"].unique().sort()
    if len(values) <= MOST_LEVELS:
        return len(values), items.with_columns(code=pl.col("score").rank("dense").cast(pl.Int64) - 1)
    least, span = float(values[0]), float(values[-1]) - float(values[0])
    step = ((pl.col("score") - least) / span * (MOST_LEVELS - 1)).round()
    return MOST_LEVELS, items.with_columns(code=step.cast(pl.Int64))


def _rated(items: pl.DataFrame, levels: int, draws: Resamples) -> tuple[list[str], Ratings]:
    """The judges by name, and their ratings, from rows of prompt_id, item, judge, code."""
    judges = items["judge"].unique().sort().to_list()
    distinct = items.select("item", "prompt_id").unique("item").sort("item")
    row = (items["item"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    column = (items["judge"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    codes = np.full((distinct.height, len(judges)), -1, np.int64)
    codes[row, column] = items["code"].to_numpy()
    return judges, Ratings(codes=codes, prompt=draws.number(distinct), levels=levels)


def _busiest(ratings: Ratings) -> list[int]:
    items = (ratings.codes >= 0).sum(axis=0)
    return sorted(np.argsort(-items, kind="stable")[:MOST_JUDGES].tolist())


def _two(ratings: Ratings, a: int, b: int, draws: Resamples) -> dict[str, float | int | str | None]:
    codes = ratings.codes[:, [a, b]]
    both = (codes >= 0).all(axis=1)
    shared = Ratings(codes=codes[both], prompt=ratings.prompt[both], levels=ratings.levels)
    raw = estimate_raw(shared, draws)
    kappa = estimate_cohen(shared.codes[:, 0], shared.codes[:, 1], shared, draws)
    return {
        "prompts": len(np.unique(shared.prompt)), "items": len(shared.prompt),
        "tie_rate_a": _tie_rate(shared.codes[:, 0]), "tie_rate_b": _tie_rate(shared.codes[:, 1]),
        "agreement": raw.value, "agreement_low": raw.low, "agreement_high": raw.high,
        "kappa": kappa.value, "kappa_low": kappa.low, "kappa_high": kappa.high, "reason": kappa.reason,
    }


def _tie_rate(codes: NDArray[np.int64]) -> float | None:
    return float((codes == CLASSES.index("tie")).mean()) if len(codes) else None


def _jury_rows(aspect: object, of: str, judges: list[str], ratings: Ratings, ties: object,
               measures: dict[str, Estimate]) -> list[dict[str, object]]:
    twice = (ratings.codes >= 0).sum(axis=1) > 1
    shared = {
        "aspect": aspect, "of": of, "judges": len(judges), "prompts": len(np.unique(ratings.prompt[twice])),
        "items": int(twice.sum()), "ratings": int((ratings.codes >= 0).sum()), "tie_rate": ties,
    }
    if len(judges) < 2:
        measures = dict.fromkeys(measures, Estimate(value=None, reason="there is one judge only"))
    return [{**shared, "measure": name, **asdict(estimate)} for name, estimate in measures.items()]
