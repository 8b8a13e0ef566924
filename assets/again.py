"""Stages of answering again: wishes out of complaints, and what a model answers under them and from scratch."""

from functools import partial

import polars as pl

from assets import views
from assets.dataset import PreferenceDataset
from assets.generation import reply_counts
from assets.stage import Means, Output, Stage, Tables
from feedback.chatlogs.again import LoggedAgain
from generators.turns import Errand, collect_served
from schemas import COMPLETIONS, CRITERIA, PROMPTS, RESPONSES

ASKED, SUMMED, WISHES = "again_completions", "summary_completions", "summaries"
_SAID = ("messages", "feedback_events")


def before_prompts(dataset: PreferenceDataset, part: LoggedAgain) -> list[Stage]:
    """The stages that sum complaints up, and the prompts with the wishes as checklist."""

    def ask(means: Means, tables: Tables) -> Output:
        errand = Errand(plan=partial(part.again.summaries.plan, tables["messages"], tables["feedback_events"]),
                        parse=part.again.summaries.parse)
        return _replies(SUMMED, errand, dataset, means, part.again.summaries.engines)

    def read(means: Means, tables: Tables) -> Output:
        return Output.of(WISHES, part.again.summaries.criteria(
            tables["messages"], tables["feedback_events"], tables[SUMMED], means.engines))

    def prompts(_: Means, tables: Tables) -> Output:
        return Output.of("prompts", part.prompts(*(tables[name] for name in (*_SAID, WISHES))))

    return [
        Stage(name=SUMMED, meaning="the raw replies of the model that sums complaints up", writes={SUMMED: COMPLETIONS},
              needs=_SAID, make=ask, show={SUMMED: views.replies(SUMMED)},
              engines=frozenset(part.again.summaries.engines)),
        Stage(name=WISHES, meaning="what users want of the answers they complained of", writes={WISHES: CRITERIA},
              needs=(*_SAID, SUMMED), make=read, show={WISHES: _wishes}),
        Stage(name="prompts", meaning=PROMPTS.meaning, writes={"prompts": PROMPTS}, needs=(*_SAID, WISHES),
              make=prompts, show={"prompts": views.prompts})]


def responses(dataset: PreferenceDataset, part: LoggedAgain) -> list[Stage]:
    """The stages that answer again, and put the new answers beside those of the log."""

    def ask(means: Means, tables: Tables) -> Output:
        errand = Errand(plan=partial(part.again.plan, tables["messages"], tables[WISHES]), parse=part.again.parse)
        return _replies(ASKED, errand, dataset, means, part.again.engines)

    def read(means: Means, tables: Tables) -> Output:
        logged = part.logged.responses(*(tables[name] for name in _SAID))
        new = part.again.responses(tables["messages"], tables[WISHES], tables[ASKED], means.engines)
        both = pl.concat([logged.table, new.table]).sort("response_id")
        return Output(tables={"responses": both}, counts=[*logged.counts, *new.counts])

    return [
        Stage(name=ASKED, meaning="the raw replies of the model that answers again", writes={ASKED: COMPLETIONS},
              needs=("messages", WISHES), make=ask, show={ASKED: views.replies(ASKED)},
              engines=frozenset(part.again.engines)),
        Stage(name="responses", meaning=RESPONSES.meaning, writes={"responses": RESPONSES},
              needs=("prompts", *_SAID, WISHES, ASKED), make=read, show={"responses": views.responses})]


def _wishes(tables: Tables) -> dict[str, object]:
    return dict(views.criteria({"criteria": tables[WISHES]}))


def _replies(name: str, errand: Errand, dataset: PreferenceDataset, means: Means, engines: set[str]) -> Output:
    [told] = collect_served([errand], means.engines, engines, means.store, reasks=dataset.reasks, budget=means.budget,
                            progress=means.progress, started=means.started)
    return Output(tables={name: told}, counts=reply_counts(name, told))
