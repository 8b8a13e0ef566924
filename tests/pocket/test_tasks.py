"""The pocket tasks: right solutions, wrong slips, a split that holds, requests word for word as operators send them."""

import json
import re
from collections import Counter
from fractions import Fraction
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.jury.compare import compare
from feedback.jury.parse import read_verdict
from feedback.testcases.generate import generate_inputs
from generators.engines import Engine
from generators.pocket.tasks import arithmetic, functions, judging, talk
from generators.pocket.tasks.held_out import TASKS, problems
from generators.pocket.tasks.problem import Problem
from generators.pocket.tasks.running import Unreadable, function
from generators.read import read
from schemas import PROMPTS, RESPONSES
from schemas.ids import text_digest
from schemas.messages import prompt_id
from trainers.pocket import corpus

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDS = st.integers(0, 10**6)
ENGINES = {"e": Engine(name="e", model="m", url="http://127.0.0.1:9/v1")}


def drawn(task: str, seed: int) -> Problem:
    problem: Problem = TASKS[task].make(Random(seed))
    return problem


@pytest.mark.parametrize(("prompt", "answer"), [
    ("Ada has 27 pens and gets 15 more. How many pens does Ada have now?", "42"),
    ("There are 6 boxes with 32 keys each. How many keys are there?", "192"),
    ("Tom shares 84 nuts equally among 7 friends. How many nuts does each friend get?", "12"),
    ("Every day Quin finds 13 plums and Ivo finds 18. How many plums do they find in 7 days?", "217"),
    ("Mia buys 2 pens for 5 coins each and 5 cakes for 9 coins each. How many coins does Mia pay?", "55"),
])
def test_word_problems_have_the_answer_that_a_person_gets(prompt: str, answer: str) -> None:
    problem = arithmetic.read(prompt + arithmetic.ASK)
    assert problem is not None
    assert problem.reference == answer
    assert arithmetic.right(problem, f"So it is \\boxed{{{answer}}}.")
    assert not arithmetic.right(problem, f"\\boxed{{{answer}}} or rather \\boxed{{{int(answer) + 1}}}")


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_every_step_of_a_solution_is_true(seed: int) -> None:
    problem = drawn("arithmetic", seed)
    for step in arithmetic.working(problem).rstrip(".").split(". "):
        left, result = step.split(" = ")
        a, sign, b = left.split()
        assert {"+": Fraction(a) + int(b), "-": Fraction(a) - int(b), "*": Fraction(a) * int(b),
                "/": Fraction(a) / int(b)}[sign] == int(result)


@pytest.mark.parametrize("task", TASKS)
@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_solution_is_right_a_slip_is_wrong_and_the_prompt_gives_the_problem_back(task: str, seed: int) -> None:
    problem = drawn(task, seed)
    assert judging.is_good(problem, problem.solution)
    assert not judging.is_good(problem, TASKS[task].slip(problem, Random(seed)))
    assert TASKS[task].read(problem.prompt) == problem


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_the_calculator_computes_what_python_does(seed: int) -> None:
    problem = drawn("functions", seed)
    name, args = functions.signature(problem.reference)
    space: dict[str, Any] = {}
    exec(problem.reference, space)
    for test in functions.inputs(problem.reference, args)[:20]:
        assert function(problem.reference, name)(*test) == space[name](*test)


@pytest.mark.parametrize("source", [
    "import os\ndef f(x):\n    return os.getpid()", "def f(x):\n    return open('/etc/passwd').read()",
    "def f(x):\n    while True:\n        pass", "def f(x):\n    return x.__class__",
    "def f(x):\n    return 'a' * 10 ** 9",
    "def f(x):\n    return eval('1')", "def f(x):\n    return [x for y in range(10 ** 6)]",
])
def test_what_the_calculator_does_not_know_is_neither_right_nor_wrong(source: str) -> None:
    with pytest.raises(Unreadable):
        function(source, "f")(1)
    assert functions.equal(source, "def f(x):\n    return x", "f", [(1,), (2,)]) is None


@pytest.mark.parametrize("task", TASKS)
def test_training_draws_no_held_out_problem_and_examples_are_nothing_else(task: str) -> None:
    rng = Random(3)
    taught = {corpus.drawn(TASKS[task].make, rng).key for _ in range(2000)}
    shown = [json.loads(line)["prompt"] for line in (EXAMPLES / f"{task}.jsonl").read_text().splitlines()]
    kept = {TASKS[task].read(prompt).key for prompt in shown}
    assert len(kept) == len(shown) == 200
    assert not taught & kept
    assert all(problem.held_out for problem in problems(task, 50, "any"))


def test_talks_of_every_kind_leave_held_out_problems_out() -> None:
    rng = Random(5)
    streams = (corpus.generator_talks(rng), corpus.generator_talks(rng, noise=0.45),
               corpus.made_up_pairs(rng, 6.0, corpus.MISLEADING))
    asked = [next(stream).turns[0][1] for stream in streams for _ in range(300)]
    found = [task.read(line) for text in asked for line in text.splitlines() for task in TASKS.values()]
    known = [problem for problem in found if problem is not None]
    assert len(known) > 500
    assert not any(problem.held_out for problem in known)


@pytest.mark.parametrize("task", TASKS)
def test_a_judge_is_taught_the_verdict_that_truth_gives(task: str) -> None:
    problem = drawn(task, 1)
    good, bad, other = problem.solution, TASKS[task].slip(problem, Random(1)), TASKS[task].slip(problem, Random(2))
    taught = {pair: read_verdict(judging.reply(problem, *pair))[0]
              for pair in ((good, bad), (bad, good), (good, good), (bad, other))}
    assert taught == {(good, bad): "A", (bad, good): "B", (good, good): "tie", (bad, other): "tie"}


@pytest.mark.parametrize(("said", "told"), [
    ("(x + 4) - 21", "A: (x + 4) - 21 ok."),
    ("(x - 4) - 21", "A: (x - bad."),
    ("(x + 41) - 21", "A: (x + 41 bad."),
    ("x + 4", "A: x bad."),
    ("(x + 4)", "A: (x + 4) bad."),
    ("4 + x - 21", "A: 4 + x - 21 ok."),
])
def test_a_judge_tells_a_wrong_program_up_to_where_it_leaves_the_right_one(said: str, told: str) -> None:
    problem = functions.read("Write a Python function solve(x) that returns the value (x plus 4) minus 21.")
    assert problem
    reply = judging.reply(problem, f"```python\ndef solve(x):\n    return {said}\n```", problem.solution)
    assert told in json.loads(reply)["rationale"]


def test_most_made_up_sums_mislead_where_asked_and_functions_stay_even() -> None:
    pairs = islice(corpus.made_up_pairs(Random(3), 6.0, corpus.MISLEADING), 1200)
    verdicts = {task: Counter[str]() for task in ("arithmetic", "functions")}
    for made in pairs:
        text = json.loads(made.turns[1][1])["rationale"]
        marks = re.findall(r" (ok|bad)\.", text)
        verdicts["functions" if "def solve" in made.turns[0][1] else "arithmetic"][" ".join(sorted(marks))] += 1
    for task, wrong in (("arithmetic", 0.65), ("functions", 0.3)):
        assert abs(verdicts[task]["bad bad"] / verdicts[task].total() - wrong) < 0.06


def test_judges_are_taught_on_the_very_words_that_compare_sends() -> None:
    problem = drawn("functions", 2)
    turns: Any = [{"role": "user", "content": problem.prompt}]
    prompts = pl.DataFrame(pl.from_arrow(PROMPTS.rows([{
        "prompt_id": prompt_id(turns), "messages": turns, "sources": ["s"], "licences": ["cc0-1.0"], "group": "g"}])))
    texts = [problem.solution, functions.slip(problem, Random(1))]
    answers = pl.DataFrame(pl.from_arrow(RESPONSES.rows([{
        "response_id": f"r{number}", "prompt_id": prompt_id(turns), "origin": "import", "role": "candidate",
        "model": "m2", "strategy": "s", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": number,
        "text": text, "text_digest": text_digest(text)} for number, text in enumerate(texts)])))
    [ask] = compare(["e"], order="fixed", prompt="brief").plan(prompts, answers, ENGINES)
    assert ask.messages[0]["content"] == corpus.judge_ask(problem.prompt, *texts)


def test_generators_are_taught_on_the_very_words_that_ask_for_test_inputs() -> None:
    prompts = read(EXAMPLES / "functions.jsonl")().table.sort("prompt_id").head(1)
    problem = functions.read(prompts["messages"][0][0]["content"])
    assert problem is not None
    [ask] = generate_inputs(["e"], n=7).plan(prompts, ENGINES)
    assert ask.messages[0]["content"] == corpus.inputs_ask(problem, 7)
    turns = talk.test_inputs("", problem, 7, Random(1))
    assert talk.inputs_right(problem, turns[1][1])
