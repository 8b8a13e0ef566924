"""Recipes that could not be finished, or whose labels would say nothing: each is refused with its remedy, unpaid."""

from itertools import combinations
from typing import TYPE_CHECKING

from feedback.jury.rate import Rate
from feedback.testcases.answers import Answers
from feedback.testcases.execute import Execute
from feedback.testcases.generate import Generate
from feedback.testcases.given import Given
from feedback.testcases.given_tests import GivenTests
from feedback.testcases.mutate import Mutate
from feedback.testcases.references import SOURCE as REFERENCE
from feedback.testcases.references import References
from feedback.testcases.vote import Vote, agreed
from generators.sample import Sample
from preferences.by_steps import PairBySteps
from preferences.by_tests import PairByTests
from preferences.pair import Pair
from preferences.unpaired import Unpaired
from preferences.unpaired_by_tests import UnpairedByTests
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from assets.dataset import Jury, PreferenceDataset

    Label = PairByTests | PairBySteps | UnpairedByTests

_TABLES = ("programs", "test_inputs", "executions", "test_cases", "outcomes")
_LATER = ("steps", "repairs", "hints", "correct", "mutation")


def check_pairings(dataset: "PreferenceDataset") -> None:
    """Refuse pairs of several kinds that are not whole answers beside beginnings."""
    kinds = [type(part) for part in dataset.pairings]
    if len(kinds) != 1 and sorted(kinds, key=repr) != sorted((PairByTests, PairBySteps), key=repr):
        raise ConfigError(f"{dataset.name}: preferences= holds {len(kinds)} kinds of pairs; write one, or pairs of "
                          "whole answers and of their beginnings: (pair_by_tests(...), pair_by_steps(...))")


def check_votes(dataset: "PreferenceDataset") -> None:
    """Refuse votes that nobody ranks, and labels that want votes where there are none."""
    ranked = dataset.rankings is not None
    if dataset.judged and not ranked:
        raise ConfigError(f"{dataset.name}: judgments are made but nothing ranks them; add rankings=mean()")
    if ranked and not dataset.judged:
        raise ConfigError(f"{dataset.name}: rankings need votes; add judgments=compare(...) or rate(...)")
    voteless = all(not isinstance(part, Pair) or part.models is not None for part in dataset.pairings)
    if not ranked and not (voteless and dataset.lists is None and not isinstance(dataset.unpaired, Unpaired)):
        raise ConfigError(f"{dataset.name}: only pair('by-model-order'), pair_by_tests(), pair_by_steps() and "
                          "unpaired_by_tests() do without votes; add judgments= and rankings=, and leave unpaired and "
                          "lists out where there are none")
    for one, other in combinations(dataset.juries, 2):
        same = set(one.criteria()["criterion_id"]) & set(other.criteria()["criterion_id"])
        if same and (twice := sorted(one.engines & other.engines)):
            raise ConfigError(f"{dataset.name}: two juries ask {', '.join(twice)} the same, so that one reply would be "
                              "two votes; name each judge in one of them")
    if dataset.rankings is not None and dataset.rankings.how != "majority":
        counted = dataset.rankings.aspects
        kinds = {type(jury) for jury in dataset.juries if counted is None or not _aspects(jury).isdisjoint(counted)}
        if len(kinds) > 1:
            raise ConfigError(f"{dataset.name}: scores and comparisons have no common {dataset.rankings.how}; use "
                              "majority(), or name the aspects of one kind: aspects=(...)")


def check_splits(dataset: "PreferenceDataset") -> None:
    """Refuse parts that split train and test in different ways."""
    splits = {(part.seed, part.test_share) for part in (*dataset.pairings, dataset.unpaired, dataset.lists) if part}
    if len(splits) > 1 and any(share for _, share in splits):
        raise ConfigError(f"{dataset.name}: preferences, unpaired and lists split train and test in different ways, "
                          "so that one's test would train another; give all the same seed and test_share")


def check_tests(dataset: "PreferenceDataset") -> None:
    """Refuse test cases that are made in part, read by nobody, or can give no label."""
    parts = (*dataset.pairings, dataset.unpaired)
    labels = [part for part in parts if isinstance(part, PairByTests | PairBySteps | UnpairedByTests)]
    given = [name for name in (*_TABLES, *_LATER) if getattr(dataset, name) not in (None, ())]
    if not labels and not given:
        if isinstance(dataset.truth, References | Given):
            raise ConfigError(f"{dataset.name}: truth={named(dataset.truth)} needs executions; write a function "
                              "(messages, text) -> quality, or make the tables of test cases")
        return
    if not labels:
        raise ConfigError(f"{dataset.name}: {', '.join(given)} are made, but no label reads them; write "
                          "preferences=pair_by_tests() or unpaired=unpaired_by_tests()")
    _check_tables(dataset)
    _check_kinds(dataset)
    _check_inputs(dataset)
    _check_later(dataset, labels)
    _check_mutation(dataset)
    _check_sources(dataset, labels)
    _check_counts(dataset)


def _check_tables(dataset: "PreferenceDataset") -> None:
    """Refuse a chain of tables with a link missing."""
    remedies = {"executions": "execute() for programs, answers() for stated answers", "test_cases": "vote_outputs()",
                "outcomes": "check()", "test_inputs": "generate_inputs(...), or answer_inputs for stated answers",
                "programs": "programs()"}
    needed = _TABLES if isinstance(dataset.executions, Execute) else _TABLES[1:]
    for name in needed:
        if getattr(dataset, name) in (None, ()):
            raise ConfigError(f"{dataset.name}: labels by tests need {name}; add {name}={remedies[name]}")
    if isinstance(dataset.executions, Answers) and dataset.programs is not None:
        raise ConfigError(f"{dataset.name}: answers() reads what responses state and runs nothing; leave programs out, "
                          "or write executions=execute()")


def _check_later(dataset: "PreferenceDataset", labels: "list[Label]") -> None:
    """Refuse beginnings and repairs that are paid for and read by nobody."""
    by_steps = any(isinstance(part, PairBySteps) for part in dataset.pairings)
    if by_steps and dataset.steps is None:
        raise ConfigError(f"{dataset.name}: pair_by_steps() needs steps; add steps=steps(cut(), complete([...]))")
    if dataset.steps is not None and not by_steps:
        raise ConfigError(f"{dataset.name}: steps are made, but nothing pairs them; write preferences=pair_by_steps(), "
                          "or (pair_by_tests(), pair_by_steps()), or leave steps out")
    made = {source_of(part) for part in dataset.case_sources}
    for loop in (dataset.repairs, dataset.hints):
        if loop is not None and (unmade := sorted(set(loop.report.sources or ()) - made)):
            raise ConfigError(f"{dataset.name}: report(sources=...) names {', '.join(unmade)}, and test_cases makes "
                              f"{', '.join(sorted(made))}, so that nothing would be repaired; name what is made")
    if dataset.repairs is not None and all(isinstance(part, PairBySteps) for part in labels):
        raise ConfigError(f"{dataset.name}: repairs are made, but pair_by_steps() reads beginnings of answers alone; "
                          "add unpaired=unpaired_by_tests(), or leave repairs out")


def _check_mutation(dataset: "PreferenceDataset") -> None:
    """Refuse faults planted in nothing, or in another language."""
    if dataset.mutation is None:
        return
    if dataset.programs is None:
        raise ConfigError(f"{dataset.name}: mutation_score() plants faults in programs, and answers() reads what "
                          "responses state; leave mutation out, or write programs=programs() and executions=execute()")
    if dataset.programs.language != "python":
        raise ConfigError(f"{dataset.name}: mutation_score() plants faults in Python alone, and programs are in "
                          f"{dataset.programs.language}; leave mutation out")


def _check_kinds(dataset: "PreferenceDataset") -> None:
    """Refuse inputs of a kind that nothing is run on."""
    runs = dataset.programs.kind if dataset.programs else "answer"
    for part in (*dataset.written_inputs, *dataset.case_sources, dataset.truth):
        kind = part.kind if isinstance(part, Generate | Given) else part.hidden.kind if isinstance(
            part, References) and part.hidden else runs
        if kind != runs and (kind, runs) != ("tests", "call"):
            told = f"programs(kind={runs!r})" if dataset.programs else "answers()"
            raise ConfigError(f"{dataset.name}: {named(part)} is of kind {kind!r}, and {told} reads {runs!r}; make "
                              "them of one kind")
    if any(isinstance(part, Generate) and not part.expected for part in dataset.case_sources):
        raise ConfigError(f"{dataset.name}: generate_inputs writes no expected outputs; in test_cases write "
                          "generate_cases(...), or vote_outputs()")


def _check_inputs(dataset: "PreferenceDataset") -> None:
    """Refuse mutations of nothing, or of texts."""
    parts, calls = dataset.written_inputs, dataset.programs is not None and dataset.programs.kind == "call"
    mutating = [isinstance(part, Mutate) for part in parts]
    if any(mutating) and (all(mutating) or not calls):
        raise ConfigError(f"{dataset.name}: mutate_inputs() changes the arguments of calls that other parts of "
                          "test_inputs make; write programs() of kind 'call', and "
                          "test_inputs=(generate_inputs(...), mutate_inputs())")
    written = [part for part in dataset.case_sources if isinstance(part, Generate | GivenTests)]
    if lone := [part for part in written if part not in parts]:
        what = f"what {', '.join(lone[0].names)} writes" if isinstance(lone[0], Generate) else named(lone[0])
        raise ConfigError(f"{dataset.name}: test_cases= holds {what}, and test_inputs= does not, so that nothing would "
                          "run on it; give the same to both")


def _check_sources(dataset: "PreferenceDataset", labels: "list[Label]") -> None:
    """Refuse labels by sources that make no case, and a truth that would judge itself."""
    made = {source_of(part) for part in dataset.case_sources}
    if agreed in dataset.case_rules and len(made) == 1:
        raise ConfigError(f"{dataset.name}: agreed keeps cases on which another source agrees, and test_cases makes "
                          f"those of {min(made)} only; add generate_cases(...), given(...) or by_reference()")
    for part in labels:
        sources = _sources(dataset, part)
        wanted = {*(sources or ()), *(part.anchor if isinstance(part, PairByTests) else ())}
        if unmade := sorted(wanted - made):
            raise ConfigError(f"{dataset.name}: labels read cases of source {', '.join(unmade)}, and test_cases makes "
                              f"{', '.join(sorted(made))}; add what makes them, or leave the source out")
        counted = {*(sources or made), *wanted}
        if dataset.truth in dataset.case_sources and source_of(dataset.truth) in counted:
            raise ConfigError(f"{dataset.name}: truth={named(dataset.truth)} also makes the labels, so that it would "
                              "judge itself; leave it out of truth, or out of the labels' sources")


def _check_counts(dataset: "PreferenceDataset") -> None:
    """Refuse numbers under which no vote is ever decided, or no pair ever made."""
    votes = [part for part in dataset.case_sources if isinstance(part, Vote)]
    if votes and isinstance(dataset.responses, Sample):
        sample = dataset.responses
        members = sorted((member.n or sample.n for member in sample.pool), reverse=True)
        most = sum(members[:sample.k])
        if most < votes[0].min_voters:
            raise ConfigError(f"{dataset.name}: vote_outputs(min_voters={votes[0].min_voters}) needs as many answers "
                              f"to a prompt, and responses= gives {most}; raise n in sample(...), or lower min_voters")
    for pairing in dataset.pairings:
        if not isinstance(pairing, PairByTests):
            continue
        inputs = dataset.written_inputs
        tests = sum(part.n * len(part.names) for part in inputs if isinstance(part, Generate))
        limited = isinstance(dataset.executions, Answers) or all(isinstance(part, Generate) for part in inputs)
        tests = 1 if isinstance(dataset.executions, Answers) else tests * max(1, len(made_by(dataset)))
        if limited and tests < pairing.margin:
            raise ConfigError(f"{dataset.name}: pair_by_tests(margin={pairing.margin}) asks for more than the "
                              f"{tests} test(s) of a prompt; lower margin, or make more inputs")


def made_by(dataset: "PreferenceDataset") -> set[str]:
    """The sources whose cases count for pairs."""
    made = {source_of(part) for part in dataset.case_sources}
    read = [_sources(dataset, part) for part in dataset.pairings if isinstance(part, PairByTests | PairBySteps)]
    return made if None in read or not read else made & {name for sources in read for name in sources or ()}


def _sources(dataset: "PreferenceDataset", part: "Label") -> tuple[str, ...] | None:
    """The sources that a label reads; None: all."""
    if isinstance(part, PairBySteps):
        return dataset.steps.value.sources if dataset.steps else None
    return part.sources


def source_of(part: object) -> str:
    """The source of the cases that a part of test_cases makes."""
    if isinstance(part, Given):
        return part.source
    return "vote" if isinstance(part, Vote) else "model" if isinstance(part, Generate) else REFERENCE


def _aspects(jury: "Jury") -> set[str]:
    return set(jury.aspects) if isinstance(jury, Rate) else {jury.aspect}


def named(part: object) -> str:
    """A part of a recipe as it is written there, for messages."""
    if isinstance(part, GivenTests):
        return f"given_tests({part.field!r})"
    return {References: "by_reference()", Given: "given()", Generate: "generate_inputs()", Pair: "pair()"}.get(
        type(part), repr(part)[:60])
