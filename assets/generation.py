"""Stages that produce text: prompts, the raw replies, and the responses read from them."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import polars as pl

from assets import views
from assets.dataset import Importer, PreferenceDataset
from assets.given_fields import check_fields
from assets.stage import Means, Output, Stage, Tables
from generators.sample import Sample
from generators.turns import Errand, collect_served
from schemas import COMPLETIONS, CRITERIA, PROMPTS, RESPONSES
from schemas.funnel import Count, count


def prompts(dataset: PreferenceDataset) -> Stage:
    """The stage that reads the prompts, and sees that their fields hold what later stages take from them."""

    def make(_: Means, __: Tables) -> Output:
        made = dataset.prompts()
        check_fields(dataset, made.table)
        return Output.of("prompts", made)

    return Stage(name="prompts", meaning=PROMPTS.meaning, writes={"prompts": PROMPTS}, needs=(), make=make,
                 show={"prompts": views.prompts})


def criteria(dataset: PreferenceDataset) -> Stage:
    """The stage that writes down the principles and rubrics that models will see."""

    def make(_: Means, __: Tables) -> Output:
        answering = [dataset.responses] if isinstance(dataset.responses, Sample) else []
        askers = [*answering, *dataset.juries]
        rows = pl.concat([part.criteria() for part in askers])
        return Output(tables={"criteria": rows.unique("criterion_id").sort("criterion_id")})

    return Stage(name="criteria", meaning=CRITERIA.meaning, writes={"criteria": CRITERIA}, needs=(), make=make,
                 show={"criteria": views.criteria}, counts_rows=False)


def completions(dataset: PreferenceDataset, sample: Sample) -> Stage:
    """The stage that asks the pool for answers and snapshots the replies."""

    def make(means: Means, tables: Tables) -> Output:
        errand = Errand(plan=partial(sample.plan, tables["prompts"]), parse=sample.parse)
        return snapshot("completions", asked(dataset, means, [errand], sample.engines))

    return Stage(name="completions", meaning="the raw replies of the models that answer",
                 writes={"completions": COMPLETIONS}, needs=("prompts",), make=make,
                 show={"completions": views.replies("completions")}, engines=frozenset(sample.engines))


def responses(sample: Sample) -> Stage:
    """The stage that reads the answers out of the raw replies; calls no model."""

    def make(_: Means, tables: Tables) -> Output:
        return Output.of("responses", sample.responses(tables["prompts"], tables["completions"]))

    return Stage(name="responses", meaning=RESPONSES.meaning, writes={"responses": RESPONSES},
                 needs=("prompts", "completions"), make=make, show={"responses": views.responses})


def imported_responses(importer: Importer) -> Stage:
    """The stage that reads existing answers from the user's files."""

    def make(_: Means, __: Tables) -> Output:
        return Output.of("responses", importer())

    return Stage(name="responses", meaning=RESPONSES.meaning, writes={"responses": RESPONSES},
                 needs=("prompts",), make=make, show={"responses": views.responses})


def asked(dataset: PreferenceDataset, means: Means, errands: Sequence[Errand], engines: set[str]) -> pl.DataFrame:
    """The replies of these engines to all errands, sorted by key; none where there is no engine to ask.

    Errands may share a request, made for different prompts: it is one row.
    """
    if not engines:
        return pl.DataFrame(pl.from_arrow(COMPLETIONS.rows([])))
    parts = collect_served(errands, means.engines, engines, means.store, reasks=dataset.reasks, budget=means.budget,
                           progress=means.progress, started=means.started)
    key = list(COMPLETIONS.key)
    return pl.concat(parts).sort(*key, "prompt_id").unique(key, keep="first", maintain_order=True)


def snapshot(name: str, replies: pl.DataFrame) -> Output:
    """The output of a stage that asks, and does no more."""
    return Output(tables={name: replies}, counts=reply_counts(name, replies))


def reply_counts(step: str, replies: pl.DataFrame) -> list[Count]:
    """The funnel of a snapshot: every reply that came or failed to come, by its status."""
    by_status = Counter[str](replies["status"].to_list())
    failed = Counter({status: by_status[status] for status in ("invalid", "error") if by_status[status]})
    return count(step, "replies", replies.height, out=by_status["ok"], failed=failed)
