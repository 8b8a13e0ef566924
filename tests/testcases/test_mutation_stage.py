"""Mutation scores as a stage of a recipe: planted programs whose faults are counted by hand, on the card and the UI."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from audits.bootstrap import resamples
from audits.mutation import mutation
from feedback.imports.samples import samples
from feedback.testcases.answers import answers
from feedback.testcases.execute import execute
from feedback.testcases.given import answer_inputs, given
from feedback.testcases.given_tests import given_tests
from feedback.testcases.mutation_score import mutation_score
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import vote_outputs
from filters.pairs import identical
from preferences.by_tests import pair_by_tests
from preferences.pair import pair
from schemas import MEASUREMENTS
from schemas.errors import ConfigError
from tests.testcases.walked import Walked, balanced, fates

NOTHING = "def f(x):\n    return None"
ABOVE, NOT_BELOW = "def f(x):\n    return x > 3", "def f(x):\n    return x >= 3"
"""Three faults each: the other comparison, the next number, and None."""
SAME, SUM = "def f(x):\n    return x", "def f(x):\n    return x + 0"
"""One fault: None; and three: x - 0, which nothing tells, x + 1, and None."""
PROBLEMS = {
    "Is x above 3? Few see 3.": (ABOVE, [[9], [3]], [ABOVE] * 5 + [NOT_BELOW] * 4 + [NOTHING] * 2),
    "Is x above 3?": (ABOVE, [[9], [3], [4]], [ABOVE] * 5 + [NOTHING] * 2),
    "Give x back.": (SUM, [[5]], [SAME] * 5 + [NOTHING] * 2),
    "Nobody can.": (None, [[1]], ["I cannot."] * 5),
}
"""Reference, inputs and answers; of the first prompt 5 of 11 say of 3 what is right, so that only 9 has a case."""
BY_VOTE = {"Is x above 3? Few see 3.": (1 / 3, 3), "Is x above 3?": (1.0, 3), "Give x back.": (1.0, 1)}
BY_REFERENCE = {**BY_VOTE, "Give x back.": (2 / 3, 3)}


def recipe(folder: Path, problems: Mapping[str, Any] = PROBLEMS, **more: Any) -> PreferenceDataset:
    rows = [{"prompt": prompt, "inputs": inputs, "model": "m", "reference": right, "completions": texts}
            for prompt, (right, inputs, texts) in problems.items()]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = samples(folder / "problems.jsonl", answers="completions", model="{model}", reference="reference",
                     licence="cc0-1.0", language="en")
    return PreferenceDataset(**{
        "name": "mutated", "prompts": source.prompts, "responses": source.responses, "programs": programs(),
        "test_inputs": given("inputs"), "executions": execute(limits=Limits(wall_s=300)), "kept": [identical],
        "test_cases": vote_outputs(min_voters=5, share=0.6), "outcomes": check(), "mutation": mutation_score(most=30),
        "preferences": pair_by_tests(floor=1.0, margin=1), **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the planted problems are built; skips where programs cannot be confined."""
    if isolation.strict_misses():
        pytest.skip(f"sandbox: {isolation.strict_misses()}")
    return tmp_path_factory.mktemp("mutated")


@pytest.fixture(scope="module")
def voted(folder: Path) -> Walked:
    return Walked(recipe(folder), folder, "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def referred(folder: Path) -> Walked:
    """The same with references, which make no label."""
    (folder / "referred").mkdir()
    return Walked(recipe(folder / "referred", truth=by_reference()), folder / "referred", "http://127.0.0.1:9")


def scores(made: Walked) -> dict[str, tuple[float, float]]:
    """The score of each prompt, and of how many faults it is."""
    asked = {row["prompt_id"]: row["messages"][0]["content"] for row in made.tables["prompts"].to_dicts()}
    told = {(asked[row["subject_id"]], row["name"]): row["value"] for row in made.tables["mutation"].to_dicts()}
    return {prompt: (told[prompt, "mutation_score"], told[prompt, "faults"]) for prompt, _ in told}


def shown(dataset: PreferenceDataset, made: Walked) -> dict[str, Any]:
    [stage] = [stage for stage in build_stages(dataset) if stage.name == "mutation"]
    return dict(stage.show["mutation"](made.tables))


def test_without_references_the_response_that_passes_most_is_taken_for_right(voted: Walked) -> None:
    assert scores(voted) == BY_VOTE
    assert fates(voted.counts["mutation"], "mutation, programs", "prompts") == {
        "in": 4, "out": 3, "no response passes a case": 1}
    assert fates(voted.counts["mutation"], "mutation", "prompts") == {"in": 3, "out": 3}
    assert balanced(voted.counts["mutation"])


def test_with_references_the_reference_is_taken_for_right(referred: Walked) -> None:
    assert scores(referred) == BY_REFERENCE
    assert fates(referred.counts["mutation"], "mutation, programs", "prompts") == {
        "in": 4, "out": 3, "no reference": 1}
    assert balanced(referred.counts["mutation"])


def test_the_audit_and_the_card_tell_the_mean_and_how_many_prompts_lie_below(voted: Walked, referred: Walked) -> None:
    for made, faults, low, mean in ((voted, 7, 1, 7 / 9), (referred, 9, 2, 2 / 3)):
        [told] = made.facts()["mutation"]
        assert (told["prompts"], told["faults"], told["below_0.8"]) == (3, faults, low)
        assert told["value"] == pytest.approx(mean, abs=1e-4)
        assert 1 / 3 - 1e-4 <= told["low"] < told["value"] < told["high"] <= 1
        card = (made.build.folder / "README.md").read_text()
        assert "mutationscore(most=30" in card
        said = card.split("**Planted faults that the test cases of a prompt tell: mean share**")[1].splitlines()
        assert said[2:5:2] == ["| value | low | high | prompts | faults | below 0.8 |",
                               f"| {told['value']} | {told['low']} | {told['high']:.4g} | 3 | {faults} | {low} |"]


def test_the_ui_shows_the_prompts_below(referred: Walked, folder: Path) -> None:
    told = shown(recipe(folder, truth=by_reference()), referred)
    assert told["prompts below 0.8"] == 2
    assert told["prompts below 0.8, lowest first"].rows == (
        ("Is x above 3? Few see 3.", "0.333", 3), ("Give x back.", "0.667", 3))


READS = "import sys\nx = int(sys.stdin.read())\nprint(x > 3)"
"""Four faults, of which 9 and 3 tell three: no x, the other comparison, the next number, and no output."""
WRITTEN = "def check(candidate):\n    for x, told in ((9, True), (3, False)):\n        assert candidate(x) is told"
WRITTEN_TESTS = given_tests("inputs")
OTHER_KINDS: dict[str, tuple[Any, dict[str, Any], tuple[float, int]]] = {
    "programs that read a text": (
        (READS, ["9", "3"], [READS] * 5 + ["print(None)"] * 2),
        {"programs": programs(kind="stdin"), "test_inputs": given("inputs", kind="stdin")}, (3 / 4, 4)),
    "tests that people wrote": (
        (ABOVE, WRITTEN, [ABOVE] * 5 + [NOTHING] * 2),
        {"test_inputs": WRITTEN_TESTS, "test_cases": WRITTEN_TESTS}, (2 / 3, 3)),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_faults_meet_inputs_of_every_kind(kind: str, folder: Path) -> None:
    problem, more, score = OTHER_KINDS[kind]
    place = folder / kind
    place.mkdir()
    assert scores(Walked(recipe(place, {"Is x above 3?": problem}, **more), place, "http://127.0.0.1:9")) == {
        "Is x above 3?": score}


def test_a_second_build_runs_nothing_again_and_makes_the_same_table(voted: Walked, folder: Path) -> None:
    def kept() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (voted.build.path.parents[2] / "runs").rglob("*") if path.is_file()}
    before = kept()
    again = Walked(recipe(folder), folder, "http://127.0.0.1:9")
    assert again.tables["mutation"].equals(voted.tables["mutation"])
    assert len(before) >= 1
    assert kept() == before


def test_where_no_prompt_has_a_score_nothing_is_shown(referred: Walked, folder: Path) -> None:
    none = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows([])))
    assert mutation(none, resamples([])).is_empty()
    [stage] = [stage for stage in build_stages(recipe(folder)) if stage.name == "mutation"]
    assert stage.show["mutation"]({**referred.tables, "mutation": none}) == {}


MISUSES: dict[str, tuple[dict[str, Any], str]] = {
    "stated answers": ({"programs": None, "executions": answers(), "test_inputs": answer_inputs},
                       r"plants faults in programs, and answers\(\) reads what responses state; leave mutation out"),
    "no programs": ({"programs": None}, r"need programs; add programs=programs\(\)"),
    "nothing is tested": ({**dict.fromkeys(("programs", "test_inputs", "executions", "test_cases", "outcomes")),
                           "preferences": pair("by-model-order", models=["a", "b"])}, "no label reads them"),
    "another language": ({"programs": programs(language="c", kind="stdin"),
                          "test_inputs": given("inputs", kind="stdin")}, "in Python alone, and programs are in c;"),
    "another operator": ({"mutation": check()}, r"mutation= holds Check.*write mutation_score\(\)"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_recipe_in_which_no_fault_can_be_planted_is_refused_with_its_remedy(misuse: str, tmp_path: Path) -> None:
    more, told = MISUSES[misuse]
    with pytest.raises(ConfigError, match=told):
        recipe(tmp_path, **more)
