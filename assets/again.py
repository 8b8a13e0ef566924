"""Stages of answering again: wishes out of complaints and edits, and answers under them and from scratch."""

from functools import partial

import polars as pl

from assets import views
from assets.dataset import PreferenceDataset
from assets.generation import asked, snapshot
from assets.stage import Means, Output, Stage, Tables
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.inferences import Infer
from feedback.chatlogs.summaries import Summarise
from generators.turns import Errand
from schemas import COMPLETIONS, CRITERIA, PROMPTS, RESPONSES

ASKED, WISHES = "again_completions", "summaries"
READ = {"summaries": "summary_completions", "edits": "inference_completions"}
"""The replies of what makes wishes, by its keyword."""
_MEANINGS = {"summaries": "the raw replies of the model that sums complaints up",
             "edits": "the raw replies of the model that infers preferences from edits"}
_SAID = ("messages", "feedback_events")


def before_prompts(dataset: PreferenceDataset, part: LoggedAgain) -> list[Stage]:
    """The stages that make wishes of complaints and edits, and the prompts with the wishes as checklist."""
    names = tuple(READ[name] for name in part.again.readers)

    def read(means: Means, tables: Tables) -> Output:
        replies = {name: tables[READ[name]] for name in part.again.readers}
        return Output.of(WISHES, part.again.criteria(
            tables["messages"], tables["feedback_events"], replies, means.engines))

    def prompts(_: Means, tables: Tables) -> Output:
        return Output.of("prompts", part.prompts(*(tables[name] for name in (*_SAID, WISHES))))

    return [
        *(_reader(dataset, name, reader) for name, reader in part.again.readers.items()),
        Stage(name=WISHES, meaning="what users want of the answers they complained of or edited",
              writes={WISHES: CRITERIA}, needs=(*_SAID, *names), make=read, show={WISHES: _wishes}),
        Stage(name="prompts", meaning=PROMPTS.meaning, writes={"prompts": PROMPTS}, needs=(*_SAID, WISHES),
              make=prompts, show={"prompts": views.prompts})]


def _reader(dataset: PreferenceDataset, keyword: str, reader: Summarise | Infer) -> Stage:
    """The stage that asks what users want."""
    name = READ[keyword]

    def ask(means: Means, tables: Tables) -> Output:
        errand = Errand(plan=partial(reader.plan, tables["messages"], tables["feedback_events"]), parse=reader.parse)
        return snapshot(name, asked(dataset, means, [errand], reader.engines))

    return Stage(name=name, meaning=_MEANINGS[keyword], writes={name: COMPLETIONS}, needs=_SAID, make=ask,
                 show={name: views.replies(name)}, engines=frozenset(reader.engines))


def responses(dataset: PreferenceDataset, part: LoggedAgain) -> list[Stage]:
    """The stages that answer again, and put the new answers beside those of the log."""

    def ask(means: Means, tables: Tables) -> Output:
        plan = partial(part.again.plan, tables["messages"], tables["feedback_events"], tables[WISHES])
        errand = Errand(plan=plan, parse=part.again.parse)
        return snapshot(ASKED, asked(dataset, means, [errand], part.again.engines))

    def read(means: Means, tables: Tables) -> Output:
        said = tables["messages"], tables["feedback_events"]
        logged = part.logged.responses(*said)
        new = part.again.responses(*said, tables[WISHES], tables[ASKED], means.engines)
        both = pl.concat([logged.table, new.table]).sort("response_id")
        return Output(tables={"responses": both}, counts=[*logged.counts, *new.counts])

    return [
        Stage(name=ASKED, meaning="the raw replies of the model that answers again", writes={ASKED: COMPLETIONS},
              needs=(*_SAID, WISHES), make=ask, show={ASKED: views.replies(ASKED)},
              engines=frozenset(part.again.engines)),
        Stage(name="responses", meaning=RESPONSES.meaning, writes={"responses": RESPONSES},
              needs=("prompts", *_SAID, WISHES, ASKED), make=read, show={"responses": views.responses})]


def _wishes(tables: Tables) -> dict[str, object]:
    return dict(views.criteria({"criteria": tables[WISHES]}))
