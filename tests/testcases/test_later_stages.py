"""Beginnings valued and answers repaired as stages of a recipe: planted answers, a planned model, known tables."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.graph import assets_of
from assets.recipe import build_stages, used_engines
from assets.rounds import rounds, unrolled
from assets.tested_checks import check_step_pairs
from feedback.imports.samples import samples
from feedback.testcases.answers import answers
from feedback.testcases.completing import complete
from feedback.testcases.execute import execute
from feedback.testcases.given import answer_inputs, given
from feedback.testcases.keep_correct import keep_correct
from feedback.testcases.loops import repairs, steps
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.repair import repair
from feedback.testcases.reports import report
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.steps import cut, value_steps
from feedback.testcases.vote import vote_outputs
from filters.pairs import identical
from generators.sample import sample
from preferences.by_steps import pair_by_steps
from preferences.by_tests import pair_by_tests
from preferences.unpaired_by_tests import unpaired_by_tests
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, said
from tests.testcases.walked import Walked, balanced, fates

RIGHT = "Add them.\n2 + 3\nThat is\n5, so\n\\boxed{5}"
WRONG = "Multiply them.\n2 * 3\nThat is\n6, so\n\\boxed{6}"
STEPS = steps(cut(ratio=1.0, head=0.4, least_lines=5, cap=None), complete(["policy"], n=3), value_steps("hits"))


class Policy:
    """Carries on as it began, but of three a wrong beginning comes out right once; repairs well the second time."""

    def __init__(self) -> None:
        self.seen = Counter[str]()

    async def __call__(self, sent: Sent) -> Any:
        if sent.body.get("continue_final_message"):
            self.seen[sent.text] += 1
            right = sent.text.startswith("Add") or self.seen[sent.text] == 1
            return said(f"and so \\boxed{{{5 if right else 6}}}")
        assert "<report>" in sent.text
        return said("It is \\boxed{7}" if "Multiply" in sent.text else "It is \\boxed{5}")


def recipe(folder: Path, **more: Any) -> PreferenceDataset:
    """Six answers to one question, four of them right, and two that agree to another."""
    asked = [{"prompt": "What is 2 + 3?", "reference": "5", "completions": [RIGHT] * 4 + [WRONG] * 2},
             {"prompt": "What is 1 + 1?", "reference": "2", "completions": [RIGHT.replace("5", "2")] * 6}]
    (folder / "problems.jsonl").write_text("".join(json.dumps({**one, "model": "m"}) + "\n" for one in asked))
    source = samples(folder / "problems.jsonl", answers="completions", model="{model}", reference="reference",
                     licence="cc0-1.0", language="en")
    return PreferenceDataset(**{
        "name": "later", "prompts": source.prompts, "responses": source.responses, "test_inputs": answer_inputs,
        "executions": answers(), "test_cases": vote_outputs(min_voters=5, share=0.5), "outcomes": check(),
        "preferences": pair_by_tests(floor=1.0, margin=1), "kept": [identical], "truth": by_reference(), **more})


def stepped(folder: Path, **more: Any) -> PreferenceDataset:
    return recipe(folder, **{"steps": STEPS, "preferences": pair_by_steps(floor=2 / 3, margin=None), **more})


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(Policy()) as running:
        yield running


@pytest.fixture(scope="module")
def begun(server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("steps")
    return Walked(stepped(folder), folder, server.url)


REPAIRS = repairs(repair(["policy"], n=1, rounds=2))


@pytest.fixture(scope="module")
def mended(server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("repairs")
    return Walked(recipe(folder, repairs=REPAIRS, correct=keep_correct(cap=10), unpaired=unpaired_by_tests(bad=1.0)),
                  folder, server.url)


def test_beginnings_are_worth_the_completions_that_come_out_right(begun: Walked) -> None:
    told = begun.tables["steps"].join(begun.tables["responses"].select("response_id", "text"), on="response_id")
    worth = {(row["text"].split()[0], row["value"], row["tests"]) for row in told.iter_rows(named=True)}
    assert worth == {("Add", 3.0, 3), ("Multiply", 1.0, 3)}
    assert told.height == (4 + 2) * 2
    assert begun.tables["step_completions"].height == 2 * 2 * 3  # equal beginnings are asked about once
    assert fates(begun.counts["steps"], "steps", "responses") == {"in": 12, "out": 6, "all alike": 6}
    assert all(map(balanced, begun.counts.values()))
    assert begun.failed == []


def test_another_value_of_beginnings_asks_nothing_again_and_the_same_one_makes_the_same_tables(
        begun: Walked, server: Loopback, tmp_path: Path) -> None:
    folder, asked = begun.store.parent, len(server.sent)
    again = Walked(stepped(folder), tmp_path, server.url, begun.store)
    assert all(again.tables[name].equals(table) for name, table in begun.tables.items())
    mean = Walked(stepped(folder, steps=replace(STEPS, value=value_steps("mean"))), tmp_path, server.url, begun.store)
    assert set(mean.tables["steps"]["value"]) == {1.0, 1 / 3}
    assert len(server.sent) == asked


def test_pairs_of_beginnings_set_those_that_lead_right_against_the_others(begun: Walked) -> None:
    kept = begun.tables["kept"]
    assert kept.height == 8 * 4
    assert set(kept["score_chosen"]) == {1.0}
    assert kept["score_rejected"].to_list() == pytest.approx([1 / 3] * 32)
    sides = {(row["chosen"][0]["content"].split()[0], row["rejected"][0]["content"].split()[0])
             for row in kept.iter_rows(named=True)}
    assert sides == {("Add", "Multiply")}
    assert (begun.build.folder / "preference").is_dir()


def test_pairs_of_beginnings_are_held_to_the_truth_by_what_their_completions_truly_come_to(begun: Walked) -> None:
    [told] = [row for row in begun.facts()["label_accuracy"] if row["table"] == "kept"]
    assert (told["right"], told["wrong"], told["unknown"]) == (32, 0, 0)
    assert {row["pairs"] for row in begun.facts()["standings"]} == {0}
    assert "steps, cut" in (begun.build.folder / "README.md").read_text()


def test_a_pair_of_beginnings_is_walked_back_to_its_completions_and_answers(begun: Walked) -> None:
    told = begun.why("preferences")
    for words in ("worth 3 of 3, by 3 completion(s)", "worth 1 of 3, by 3 completion(s)", "completed as", "cut from",
                  "Add them.", "expected by vote", "raw reply"):
        assert words in told, words
    assert told.count("completed as") == 6
    assert "worth " in begun.why("steps")
    assert "expected by vote" in begun.why("rollouts")


def test_whole_answers_and_beginnings_are_paired_in_one_dataset_each_by_its_own_rule(
        begun: Walked, server: Loopback, tmp_path: Path) -> None:
    both = (pair_by_tests(floor=1.0, margin=1), pair_by_steps(floor=2 / 3, margin=None))
    made = Walked(stepped(begun.store.parent, preferences=both), tmp_path, server.url, begun.store)
    assert made.failed == []
    assert dict(made.tables["kept"].group_by("policy").len().iter_rows()) == {"tests": 4 * 2, "steps": 8 * 4}
    assert made.tables["kept"].filter(pl.col("policy") == "steps").equals(begun.tables["kept"])
    assert fates(made.counts["preferences"], "preferences, tests", "pairs")["out"] == 8
    assert fates(made.counts["preferences"], "preferences, steps", "pairs")["out"] == 32
    assert {row["pairs"] for row in made.facts()["standings"] if row["standing"] == "right"} == {8}
    [told] = [row for row in made.facts()["label_accuracy"] if row["table"] == "kept"]
    assert (told["right"], told["wrong"], told["unknown"]) == (40, 0, 0)
    whole = made.tables["preferences"]["policy"].to_list().index("tests")
    assert "passes 1 of 1 test(s)" in made.why("preferences", whole)
    assert "worth 3 of 3" in made.why("preferences", made.tables["preferences"]["policy"].to_list().index("steps"))


def test_a_wrong_pair_stops_a_build_of_both_kinds(begun: Walked) -> None:
    both = (pair_by_tests(floor=1.0, margin=1), pair_by_steps(floor=2 / 3, margin=None))
    [stage] = [one for one in build_stages(stepped(begun.store.parent, preferences=both)) if one.name == "preferences"]
    [pair] = begun.tables["preferences"].head(1).to_dicts()
    told = begun.tables["outcomes"].filter(pl.col("prompt_id") == pair["prompt_id"]).sort("outcome")["response_id"]
    texts = dict(begun.tables["responses"].select("response_id", "text").iter_rows())
    wrong = {**pair, "pair_id": "x", "policy": "tests"}
    for side, response in (("chosen", told[0]), ("rejected", told[-1])):
        wrong |= {f"{side}_id": response, side: [{"role": "assistant", "content": texts[response]}]}
    spoiled = pl.concat([begun.tables["preferences"], pl.DataFrame([wrong], begun.tables["preferences"].schema)])
    assert stage.check is not None
    assert [one.name for one in stage.check({**begun.tables, "preferences": spoiled}) if not one.passed] == [
        "chosen_passes_more"]


@pytest.mark.parametrize(("table", "spoil", "check_name"), [
    ("preferences", lambda rows: rows.rename({"chosen_id": "rejected_id", "rejected_id": "chosen_id"}).select(
        rows.columns), "chosen_is_worth_more"),
    ("steps", lambda rows: rows.with_columns(end=pl.col("end") - 1), "texts_are_beginnings"),
])
def test_a_wrong_pair_of_beginnings_stops_the_build(begun: Walked, table: str, spoil: Any, check_name: str) -> None:
    spoiled = {**begun.tables, table: spoil(begun.tables[table])}
    assert check_name in {one.name for one in check_step_pairs(spoiled) if not one.passed}
    assert all(one.passed for one in check_step_pairs(begun.tables))


def test_what_fails_is_repaired_from_its_report_until_it_passes_or_rounds_are_over(mended: Walked) -> None:
    made = mended.tables["repairs"].sort("round").select("round", "text").rows()
    assert made == [(1, "It is \\boxed{7}")] * 2 + [(2, "It is \\boxed{5}")] * 2
    outcomes = dict(mended.tables["repairs"].join(mended.tables["repair_outcomes"], on="response_id").select(
        "round", "outcome").iter_rows())
    assert outcomes == {1: "fail", 2: "pass"}
    assert mended.tables["measurements"]["value"].to_list() == [1.0] * 4
    scores = mended.tables["critiques"].drop_nulls("score").select("round", "score").unique().sort("round").rows()
    assert scores == [(0, 0.0), (1, 1.0)]
    assert all(map(balanced, mended.counts.values()))
    assert mended.failed == []


def test_a_report_of_a_stated_answer_does_not_tell_the_right_one(mended: Walked) -> None:
    asked = mended.tables["critiques"].filter(pl.col("text").str.starts_with("<|bad|>"))["text"].unique().to_list()
    assert sorted(asked) == ["<|bad|>\nThe answer 6 is not right.", "<|bad|>\nThe answer 7 is not right."]


def test_pairs_labels_and_correct_answers_read_repairs_too(mended: Walked) -> None:
    repaired = set(mended.tables["repairs"].filter(pl.col("round") == 2)["response_id"])
    pairs = mended.tables["kept"]
    assert pairs.height == (4 + 2) * (2 + 2)
    assert pairs.filter(pl.col("chosen_id").is_in(repaired)).height == 2 * 4
    labels = dict(mended.tables["unpaired"].group_by("label").len().iter_rows())
    assert labels == {True: 6 + 4 + 2, False: 4}
    assert sorted(mended.tables["correct"]["text"]) == sorted([RIGHT, "It is \\boxed{5}", RIGHT.replace("5", "2")])
    [told] = [row for row in mended.facts()["label_accuracy"] if row["table"] == "kept"]
    assert (told["right"], told["wrong"], told["unknown"]) == (24, 0, 0)
    assert "a repair may have copied" in (mended.build.folder / "README.md").read_text()


def test_a_repair_is_walked_back_to_the_report_and_the_answer_it_was_made_from(mended: Walked) -> None:
    late = mended.tables["repairs"]["round"].to_list().index(2)
    told = mended.why("repairs", late)
    for words in ("told by execution, repairs pass 100% of the tests", "The answer 7 is not right.", "repaired from",
                  "The answer 6 is not right.", "Multiply them."):
        assert words in told
    assert "The answer" in mended.why("critiques")


DOUBLES = {"prompt": "Write a Python function double(x) that returns twice x.", "model": "m",
           "reference": "def double(x):\n    return x * 2\n", "tests": [[1], [2], [5]], "hidden": [[-7]],
           "completions": ["def double(x):\n    return x + x"] * 3 + ["def double(x):\n    return x * 3"] * 2}


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")
def test_repaired_programs_are_run_on_the_tests_and_on_those_that_labels_never_see(tmp_path: Path) -> None:
    async def fix(sent: Sent) -> Any:
        assert "Test: double(" in sent.text
        return said("```python\ndef double(x):\n    return 2 * x\n```")

    (tmp_path / "doubles.jsonl").write_text(json.dumps(DOUBLES) + "\n")
    source = samples(tmp_path / "doubles.jsonl", answers="completions", model="{model}", reference="reference",
                     licence="cc0-1.0", language="en")
    with Loopback(fix) as running:
        made = Walked(recipe(
            tmp_path, prompts=source.prompts, responses=source.responses, programs=programs(), repairs=REPAIRS,
            test_inputs=given("tests"), executions=execute(limits=Limits(wall_s=300)), test_cases=vote_outputs(
                min_voters=3), preferences=pair_by_tests(margin=3), truth=by_reference(hidden=given("hidden"))),
            tmp_path, running.url)
    assert made.failed == []
    assert made.tables["repairs"].height == made.tables["repair_programs"].height == 2
    assert made.tables["repair_outcomes"]["outcome"].to_list() == ["pass"] * 2 * 3
    assert made.tables["measurements"]["value"].to_list() == [1.0] * 2
    repaired = made.tables["repairs"]["response_id"]
    truth = made.tables["true_outcomes"].filter(pl.col("response_id").is_in(repaired.implode()))
    assert truth["outcome"].to_list() == ["pass"] * 2 * 4
    assert made.tables["kept"].height == (3 + 2) * 2
    assert all(map(balanced, made.counts.values()))


def test_each_table_of_beginnings_and_repairs_is_an_asset(tmp_path: Path) -> None:
    for dataset, names in ((stepped(tmp_path), {"steps", "step_completions", "rollouts", "true_steps"}),
                           (recipe(tmp_path, repairs=REPAIRS, correct=keep_correct()), {
                               "repairs", "critiques", "repair_completions", "measurements", "correct"})):
        keys = {key.path[-1] for asset in assets_of(dataset) if isinstance(asset, dg.AssetsDefinition)
                for key in asset.keys}
        assert names <= keys
        assert used_engines(dataset) == {"policy"}


def test_the_policy_of_a_round_completes_and_repairs_its_own_answers(tmp_path: Path) -> None:
    for dataset in (stepped(tmp_path), recipe(tmp_path, repairs=REPAIRS)):
        looped = replace(dataset, responses=sample(["policy"], n=5), rounds=rounds(2))
        assert [used_engines(one) for one in unrolled(looped)] == [{"policy"}, {"policy_r1"}]


@pytest.mark.parametrize(("change", "told"), [
    ({"steps": STEPS}, "nothing pairs them; write preferences=pair_by_steps"),
    ({"preferences": pair_by_steps()}, "pair_by_steps.. needs steps"),
    ({"steps": STEPS, "preferences": pair_by_steps(), "repairs": REPAIRS}, "beginnings of answers alone"),
    ({"steps": STEPS, "preferences": (pair_by_tests(), pair_by_tests(margin=1))}, "holds 2 kinds of pairs"),
    ({"preferences": ()}, "holds 0 kinds of pairs"),
    ({"preferences": (pair_by_tests(margin=1), pair_by_steps())}, "pair_by_steps.. needs steps"),
    ({"steps": STEPS, "preferences": (pair_by_tests(margin=2), pair_by_steps())}, "more than the 1 test"),
    ({"steps": cut()}, "write steps"),
    ({"repairs": repair(["policy"])}, "write repairs"),
    ({"repairs": repairs(repair(["policy"]), report(sources=("model",)))}, "names model, and test_cases makes vote"),
    ({"steps": replace(STEPS, value=value_steps(sources=("human",))), "preferences": pair_by_steps()},
     "labels read cases of source human"),
])
def test_what_nobody_reads_or_makes_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe(tmp_path, **change)


def test_a_loop_of_the_wrong_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"write steps\(cut"):
        steps(complete(["policy"]), cut())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="told=False"):
        repairs(repair(["policy"], told=False))
    assert repairs(repair(["a"], n=2, rounds=2), report()).calls(1, 10) == 10 * (2 + 4)
    assert STEPS.calls(3, 10) is None
    assert steps(cut(cap=10), complete(["a", "b"], n=3)).calls(4, 0) == 4 * 10 * 3 * 2
