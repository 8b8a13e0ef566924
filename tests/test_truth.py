"""Truth in short: labels made through faults equal the oracle's, and the oracle would notice if they did not."""

import ast
import copy
import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from benchmarks import oracle, truth
from benchmarks.oracle import Votes
from benchmarks.truth import Outcome, Trial
from schemas.funnel import Count

ORACLE = Path(oracle.__file__)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """A patient client: on a busy machine what takes long need not hang."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truth, "TIMEOUT_S", 4.0)
        patch.setattr("generators.breaker._PATIENCE_S", 120.0)
        return truth.run(40)


def rated(outcome: Outcome) -> Trial:
    return outcome.trials[0]


def test_the_oracle_imports_the_standard_library_only() -> None:
    tree = ast.parse(ORACLE.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_labels_made_through_faults_equal_the_oracles_and_the_balance_closes(outcome: Outcome) -> None:
    figure = truth.figure(outcome)
    assert (figure["prompts"], figure["wrong_labels"], figure["balance_closes"]) == (40, 0, True)
    assert all(outcome.counts[f"fault_{name}"] for name in ("500", "429", "hang", "malformed"))
    assert figure["faults"] > 50
    for trial in outcome.trials:
        assert trial.expected.pairs
        assert trial.expected.ties


def test_replies_came_in_another_order_than_they_were_asked(outcome: Outcome) -> None:
    first: dict[int, int] = {}
    for row in outcome.ledger:
        if row["kind"] == "answer" and row["model"] == "weak" and row["delivered"]:
            first.setdefault(row["question"], row["arrival"])
    assert sorted(first) != sorted(first, key=lambda number: first[number])


@pytest.mark.parametrize("kind", ["answers", "pairs", "ties", "valid"])
def test_a_label_that_is_missing_or_wrong_counts(outcome: Outcome, kind: str) -> None:
    trial = copy.deepcopy(rated(outcome))
    entries = getattr(trial.found, kind)
    missing = entries.pop()
    assert trial.wrong == 1
    entries.add((missing[0], *missing[:0:-1]))
    assert trial.wrong == 2


def test_an_invalid_vote_or_a_missing_quorum_too_many_counts(outcome: Outcome) -> None:
    trial = copy.deepcopy(rated(outcome))
    trial.found.invalid.add((0, "steady", "weak"))
    trial.found.no_quorum.add((0, "weak"))
    assert trial.wrong == 2


def swap_shown(row: dict[str, Any]) -> None:
    row["shown"][0], row["shown"][-1] = row["shown"][-1], row["shown"][0]


def change_scores(row: dict[str, Any]) -> None:
    row["said"] = json.dumps({"scores": dict.fromkeys(json.loads(row["said"])["scores"], 11)})


def show_one_less(row: dict[str, Any]) -> None:
    row["shown"].pop()


def show_another(row: dict[str, Any]) -> None:
    row["shown"][0] = "0" * 24


def spoil_once(row: dict[str, Any]) -> None:
    row["fault"] = "malformed"


@pytest.mark.parametrize("change", [swap_shown, change_scores, show_one_less, show_another, spoil_once])
def test_the_oracle_notices_a_vote_that_is_not_as_planned(outcome: Outcome, change: Callable[[Any], None]) -> None:
    ledger = copy.deepcopy(outcome.ledger)
    row = next(row for row in ledger if row["kind"] == "rate" and row["delivered"] and not row["fault"]
               and row["model"] == "steady" and len(set(json.loads(row["said"])["scores"].values())) > 2)
    rows = [row] if change is not spoil_once else [r for r in ledger if r["body"] == row["body"] and not r["fault"]]
    for each in rows:
        change(each)
    again = oracle.expected(ledger, truth.plan("rate", 40, 2))
    assert again.strange or any(again.differences(rated(outcome).expected).values())


def test_the_oracle_notices_an_answer_that_is_not_as_planned(outcome: Outcome) -> None:
    ledger = copy.deepcopy(outcome.ledger)
    row = next(row for row in ledger if row["kind"] == "answer" and row["delivered"] and not row["fault"])
    row["said"] = "It is 3."
    assert oracle.expected(ledger, truth.plan("rate", 40, 2)).strange


def test_the_oracle_notices_votes_that_were_never_asked_for(outcome: Outcome) -> None:
    ledger = [row for row in outcome.ledger if (row["model"], row["question"]) != ("steady", 3)]
    assert oracle.expected(ledger, truth.plan("rate", 40, 2)).strange


def test_a_row_that_is_not_accounted_for_opens_the_balance(outcome: Outcome) -> None:
    trial = copy.copy(rated(outcome))
    assert truth.balanced(trial)
    responses, *others = trial.made
    lost = type(responses)(responses.table.head(-1), responses.counts)
    assert not truth.balanced(Trial("rate", 40, 2, trial.found, trial.expected, [lost, *others]))
    extra = type(responses)(responses.table, [*responses.counts, Count("responses", "answers", "dropped", "x", 1)])
    assert not truth.balanced(Trial("rate", 40, 2, trial.found, trial.expected, [extra, *others]))


def test_the_oracles_means_are_those_of_a_hand_calculation() -> None:
    votes: dict[str, Votes] = {"j": {("a", "b"): [8, 6]}, "k": {("b", "a"): [7, 9]}, "l": {("b",): [1]}}
    assert oracle.means(2, votes) == {"a": Fraction(17, 2), "b": Fraction(14, 3)}
    assert oracle.means(3, votes) == {"b": Fraction(14, 3)}


def test_the_oracles_duels_are_those_of_a_hand_calculation() -> None:
    for_a: Votes = {("a", "b"): "A", ("b", "a"): "B"}
    undecided: Votes = {("a", "b"): "A", ("b", "a"): "A"}
    half: Votes = {("a", "b"): "A"}
    assert oracle.copeland(1, "ab", {"j": for_a}) == {"a": 1, "b": 0}
    assert oracle.copeland(1, "ab", {"j": undecided}) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}
    assert oracle.copeland(1, "ab", {"j": half}) == {}
    assert oracle.copeland(2, "ab", {"j": for_a, "k": half}) == {}
    assert oracle.copeland(1, "ab", {"j": for_a, "k": undecided}) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}
    assert oracle.copeland(1, "ab", {"j": for_a, "k": undecided, "l": for_a}) == {"a": 1, "b": 0}
