"""Beginnings of programs, carried on by a pocket model for real, run, and worth what they are known to be worth."""

import json
from pathlib import Path

import polars as pl
import pytest

from feedback.imports.samples import samples
from feedback.testcases.completing import complete
from feedback.testcases.execute import execute
from feedback.testcases.given import given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.steps import cut, value_steps
from generators.engines import load_engines
from generators.store import ReplyStore
from generators.turns import Errand, collect_served
from preferences.by_steps import pair_by_steps

EXAMPLES = Path(__file__).parents[2] / "examples"
ENGINE = "pocket_large"


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")
def test_a_pocket_model_ends_what_was_begun_right_rightly_and_what_was_begun_wrong_wrongly(tmp_path: Path) -> None:
    problems = [json.loads(line) for line in (EXAMPLES / "functions.jsonl").read_text().splitlines()[:3]]
    for problem in problems:
        heading = problem["reference"].splitlines()[0]
        problem |= {"model": "m", "completions": [f"```python\n{problem['reference']}\n```",
                                                  f"```python\n{heading}\n    return None\n```"]}
    (tmp_path / "begun.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    source = samples(tmp_path / "begun.jsonl", answers="completions", model="{model}", reference="reference")
    prompts, answers = source.prompts().table, source.responses().table

    begun = cut(ratio=1.0, head=0.75, least_lines=4, cap=None)(answers).table
    carry = complete([ENGINE], n=1, temperature=0, params={"max_tokens": 96})
    engines = load_engines(EXAMPLES / "pocket_engines.toml")
    with ReplyStore.open(tmp_path / "store") as store:
        [replies] = collect_served([Errand(
            plan=lambda running: carry.plan(prompts, answers, begun, running), parse=carry.parse)], engines, {ENGINE},
            store)
    carried = carry.responses(prompts, answers, begun, replies, engines).table
    inputs, run = given("tests").test_inputs(prompts).table, execute(limits=Limits(wall_s=300))
    cases = by_reference().outputs(prompts, inputs, programs(), run, tmp_path / "runs").table
    ran = run(programs()(prompts, carried).table, inputs, tmp_path / "runs").table
    valued = value_steps("mean")(begun, carry.links(prompts, answers, begun, replies, engines),
                                 check()(ran, cases).table).table

    assert valued.height == 3 * 2 * 3
    assert set(replies["status"]) == {"ok"}
    told = valued.join(answers.select("response_id", "text"), on="response_id").filter(
        pl.col("text").str.slice(0, pl.col("end")).str.contains("return"))
    worth = {(row["text"].split("return ")[1] == "None\n```", row["value"] / row["tests"])
             for row in told.iter_rows(named=True)}
    assert worth == {(False, 1.0), (True, 0.0)}
    pairs = pair_by_steps(floor=0.8, margin=4)(prompts, answers, valued).table
    assert pairs["prompt_id"].n_unique() == 3
    assert set(pairs["score_chosen"]) == {1.0}
