"""Programs in C and Verilog through all stages of a recipe: run, voted on, reported on and paired, or refused."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from assets.stage import Means
from feedback.imports.samples import samples
from feedback.testcases import compiled, runners, verilog
from feedback.testcases.execute import execute
from feedback.testcases.given import given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.reports import report
from feedback.testcases.runners import check_runner
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.vote import vote_outputs
from generators.store import ReplyStore
from pipelines.commands import ready
from preferences.by_tests import pair_by_tests
from schemas.errors import ConfigError, SandboxError

DESIGN = "module add(input [3:0] a, input [3:0] b, output [4:0] sum);\n  assign sum = {};\nendmodule\n"
TESTBENCH = """module testbench;
  reg [3:0] a, b; wire [4:0] sum; add dut(a, b, sum);
  initial begin a = %d; b = %d; #1 $display("%%0d", sum); end
endmodule
"""
SOURCE = '#include <stdio.h>\nint main(void) {{ int a, b; scanf("%d %d", &a, &b); printf("%d", {}); return 0; }}\n'
ADDS = {
    "verilog": (DESIGN, [TESTBENCH % pair for pair in ((1, 2), (9, 9), (15, 15))]),
    "c": (SOURCE, ["1 2", "9 9", "15 15"]),
}
MISSING = {"c": compiled.missing("c"), "verilog": verilog.missing()}


def recipe(folder: Path, language: str, **more: Any) -> PreferenceDataset:
    """Six answers to one problem: four add, one subtracts, one does not compile."""
    source, inputs = ADDS[language]
    texts = [source.format(body) for body in (*["a + b", "b + a"] * 2, "a - b", "a +;")]
    problem = {"prompt": "Add.", "reference": source.format("b + a"), "inputs": inputs,
               "completions": [f"```{language}\n{text}```" for text in texts]}
    (folder / "problems.jsonl").write_text(json.dumps({**problem, "model": "coder"}) + "\n")
    answers = samples(folder / "problems.jsonl", answers="completions", model="{model}", reference="reference",
                      licence="cc0-1.0", language="en")
    return PreferenceDataset(**{
        "name": "added", "prompts": answers.prompts, "responses": answers.responses,
        "programs": programs(language=language, kind="stdin"), "test_inputs": given("inputs", kind="stdin"),
        "executions": execute(limits=Limits(cpu_s=1, wall_s=300)), "test_cases": vote_outputs(min_voters=4),
        "outcomes": check(), "preferences": pair_by_tests(margin=2), "truth": by_reference(), **more})


def walked(dataset: PreferenceDataset, folder: Path) -> dict[str, pl.DataFrame]:
    tables: dict[str, pl.DataFrame] = {}
    means = Means(engines={}, store=ReplyStore.__new__(ReplyStore), runs=folder / "runs")
    for stage in build_stages(dataset):
        if stage.make is not None:
            tables |= stage.make(means, {name: tables[name] for name in stage.needs}).tables
    return tables


@pytest.mark.parametrize("language", [
    pytest.param(language, marks=pytest.mark.skipif(reason is not None, reason=f"{reason}"))
    for language, lost in MISSING.items() for reason in [isolation.strict_misses() or lost]])
def test_programs_of_a_language_are_run_voted_on_held_to_their_reference_and_paired(
        language: str, tmp_path: Path) -> None:
    dataset = recipe(tmp_path, language)
    ready.check(dataset)
    made = walked(dataset, tmp_path)
    assert sorted(made["test_cases"]["expected"].str.strip_chars()) == ["18", "3", "30"]
    assert set(made["true_cases"]["expected"]) == set(made["test_cases"]["expected"])
    assert made["executions"]["status"].value_counts().sort("status").rows() == [("error", 3), ("ran", 15)]
    assert made["executions"]["environment"].unique().str.starts_with("strict/").all()
    sums = {row["score_rejected"] for row in made["preferences"].to_dicts()}
    assert (made["preferences"].height, sums) == (4 * 2, {0.0})
    told = report()(made["responses"], made["outcomes"], made["test_cases"], made["test_inputs"], made["executions"],
                    made["programs"]).table["text"].to_list()
    broken = ADDS[language][0].format("a +;").splitlines()[1].strip()
    assert [text for text in told if "compile_error" in text and text.endswith(f"Line: {broken}")] != []


@pytest.mark.parametrize(("language", "tool"), [("c", "gcc"), ("verilog", "iverilog")])
def test_a_missing_compiler_is_told_before_anything_is_asked(
        language: str, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = recipe(tmp_path, language)
    monkeypatch.setattr(runners, "chosen", lambda asked, command: asked)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=f"programs in {language} cannot be run here: .*apt-get install {tool}"):
        ready.check(dataset)


def test_an_isolation_of_python_alone_is_refused_for_other_languages() -> None:
    with pytest.raises(ConfigError, match="isolation='bubblewrap' is for Python"):
        check_runner("verilog", execute(isolation="bubblewrap"))
