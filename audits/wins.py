"""Who wins? Models against models: wins, ties, losses, rates with intervals over prompts, Bradley-Terry strengths."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from audits.bootstrap import Array, Resamples, ratios, resamples

DUELS = {"prompt_id": pl.String, "model_a": pl.String, "model_b": pl.String, "outcome": pl.String}
_STEPS = 2000
_CLOSE = 1e-10


def duels(rankings: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """Every two ranked answers to a prompt by different models, model_a < model_b: outcome is a, b or tie, by rank."""
    maker = responses.select("response_id", "model")
    ranked = rankings.filter(pl.col("outcome") == "ranked").select("prompt_id", "response_id", "rank")
    ranked = ranked.join(maker, on="response_id")
    met = ranked.join(ranked, on="prompt_id", suffix="_b").filter(pl.col("model") < pl.col("model_b"))
    says = (pl.when(pl.col("rank") < pl.col("rank_b")).then(pl.lit("a"))
            .when(pl.col("rank") > pl.col("rank_b")).then(pl.lit("b")).otherwise(pl.lit("tie")))
    return met.select("prompt_id", pl.col("model").alias("model_a"), "model_b", says.alias("outcome")).sort(*DUELS)


def arm_duels(rankings: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """As `duels`, with the arms of an experiment as models, where there are two or more; `logged` are the logs' own."""
    if responses["arm"].n_unique() - (responses["arm"].null_count() > 0) < 2:
        return pl.DataFrame(schema=DUELS)
    arm = pl.coalesce("arm", pl.when(pl.col("origin") == "log").then(pl.lit("logged")))
    return duels(rankings, responses.with_columns(model=arm).filter(pl.col("model").is_not_null()))


def arms(met: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Each arm against each other, once: arm, other, prompts, duels, wins, ties, losses, value, low, high, reason.

    `value` is the arm's win rate with ties as halves, with its interval over prompts.
    """
    found = _rates(_both_ways(met), ["model", "opponent"], draws or resamples(met["prompt_id"]))
    once = found.rename({"model": "arm", "opponent": "other"}).filter(pl.col("arm") > pl.col("other"))
    return once.sort("arm", "other", descending=[True, False])


def matrix(met: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Each model against each other: model, opponent, prompts, duels, wins, ties, losses, value, low, high, reason.

    `value` is the win rate with ties as halves.
    """
    return _rates(_both_ways(met), ["model", "opponent"], draws or resamples(met["prompt_id"]))


def win_rates(met: pl.DataFrame, draws: Resamples | None = None) -> pl.DataFrame:
    """Each model against all others, best first.

    Columns: model, prompts, duels, wins, ties, losses, value, low, high, reason, wins_only, strength. `value` is the
    win rate with ties as halves, with its interval; wins_only counts ties as no win (Arif et al. 2024). `strength` is
    the Bradley-Terry strength as a logarithm (mean 0), null where wins do not connect all models.
    """
    ways = _both_ways(met)
    rates = _rates(ways, ["model"], draws or resamples(met["prompt_id"]))
    models = rates["model"].to_list()
    strengths = bradley_terry(_wins(ways, models))
    return rates.with_columns(
        wins_only=pl.col("wins") / pl.col("duels"), strength=pl.Series(strengths, dtype=pl.Float64),
    ).sort("value", "model", descending=[True, False], nulls_last=True)


def bradley_terry(wins: Array) -> list[float | None]:
    """Bradley-Terry log strengths, mean 0, from wins[i, j] of i over j, by minorisation (Hunter 2004).

    None for all where the wins do not connect the models both ways: then the best strengths are not finite.
    """
    size = len(wins)
    if size < 2 or not _connected(wins):
        return [None] * size
    met, won, strength = wins + wins.T, wins.sum(axis=1), np.ones(size)
    for _ in range(_STEPS):
        better = won / (met / (strength[:, None] + strength[None, :])).sum(axis=1)
        better /= np.exp(np.log(better).mean())
        done = np.abs(better / strength - 1).max() < _CLOSE
        strength = better
        if done:
            break
    return [float(value) for value in np.log(strength)]


def _both_ways(met: pl.DataFrame) -> pl.DataFrame:
    """Each duel seen from both models: prompt_id, model, opponent, wins, ties, losses (0 or 1), points, duels (1)."""
    def seen(model: str, opponent: str) -> pl.DataFrame:
        wins, losses = pl.col("outcome") == model[-1], pl.col("outcome") == opponent[-1]
        return met.select(
            "prompt_id", pl.col(model).alias("model"), pl.col(opponent).alias("opponent"), wins.alias("wins"),
            (pl.col("outcome") == "tie").alias("ties"), losses.alias("losses"), duels=pl.lit(1, pl.Int64),
            points=pl.when(wins).then(1.0).when(losses).then(0.0).otherwise(0.5))
    return pl.concat([seen("model_a", "model_b"), seen("model_b", "model_a")])


def _rates(ways: pl.DataFrame, by: Sequence[str], draws: Resamples) -> pl.DataFrame:
    found = ratios(ways, by, "points", "duels", draws, "it met no other model")
    counts = ways.group_by(by).agg(pl.col("wins", "ties", "losses").sum().cast(pl.Int64))
    named = found.join(counts, on=list(by), how="left", maintain_order="left")
    return named.select(
        *by, "prompts", pl.col("duels").cast(pl.Int64), "wins", "ties", "losses", "value", "low", "high", "reason")


def _wins(ways: pl.DataFrame, models: list[str]) -> Array:
    """wins[i, j]: how often model i beat model j, ties as halves."""
    number = {model: place for place, model in enumerate(models)}
    wins = np.zeros((len(models), len(models)))
    for model, opponent, points in ways.group_by("model", "opponent").agg(pl.col("points").sum()).iter_rows():
        wins[number[model], number[opponent]] = points
    return wins


def _connected(wins: Array) -> bool:
    """Whether from each model a chain of wins leads to each other (Ford 1957)."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins)):
        reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
    return bool(reach.all())
