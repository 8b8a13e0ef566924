"""Planted faults and the share of them that test cases tell: by hand, and in the sandbox."""

import ast
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback.testcases.execute import execute
from feedback.testcases.faults import faulty
from feedback.testcases.mutation_score import FAULTS, SCORE, most_passing, mutation_score
from feedback.testcases.outcomes import check
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Limits
from feedback.testcases.sandbox.runner import Sandbox as RealSandbox
from schemas import MEASUREMENTS
from schemas.errors import ConfigError, SchemaError
from tests.testcases.tables import Sandbox, call_inputs, cases, fates, programs, runs

ABOVE = "def f(x):\n    return x > 3"
"""Three faults: x >= 3, x > 4, and None."""
SUM = "def f(items):\n    total = 0\n    for item in items:\n        total += item\n    return total"


def body(text: str) -> list[str]:
    """The lines of each faulty program that the program has not."""
    whole = ast.unparse(ast.parse(text)).splitlines()
    return ["; ".join(line.strip() for line in fault.splitlines() if line not in whole) for fault in faulty(text)]


def does(source: str, arguments: Any) -> Any:
    """Runs what these tests wrote; what raises fails."""
    space: dict[str, Any] = {}
    exec(compile(source, "program", "exec"), space)
    try:
        return space["f"](*arguments)
    except (TypeError, ZeroDivisionError, UnboundLocalError):
        raise RuntimeError("error") from None


def scores(sources: Mapping[str, str], inputs: Mapping[str, Sequence[Sequence[Any]]], store: Path,
           **options: Any) -> dict[str, tuple[float, float]]:
    """The score of each prompt, and of how many faults it is."""
    given = pl.concat([call_inputs(prompt, *values) for prompt, values in inputs.items()])
    made = mutation_score(**options)(programs({f"{name}/r": text for name, text in sources.items()}), given, execute(),
                                     store, Sandbox(does))
    assert MEASUREMENTS.check(MEASUREMENTS.conform(made.table.to_arrow()))[0] == []
    told = {(row["subject_id"], row["name"]): row["value"] for row in made.table.iter_rows(named=True)}
    return {name: (told[name, SCORE], told[name, FAULTS]) for name, _ in told}


def test_each_fault_changes_one_thing() -> None:
    assert body(ABOVE) == ["return None", "return x >= 3", "return x > 4"]
    assert body(SUM) == ["pass", "total = 1", "pass", "total -= item", "return None"]
    loop = "def f(a, b):\n    while a and not b:\n        a, b = a // 2, -b\n        break\n    return b ** a"
    assert body(loop) == [
        "while not (a and (not b)):", "while a or not b:", "while a and b:", "pass", "a, b = (a * 2, -b)",
        "a, b = (a // 3, -b)", "a, b = (a // 2, b)", "continue", "return None", "return b * a"]
    assert body("f = lambda s: 'x' in s if s else False") == [
        "pass", "f = lambda s: 'x' in s if not s else False", "f = lambda s: 'x' not in s if s else False",
        "f = lambda s: '' in s if s else False", "f = lambda s: 'x' in s if s else True"]


def test_what_says_something_to_people_alone_is_left_as_it_is() -> None:
    assert body('@cache(1)\ndef f(x: "int > 3") -> {1: 2}:\n    """One."""\n    y: 5 + 5\n    return f"{x + 1} 7"') == [
        "return None"]


@pytest.mark.parametrize("source", ["def f(:", "", "x = " + "-" * 3000 + "1", '"""Nothing."""', "x\0"])
def test_what_cannot_be_read_or_says_nothing_has_no_fault(source: str) -> None:
    assert [each for each in faulty(source) if each != "pass"] == []


def test_a_score_is_the_share_of_the_faults_that_some_input_tells(tmp_path: Path) -> None:
    sources = dict.fromkeys("pqrs", ABOVE)
    inputs = {"p": [[9]], "q": [[3]], "r": [[4], [9]], "s": [[4], [3], [9]]}
    assert scores(sources, inputs, tmp_path) == {"p": (1 / 3, 3.0), "q": (2 / 3, 3.0), "r": (2 / 3, 3.0),
                                                 "s": (1.0, 3.0)}


def test_at_most_so_many_faults_are_drawn_and_another_prompt_draws_no_others(tmp_path: Path) -> None:
    alone = scores({"p": SUM}, {"p": [[[1, 2]]]}, tmp_path, most=2)
    both = scores({"p": SUM, "q": ABOVE}, {"p": [[[1, 2]]], "q": [[3]]}, tmp_path, most=2)
    assert alone["p"] == both["p"]
    assert {size for _, size in both.values()} == {2.0}


def test_an_input_on_which_the_program_itself_fails_tells_nothing(tmp_path: Path) -> None:
    sources = {"p": ABOVE, "q": ABOVE, "r": "def f(x):\n    pass"}
    given = pl.concat([call_inputs("p", ["text"]), call_inputs("q", ["text"], [3]), call_inputs("r", [1])])
    made = mutation_score()(programs({f"{name}/r": text for name, text in sources.items()}), given, execute(), tmp_path,
                            Sandbox(does))
    assert fates(made.counts, "prompts") == {"in": 3, "out": 1, "no fault": 1, "no input tells": 1}
    assert dict(made.table.select("name", "value").iter_rows()) == {FAULTS: 3.0, SCORE: 2 / 3}


def test_what_is_told_by_the_first_input_is_not_run_on_the_others_and_nothing_runs_twice(tmp_path: Path) -> None:
    given, made = call_inputs("p", *([number] for number in range(5, 25))), programs({"p/r": ABOVE})
    sandbox = Sandbox(does)
    first = mutation_score()(made, given, execute(), tmp_path, sandbox)
    of_none = sum(times for (source, _), times in sandbox.ran.items() if "None" in source)
    assert of_none == 1
    assert sandbox.ran.total() == 20 + 1 + 2 * 20
    again = Sandbox(does)
    assert mutation_score()(made, given, execute(), tmp_path, again).table.equals(first.table)
    assert again.ran.total() == 0


def test_the_program_that_a_vote_takes_for_right_passes_most() -> None:
    there = programs({"p/a": "1", "p/b": "2", "p/c": "3", "q/a": "4"})
    outcomes = check()(runs({"p/a": [1, 0], "p/b": [1, 1], "p/c": [1, 1], "q/a": [0, 0]}),
                       cases({"p": [1, 1], "q": [1, 1]})).table
    assert most_passing(there, outcomes)["response_id"].to_list() == ["p/b"]


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="most is 0"):
        mutation_score(most=0)
    with pytest.raises(SchemaError, match="a prompt has two"):
        mutation_score()(programs({"p/a": ABOVE, "p/b": SUM}), call_inputs("p", [1]), execute(), tmp_path,
                         Sandbox(does))


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
def test_in_the_sandbox_a_fault_that_never_ends_is_told(tmp_path: Path) -> None:
    down = "def f(x):\n    while x > 0:\n        x = x - 2\n    return x"
    operator = execute(limits=Limits(cpu_s=0.5, wall_s=300))
    with RealSandbox(limits=operator.limits) as sandbox:
        few, many = (mutation_score()(programs({"p/r": down}), call_inputs("p", *values), operator, tmp_path, sandbox)
                     for values in ([[-1]], [[-1], [1], [4]]))
    found = [dict(made.table.select("name", "value").iter_rows()) for made in (few, many)]
    assert len(faulty(down)) == 7
    assert found[0] == {FAULTS: 7.0, SCORE: 2 / 7}       # not (x > 0), and None
    assert found[1] == {FAULTS: 7.0, SCORE: 1.0}


@pytest.mark.parametrize("number", ["9" * 4300, "0x" + "f" * 4000])
def test_a_program_with_a_number_that_cannot_be_written_out_has_no_fault(number: str) -> None:
    assert faulty(f"def f(x):\n    return x > {number}\n") == []


def test_of_a_long_table_of_numbers_every_so_manieth_is_changed() -> None:
    numbers = [str(number * 7) for number in range(1001)]
    changed = [int(number) // 7 for text in faulty(f"x = [{', '.join(numbers)}]") if text != "pass"
               for number in {*text[5:-1].split(", ")}.difference(numbers)]
    assert len(changed) == 500
    assert all(later - former == 2 for former, later in pairwise(changed))
