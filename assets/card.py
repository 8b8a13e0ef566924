"""The build's figures in the words of the dataset card."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from assets.dataset import CHECKOUT, PreferenceDataset, known_engines
from assets.misuse import made_by
from exports.facts import Facts
from feedback.chatlogs.again import LoggedAgain
from generators.engines import Engine

_AGREEMENT = {"jury": "All judges", "judge_pairs": "Two judges", "humans_and_jury": "People and models"}
_TESTS = {"case_sources": "Test cases", "smells": "What tests look like that models wrote", "test_outcomes": "Outcomes",
          "runs": "Runs", "test_sizes": "Tests of a prompt",
          "pass_rates": "Responses by share of tests passed", "calibration": "Votes that are right, by their share",
          "standings": "Pairs against the truth", "inversions": "Pairs by the tests of another source",
          "vote_bounds": "Votes without a truth: bounds",
          "mutation": "Planted faults that the test cases of a prompt tell: mean share"}
_DRAWN = {"test_sizes": "prompts", "pass_rates": "responses", "calibration": "value"}
"""Tables of tests that have a bar a row, and the column it is as long as."""
_BAR = 20
_BIAS = {"position": "Position", "length": "Length", "self_preference": "Own answers"}


def card_facts(dataset: PreferenceDataset, told: Mapping[str, Any]) -> Facts:
    """What the card shows, from the recipe, its engines and the audit's report."""
    engines = known_engines(dataset)
    headline = told["headline"]
    facts = Facts(about=dataset.about, method=_method(dataset), funnel=told["funnel"],
                  agreement={title: told[name] for name, title in _AGREEMENT.items() if told[name]},
                  wins=told["win_rates"], cost=told["cost"], tie_rate=headline["tie_rate"],
                  bias={title: told[name] for name, title in _BIAS.items() if told[name]})
    if dataset.truth is not None:
        facts["truth"] = {"Pairs": told["label_accuracy"], "Judges": told["judge_accuracy"]}
    if dataset.outcomes is not None:
        facts["tests"] = {title: _drawn(told[name], _DRAWN.get(name)) for name, title in _TESTS.items() if told[name]}
        facts["limits"] = _limits(dataset)
    answering = getattr(dataset.responses, "engines", ())
    judging = {name for jury in dataset.juries for name in jury.engines}
    facts["models"] = [_model(engines[name]) for name in sorted(answering)]
    facts["judges"] = [{"judge": name, **_model(engines[name])} for name in sorted(judging)]
    return facts


def _drawn(rows: Sequence[Mapping[str, Any]], column: str | None) -> Sequence[Mapping[str, Any]]:
    """The rows with a bar each: the largest number, or a share of 1, is the longest, and what is not 0 is seen."""
    if column is None:
        return rows
    most = max([1.0, *(row[column] or 0 for row in rows)])
    return [{**row, "plot": "█" * max(round(_BAR * (row[column] or 0) / most), 1 if row[column] else 0)}
            for row in rows]


def _model(engine: Engine) -> dict[str, str | None]:
    return {"model": engine.model, "revision": engine.revision, "licence": engine.licence}


def _method(dataset: PreferenceDataset) -> dict[str, str]:
    """Each keyword of the recipe and the operator behind it."""
    parts = {"messages": dataset.messages, "responses": dataset.responses, "rankings": dataset.rankings,
             **dict(zip(("preferences", "preferences 2"), dataset.pairings, strict=False)),
             "programs": dataset.programs, "executions": dataset.executions, "outcomes": dataset.outcomes,
             "unpaired": dataset.unpaired, "lists": dataset.lists, "correct": dataset.correct,
             "mutation": dataset.mutation}
    method = {name: in_words(part) for name, part in parts.items() if part is not None}
    method |= {f"judgments {number}": in_words(part) for number, part in enumerate(dataset.judged, 1)}
    if isinstance(dataset.responses, LoggedAgain):
        method["responses"] = in_words(dataset.responses.logged)
        method["answered again"] = in_words(dataset.responses.again)
        method |= {f"answered again, {name}": in_words(part) for name, part in dataset.responses.again.readers.items()}
    for loop in dataset.loops:
        method |= {f"{type(loop).__name__.lower()}, {name}": in_words(part) for name, part in _parts_of(loop).items()}
    if dataset.rounds is not None and dataset.round is not None:
        method["round"] = f"{dataset.round} of {dataset.rounds.n}, on prompts that no other round has"
    for name, several in (("feedback_events", dataset.tellers), ("test_inputs", dataset.written_inputs),
                          ("test_cases", (*dataset.case_sources, *dataset.case_rules))):
        method |= {f"{name} {number}": in_words(part) for number, part in enumerate(several, 1)}
    if dataset.kept:
        method["kept"] = ", ".join(rule.name for rule in dataset.kept)
    return method


def _parts_of(loop: Any) -> dict[str, Any]:
    return {field.name: getattr(loop, field.name) for field in dataclasses.fields(loop)}


def _limits(dataset: PreferenceDataset) -> list[str]:
    """What labels by tests cannot know."""
    made = made_by(dataset)
    told = []
    if made <= {"vote", "model"}:
        who = {"vote": "the vote of the answers themselves", "model": "what a model wrote"}
        told.append(f"Expected outputs are {' and '.join(who[one] for one in sorted(made))}: an error that most share "
                    "passes for right.")
    if dataset.repairs is not None and not set(dataset.repairs.report.sources or made).isdisjoint(made):
        told.append("Repairs were shown tests that label them: a repair may have copied what is expected.")
    if not any(getattr(part, "anchor", ()) for part in dataset.pairings):
        told.append("No test of people or references anchors the chosen answer: in some pairs both answers are wrong.")
    return told


def in_words(operator: Any) -> str:
    """An operator and its settings, in one line; long texts are left to the criteria table."""
    owner = getattr(operator, "__self__", operator)
    if not dataclasses.is_dataclass(owner):
        return getattr(operator, "__name__", type(owner).__name__)
    settings = {field.name: getattr(owner, field.name) for field in dataclasses.fields(owner)}
    told = {name: repr(value).replace(f"{CHECKOUT}/", "") for name, value in settings.items() if value is not None}
    shown = [f"{name}={said}" for name, said in told.items() if len(said) <= 80 and " at 0x" not in said]
    return f"{type(owner).__name__.lower()}({', '.join(shown)})"
