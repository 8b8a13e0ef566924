"""Do judges look at what they should? Position, length and self-preference, each with intervals over prompts.

Position and swap: Wang et al. 2023 (Large Language Models are not Fair Evaluators). Verbosity: Saito et al. 2023.
Self-preference: Zheng et al. 2023 (Judging LLM-as-a-Judge), self-enhancement.
"""

from dataclasses import asdict

import numpy as np
import polars as pl

from audits.agreement import score_rows
from audits.bootstrap import ESTIMATE, Array, Resamples, columns, ratios, resamples

_OF = ("judge", "aspect")
LENGTH_STEPS = (0.1, 0.25, 0.5)
LENGTH_BUCKETS = ("< 10 %", "10-25 %", "25-50 %", ">= 50 %")
"""How much shorter the shorter answer is, as a share of the longer one's characters."""
SELF = {
    "judge": pl.String, "model": pl.String, "prompts": pl.Int64, "own_pairs": pl.Int64, "others_pairs": pl.Int64,
    "own_rate": pl.Float64, "others_rate": pl.Float64, **ESTIMATE,
}
VERBOSITY = {
    "judge": pl.String, "aspect": pl.String, "truth_shorter": pl.Int64, "truth_longer": pl.Int64,
    "wrong_shorter": pl.Float64, "wrong_longer": pl.Float64, **ESTIMATE,
}


def position(judgments: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """P(the answer shown first wins) among decided pairwise votes, for each judge and aspect; .5 is no bias.

    From raw votes in the order shown, never folded. Columns: judge, aspect, prompts, first_wins, decided, value, low,
    high, reason. With a fixed order the number holds the answers' quality too; read it where orders are random or both.
    """
    draws = draws or resamples(judgments["prompt_id"])
    won = judgments.filter((pl.col("subject") == "pair") & (pl.col("outcome") == "win"))
    first = (pl.col("order").list.first() == pl.col("shown").list.first()).alias("first_wins")
    rows = won.with_columns(first, pl.lit(1).alias("decided"))
    found = ratios(rows, _OF, "first_wins", "decided", draws, "no vote was decided")
    return found.with_columns(pl.col("first_wins", "decided").cast(pl.Int64))


def position_scores(judgments: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """How much a judge's scores gain by the position at which answers are shown together, in points of the scale.

    A score's gain is its difference from the mean of the other judges' votes on the same response and aspect, less the
    judge's mean gain over all positions and prompts, so that severity is not taken for position. Columns: judge,
    aspect, position (from 1), prompts, votes, value, low, high, reason. Scores of responses that no other judge has
    scored do not count.
    """
    draws = draws or resamples(judgments["prompt_id"])
    together = judgments.filter((pl.col("protocol") == "rate_together") & (pl.col("shown").list.len() > 1))
    scores = score_rows(together)
    response, own = ["aspect", "response_id"], [*_OF, "response_id"]
    total, votes = pl.col("score").sum(), pl.len().cast(pl.Float64)
    others = (total.over(response) - total.over(own)) / (votes.over(response) - votes.over(own))
    gains = scores.with_columns(gain=pl.col("score") - others).filter(pl.col("gain").is_finite())
    level = gains.with_columns(pl.col("gain") - pl.col("gain").mean().over(_OF), pl.lit(1).alias("votes"))
    found = ratios(level, [*_OF, "position"], "gain", "votes", draws, "no score")
    return found.drop("gain").with_columns(pl.col("votes").cast(pl.Int64))


def with_lengths(outcomes: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """The outcomes with first_length and second_length: characters of the two texts."""
    chars = responses.select("response_id", pl.col("text").str.len_chars().cast(pl.Int64).alias("chars"))
    first = chars.rename({"response_id": "first_id", "chars": "first_length"})
    second = chars.rename({"response_id": "second_id", "chars": "second_length"})
    return outcomes.join(first, on="first_id").join(second, on="second_id")


def length(outcomes: pl.DataFrame, responses: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """P(the longer answer wins) among decided pairs whose lengths differ, for each judge and aspect; .5 is no bias.

    A row for all pairs and one for each of LENGTH_BUCKETS. Columns: judge, aspect, difference, prompts, longer_wins,
    decided, value, low, high, reason, median_difference (characters).
    """
    draws = draws or resamples(outcomes["prompt_id"])
    rows = _decided(with_lengths(outcomes, responses))
    shorter_by = pl.col("gap") / pl.max_horizontal("first_length", "second_length")
    bucket = sum(((shorter_by >= step).cast(pl.Int64) for step in LENGTH_STEPS), pl.lit(0, pl.Int64))
    names = dict(enumerate(LENGTH_BUCKETS))
    rows = rows.with_columns(difference=bucket.replace_strict(names, return_dtype=pl.String))
    rows = pl.concat([rows.with_columns(difference=pl.lit("all")), rows])
    by = [*_OF, "difference"]
    found = ratios(rows, by, "longer_wins", "decided", draws, "no pair of different lengths was decided")
    median = rows.group_by(by).agg(pl.col("gap").median().alias("median_difference"))
    order = pl.col("difference").replace_strict(("all", *LENGTH_BUCKETS), range(5), return_dtype=pl.Int8)
    named = found.join(median, on=by).with_columns(pl.col("longer_wins", "decided").cast(pl.Int64))
    return named.sort("judge", "aspect", order)


def verbosity(outcomes: pl.DataFrame, truth: pl.DataFrame, responses: pl.DataFrame,
              draws: Resamples | None = None) -> pl.DataFrame:
    """Verbosity bias (Saito et al. 2023): P(wrong | truth prefers the shorter) - P(wrong | truth prefers the longer).

    `truth` has prompt_id, first_id, second_id, outcome: people's majority, or planted truth; where it has aspects they
    must match. Pairs count where truth and judge are decided and lengths differ. Above 0: the judge likes length.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    key = [name for name in ("prompt_id", "aspect", "first_id", "second_id") if name in truth.columns]
    right = truth.select(*key, pl.col("outcome").alias("truth"))
    rows = _decided(with_lengths(outcomes, responses)).join(right, on=key)
    rows = rows.filter(pl.col("truth").is_in(["first", "second"]))
    wrong, longer = pl.col("outcome") != pl.col("truth"), (pl.col("truth") == "first") == pl.col("first_longer")
    rows = rows.with_columns(shorter=~longer, longer=longer, wrong_shorter=wrong & ~longer, wrong_longer=wrong & longer)
    names = ("wrong_shorter", "shorter", "wrong_longer", "longer")
    found = []
    for (judge, aspect), part in rows.sort(_OF).group_by(_OF, maintain_order=True):
        stats = columns(draws, part, names)
        wrong_shorter, shorter, wrong_longer, longer_ = stats.sum(axis=0)
        estimate = draws.estimate(stats, _gap, "truth never prefers the longer, or never the shorter")
        found.append({
            "judge": judge, "aspect": aspect, "truth_shorter": int(shorter), "truth_longer": int(longer_),
            "wrong_shorter": wrong_shorter / shorter if shorter else None,
            "wrong_longer": wrong_longer / longer_ if longer_ else None,
            **asdict(estimate),
        })
    return pl.DataFrame(found, VERBOSITY, orient="row")


def self_preference(outcomes: pl.DataFrame, judgments: pl.DataFrame, responses: pl.DataFrame,
                    draws: Resamples | None = None) -> pl.DataFrame:
    """Win rate of a model's answers by itself as judge, minus their win rate by the other judges on the same pairs.

    A row for each judge that is a model (SELF). An answer is its own where the response's model is the judge's model,
    or its engine is the judge. A win counts 1, a tie or both_bad 1/2. Above 0: the judge likes its own answers more
    than others do. Null where it never judged its own answers, or where nobody else judged the same pairs.
    """
    draws = draws or resamples(outcomes["prompt_id"])
    models = judgments.filter(pl.col("model").is_not_null())
    judges = models.group_by("judge").agg(pl.col("model").min()).sort("judge")
    sides = _with_makers(outcomes, responses)
    rows = [_own_against_others(judge, model, sides, draws) for judge, model in judges.iter_rows()]
    return pl.DataFrame(rows, SELF, orient="row")


def _own_against_others(judge: str, model: str, sides: pl.DataFrame, draws: Resamples) -> dict[str, object]:
    mine = [(pl.col(f"{side}_model") == model) | (pl.col(f"{side}_engine") == judge).fill_null(False)
            for side in ("first", "second")]
    pairs = sides.with_columns(first_own=mine[0], second_own=mine[1])
    pairs = pairs.filter(pl.col("first_own") != pl.col("second_own"))
    by_self = pl.col("judge") == judge
    key = ["prompt_id", "aspect", "first_id", "second_id"]
    pairs = pairs.join(pairs.filter(by_self).select(key), on=key, how="semi")
    won = pl.when(pl.col("first_own")).then(pl.lit("first")).otherwise(pl.lit("second"))
    undecided = pl.col("outcome").is_in(["tie", "both_bad"])
    win = pl.when(undecided).then(0.5).otherwise((pl.col("outcome") == won).cast(pl.Float64))
    pairs = pairs.with_columns(own=by_self, others=~by_self, own_win=win * by_self, others_win=win * ~by_self)
    stats = columns(draws, pairs, ("own_win", "own", "others_win", "others"))
    own_win, own, others_win, others = stats.sum(axis=0)
    why = "it never judged its own answers" if not own else "no other judge saw the same pairs"
    estimate = draws.estimate(stats, _gap, why)
    return {
        "judge": judge, "model": model, "prompts": pairs["prompt_id"].n_unique(), "own_pairs": int(own),
        "others_pairs": int(others), "own_rate": own_win / own if own else None,
        "others_rate": others_win / others if others else None,
        **asdict(estimate),
    }


def _decided(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Decided pairs of different lengths, with first_longer, longer_wins, decided (1) and gap (characters)."""
    first_longer = pl.col("first_length") > pl.col("second_length")
    rows = outcomes.filter(
        pl.col("outcome").is_in(["first", "second"]) & (pl.col("first_length") != pl.col("second_length")))
    return rows.with_columns(
        first_longer=first_longer, longer_wins=(pl.col("outcome") == "first") == first_longer, decided=pl.lit(1),
        gap=(pl.col("first_length") - pl.col("second_length")).abs())


def _with_makers(outcomes: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    makers = responses.select("response_id", "model", "engine")
    for side in ("first", "second"):
        names = {"response_id": f"{side}_id", "model": f"{side}_model", "engine": f"{side}_engine"}
        outcomes = outcomes.join(makers.rename(names), on=f"{side}_id")
    return outcomes


def _gap(sums: Array) -> Array:
    """Column 0 over column 1, minus column 2 over column 3."""
    gap: Array = np.divide(sums[:, 0], sums[:, 1]) - np.divide(sums[:, 2], sums[:, 3])
    return gap
