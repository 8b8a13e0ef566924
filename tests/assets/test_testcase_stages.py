"""Datasets from test cases: planted programs are run, voted on and paired, and what is wrong stops the build."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.home import Build
from assets.recipe import build_stages
from assets.stage import Means
from assets.tested_checks import check_outcomes, pair_checker
from feedback.imports.samples import samples
from feedback.testcases.answers import answers
from feedback.testcases.execute import execute
from feedback.testcases.generate import generate_cases, generate_inputs
from feedback.testcases.given import answer_inputs, given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.runs import Runs
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import agreed, vote_outputs
from filters.pairs import identical
from generators.sample import sample
from generators.segments import SUFFIX, decode, lines
from generators.store import ReplyStore
from pipelines.commands import ready
from preferences.by_tests import pair_by_tests
from preferences.pair import pair
from preferences.unpaired_by_tests import unpaired_by_tests
from schemas.errors import ConfigError, SandboxError
from tests.testcases.planted import CALIBRATION, PAIRS, write_problems


def planted(folder: Path, **more: Any) -> PreferenceDataset:
    """The recipe of the planted problems."""
    source = samples(write_problems(folder / "problems.jsonl"), answers="completions", model="{model}",
                     reference="reference", licence="cc0-1.0", language="en")
    recipe = {
        "name": "planted", "prompts": source.prompts, "responses": source.responses, "programs": programs(),
        "test_inputs": given("inputs"), "executions": execute(limits=Limits(cpu_s=0.2)),
        "test_cases": vote_outputs(min_voters=5), "outcomes": check(), "kept": [identical],
        "preferences": pair_by_tests(floor=0.5, margin=3), "unpaired": unpaired_by_tests(), "truth": by_reference()}
    return PreferenceDataset(**{**recipe, **more})


def walked(dataset: PreferenceDataset, folder: Path, told: bool = True) -> dict[str, pl.DataFrame]:
    """The tables of a build and (`told`) its audit and dataset, made as the assets make them, without Dagster."""
    tables: dict[str, pl.DataFrame] = {}
    build = Build(folder / "build")
    means = Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder / "runs")
    for stage in build_stages(dataset):
        if stage.make is not None:
            output = stage.make(means, {name: tables[name] for name in stage.needs})
            tables |= output.tables
            for name, table in stage.writes.items():
                build.write(name, table, output.tables[name])
            if output.spent:
                (build.path / stage.name / "spent.json").write_text(json.dumps(dict(output.spent)))
        elif stage.write_folder is not None and told:
            stage.write_folder(build, {name: tables[name] for name in stage.needs})
    return tables


def of_build(folder: Path) -> dict[str, bytes]:
    """Every file of a build but its measurements."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "build").rglob("*"))
            if path.is_file() and path.name != "spent.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the planted problems are built; skips where programs cannot be confined."""
    if isolation.strict_misses():
        pytest.skip(f"sandbox: {isolation.strict_misses()}")
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pl.DataFrame]:
    """The tables of the planted problems."""
    return walked(planted(folder), folder)


@pytest.fixture
def built(folder: Path, tables: dict[str, pl.DataFrame]) -> Build:
    """The build of these tables."""
    return Build(folder / "build")


def facts(build: Build) -> dict[str, Any]:
    return dict(json.loads((build.path / "audit" / "report.json").read_text()))


def test_every_table_of_test_cases_is_a_table_of_the_build(tables: dict[str, pl.DataFrame]) -> None:
    sizes = {name: tables[name].height for name in ("programs", "test_inputs", "executions", "test_cases", "outcomes")}
    assert sizes == {"programs": 29, "test_inputs": 12, "executions": 116, "test_cases": 12, "outcomes": 116}
    assert tables["executions"]["status"].value_counts().sort("status").rows() == [("error", 9), ("ran", 103),
                                                                                    ("timeout", 4)]


def test_a_measurement_is_in_no_table_but_in_what_was_spent(
        built: Build, folder: Path, tables: dict[str, pl.DataFrame]) -> None:
    assert tables["executions"]["cpu_ms"].null_count() == tables["executions"].height
    spent = json.loads((built.path / "executions" / "spent.json").read_text())
    files = (folder / "runs").rglob(f"*{SUFFIX}")
    kept = {record["key"]: record for file in files for _, line in lines(file.read_bytes()) if (record := decode(line))}
    asked = tables["executions"].join(tables["test_inputs"], on="input_id")
    keys = [Runs(folder, row["environment"]).key(row["program_id"], row["kind"], row["value"], 0)
            for row in asked.iter_rows(named=True)]
    assert len(keys) == 116
    assert spent["cpu_ms"] == pytest.approx(sum(kept[key]["cpu_ms"] for key in keys), abs=0.001)
    assert min(record["cpu_ms"] for record in kept.values() if record["status"] == "timeout") > max(
        record["cpu_ms"] for record in kept.values() if record["status"] == "ran")  # those that never end took the most


def test_pairs_are_worth_what_the_plant_says(built: Build, tables: dict[str, pl.DataFrame]) -> None:
    found = {row["standing"]: row["pairs"] for row in facts(built)["standings"] if row["table"] == "kept"}
    assert found == {**PAIRS, "both_pass": 0, "unknown": 0}
    accuracy = facts(built)["headline"]["label_accuracy"]["value"]
    assert accuracy == pytest.approx(29 / (29 + 18), abs=1e-4)
    assert tables["kept"].height == sum(PAIRS.values())


def test_single_labels_follow_the_tests_and_leave_out_what_lies_between(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["unpaired"]["label"].value_counts().sort("label").rows() == [(False, 9), (True, 17)]


def test_the_votes_are_as_right_as_the_plant_makes_them(built: Build) -> None:
    found = {row["low_share"]: (row["cases"], row["right"]) for row in facts(built)["calibration"]}
    assert found == CALIBRATION


def test_the_audit_draws_and_the_card_tells_the_tests(built: Build) -> None:
    assert {"calibration.png", "tests_per_prompt.png", "pass_rates.png"} <= {
        path.name for path in (built.path / "audit").iterdir()}
    card = (built.folder / "README.md").read_text()
    for words in ("## Test cases", "Votes that are right, by their share", "Pairs against the truth", "inverted",
                  "passes for right", "vote(min_voters=5"):
        assert words in card


def test_the_cards_bars_are_as_long_as_their_numbers(built: Build) -> None:
    card = (built.folder / "README.md").read_text()
    for name, title, column in (("test_sizes", "Tests of a prompt", "prompts"),
                                ("pass_rates", "Responses by share of tests passed", "responses"),
                                ("calibration", "Votes that are right, by their share", "value")):
        lines = card.partition(f"**{title}**")[2].strip().partition("\n\n")[0].splitlines()
        names = [cell.strip() for cell in lines[0].strip("|").split("|")]
        bars = [line.strip("|").split("|")[names.index("plot")].count("█") for line in lines[2:]]
        numbers = [row[column] for row in facts(built)[name]]
        assert bars == [max(1, round(20 * number / max(1, *numbers))) for number in numbers]
        assert max(bars) > 1


def test_another_home_gives_the_same_bytes_and_the_same_home_runs_nothing_again(
        folder: Path, tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    walked(planted(folder), tmp_path)
    assert of_build(tmp_path) == of_build(folder)
    runs = [path.read_bytes() for path in sorted((tmp_path / "runs").rglob("*")) if path.is_file()]
    assert len(runs) >= 1
    stricter = walked(planted(folder, test_cases=vote_outputs(min_voters=7, share=0.8), truth=None), tmp_path, False)
    assert stricter["test_cases"].height == 4
    assert [path.read_bytes() for path in sorted((tmp_path / "runs").rglob("*")) if path.is_file()] == runs


SPOILS: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "swapped pairs": ("preferences", lambda pairs: pairs.rename({
        "chosen": "rejected", "rejected": "chosen", "chosen_id": "rejected_id", "rejected_id": "chosen_id"}).select(
        pairs.columns), "chosen_passes_more"),
    "a failure of ours that passes": ("outcomes", lambda rows: rows.with_columns(
        outcome=pl.when(pl.col("outcome") == "timeout").then(pl.lit("pass")).otherwise("outcome")),
        "outcomes_are_what_ran"),
    "labels upside down": ("unpaired", lambda rows: rows.with_columns(~pl.col("label")), "labels_follow_outcomes"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_wrong_label_fails_a_check_that_stops_the_build(
        spoil: str, folder: Path, tables: dict[str, pl.DataFrame]) -> None:
    name, change, told = SPOILS[spoil]
    [stage] = [stage for stage in build_stages(planted(folder)) if stage.name == name]
    assert stage.check is not None
    assert told in {spec.name for spec in stage.checks if spec.blocking}
    for given_, passes in ((tables, True), ({**tables, name: change(tables[name])}, False)):
        assert {check.name: check.passed for check in stage.check(given_)}[told] is passes


def test_a_pass_without_a_run_and_a_pair_on_what_is_unknown_are_seen(tables: dict[str, pl.DataFrame]) -> None:
    ours = tables["executions"].with_columns(status=pl.lit("sandbox_error"), output=pl.lit(None, pl.String))
    assert not check_outcomes({**tables, "executions": ours})[0].passed
    assert check_outcomes(tables)[0].passed
    rejected = tables["kept"]["rejected_id"].unique().implode()
    unknown = tables["outcomes"].with_columns(outcome=pl.when(pl.col("response_id").is_in(rejected)).then(
        pl.lit("sandbox_error")).otherwise("outcome"))
    checker = pair_checker(pair_by_tests(floor=0.5, margin=3))
    assert checker(tables)[0].passed
    assert not checker({**tables, "outcomes": unknown})[0].passed


def test_a_machine_that_confines_nothing_is_told_before_anything_is_asked(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.testcases.sandbox.isolation.strict_misses", lambda: "there is no Landlock")
    with pytest.raises(SandboxError, match="cannot be confined here: there is no Landlock"):
        ready.check(planted(tmp_path))


def test_stated_answers_are_voted_on_and_held_to_the_references(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n} + {n}?", "answer": f"#### {2 * n}", "completions": [
        *[f"It is \\boxed{{{2 * n}}}."] * right, *[f"The answer is {2 * n + 1}."] * (9 - right), "I do not know."]}
        for n, right in ((1, 8), (2, 6), (3, 2), (4, 5))]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = samples(tmp_path / "sums.jsonl", answers="completions", reference="answer")
    made = walked(PreferenceDataset(
        name="sums", prompts=source.prompts, responses=source.responses, test_inputs=answer_inputs,
        executions=answers(), test_cases=vote_outputs(min_voters=5, share=0.6), outcomes=check(),
        preferences=pair_by_tests(floor=1.0, margin=1), truth=by_reference()), tmp_path, told=False)
    # 8 of 9, 6 of 9 and 7 of 9 are confident; 5 of 9 is not, and the answer that states none is in no pair
    assert made["test_cases"].height == 3
    assert made["preferences"].height == 8 * 1 + 6 * 3 + 7 * 2
    truth = {row["response_id"]: row["outcome"] for row in made["true_outcomes"].iter_rows(named=True)}
    right = [truth[chosen] == "pass" for chosen in made["preferences"]["chosen_id"]]
    assert (sum(right), len(right)) == (26, 40)


MISUSES: dict[str, tuple[dict[str, Any], str]] = {
    "no outcomes": ({"outcomes": None}, "labels by tests need outcomes; add outcomes=check"),
    "no cases": ({"test_cases": None}, r"need test_cases; add test_cases=vote_outputs\(\)"),
    "no programs": ({"programs": None}, r"need programs; add programs=programs\(\)"),
    "answers with programs": ({"executions": answers()}, "answers.. reads what responses state .* leave programs out"),
    "nobody reads": ({"preferences": pair("by-model-order", models=["a", "b"]), "unpaired": None},
                     "no label reads them; write preferences=pair_by_tests"),
    "kinds": ({"programs": programs(kind="stdin")}, "is of kind 'call', and programs.kind='stdin'. reads 'stdin'"),
    "inputs as cases": ({"test_cases": generate_inputs(["one"])}, "writes no expected outputs.*generate_cases"),
    "a source nobody makes": ({"preferences": pair_by_tests(anchor=["human"])}, "source human, and test_cases makes"),
    "a truth that judges itself": ({"test_cases": (vote_outputs(), by_reference())}, "would judge itself"),
    "few answers": ({"responses": sample(["one"], n=3)}, "min_voters=5. needs as many answers .* gives 3"),
    "agreed alone": ({"test_cases": (vote_outputs(min_voters=2), agreed)}, "agreed .* of vote only; add"),
    "a margin out of reach": ({"test_inputs": generate_inputs(["one"], n=2)}, "margin=3. asks for more than the 2"),
    "an operator in the wrong place": ({"test_inputs": vote_outputs()}, "test_inputs= holds .*; write generate_inputs"),
    "truth without tests": ({"programs": None, "test_inputs": None, "executions": None, "test_cases": None,
                             "outcomes": None, "unpaired": None,
                             "preferences": pair("by-model-order", models=["a", "b"])}, "needs executions; write a"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_recipe_whose_tests_could_say_nothing_is_refused_with_its_remedy(misuse: str, tmp_path: Path) -> None:
    more, told = MISUSES[misuse]
    with pytest.raises(ConfigError, match=told):
        planted(tmp_path, **more)


def test_a_truth_that_makes_no_label_of_its_own_is_taken(tmp_path: Path) -> None:
    cases = generate_cases(["one"], n=4)
    made = planted(tmp_path, test_inputs=cases, test_cases=(vote_outputs(), cases, by_reference()),
                   preferences=pair_by_tests(margin=3, sources=["vote"]), unpaired=None)
    assert made.writers == (cases,)
    assert made.calls_models
    assert "test_completions" in [stage.name for stage in build_stages(made)]


def test_samples_keep_every_copy_and_heed_no_order(tmp_path: Path) -> None:
    rows = [{"task": "t", "prompt": "p", "completion": text} for text in ("a", "b", "a", "a")]
    tables = []
    for number, order in enumerate((rows, rows[::-1])):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in order))
        source = samples(path, task="{task}", model="m", source="s")
        assert source.prompts().table.height == 1
        tables.append(source.responses().table)
    assert tables[0].equals(tables[1])
    assert tables[0]["text"].value_counts().sort("text").rows() == [("a", 3), ("b", 1)]

