"""Stages that judge: the judges' raw replies, the votes read from them, and the rankings the votes add up to."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl

from assets import views
from assets.checks import RANKING_CHECKS, VOTE_CHECKS, check_rankings, check_votes
from assets.dataset import Jury, PreferenceDataset
from assets.generation import asked, snapshot
from assets.stage import Means, Output, Stage, Tables
from feedback.chatlogs.followups import FollowUps, length_correlation
from feedback.jury.aggregate import Aggregate
from generators.turns import Errand
from schemas import COMPLETIONS, JUDGMENTS, RANKINGS
from schemas.funnel import summed


def judge_completions(dataset: PreferenceDataset) -> Stage:
    """The stage that asks the judges and snapshots their replies."""
    judges: set[str] = set().union(*(jury.engines for jury in dataset.juries))

    def make(means: Means, tables: Tables) -> Output:
        errands = [Errand(plan=partial(jury.plan, tables["prompts"], tables["responses"]), parse=jury.parse)
                   for jury in dataset.juries]
        return snapshot("judge_completions", asked(dataset, means, errands, judges))

    return Stage(name="judge_completions", meaning="the raw replies of the models that judge",
                 writes={"judge_completions": COMPLETIONS}, needs=("prompts", "responses"), make=make,
                 show={"judge_completions": views.replies("judge_completions")}, engines=frozenset(judges))


def judgments(dataset: PreferenceDataset) -> Stage:
    """The stage that reads the votes out of the judges' replies and the user's files; calls no model."""

    def make(means: Means, tables: Tables) -> Output:
        parts, counts = [], []
        for part in dataset.judged:
            if isinstance(part, Jury):
                made = part.judgments(tables["prompts"], tables["responses"], tables["judge_completions"],
                                      means.engines)
            else:
                made = part()
            parts.append(made.table)
            counts += made.counts
        votes = pl.concat(parts).sort("judgment_id")
        return Output(tables={"judgments": votes}, counts=summed(counts))

    def show(tables: Tables) -> Mapping[str, Any]:
        told = {f"{part.engine}: rank correlation of {part.aspect} with length": length_correlation(
            part.scores(tables["judgments"]), tables["responses"], part.aspect)
            for part in dataset.juries if isinstance(part, FollowUps)}
        return {**views.judgments(tables), **{name: value for name, value in told.items() if value is not None}}

    replies = ("judge_completions",) if dataset.juries else ()
    return Stage(name="judgments", meaning=JUDGMENTS.meaning, writes={"judgments": JUDGMENTS},
                 needs=("prompts", "responses", *replies), make=make, show={"judgments": show},
                 checks=VOTE_CHECKS, check=check_votes)


def rankings(aggregate: Aggregate) -> Stage:
    """The stage that adds the votes up; calls no model."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("rankings", aggregate(tables["responses"], tables["judgments"]))

    return Stage(name="rankings", meaning=RANKINGS.meaning, writes={"rankings": RANKINGS},
                 needs=("responses", "judgments"), make=make, show={"rankings": views.rankings},
                 checks=RANKING_CHECKS, check=check_rankings)
