"""Prints held-out problems as prompts, one JSON object a line: python -m generators.pocket.tasks arithmetic 200."""

import argparse
import json
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

from generators.pocket.tasks import functions
from generators.pocket.tasks.held_out import TASKS, problems
from generators.pocket.tasks.problem import Problem

_TESTS = 12
"""Inputs a function comes with, which its reference is run on to tell right answers."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m generators.pocket.tasks", description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", default="examples")
    options = parser.parse_args()
    for problem in problems(options.task, options.count, options.seed):
        sys.stdout.write(json.dumps(row(problem)) + "\n")


def row(problem: Problem) -> dict[str, Any]:
    """A problem as a record that `read` takes."""
    return {"prompt": problem.prompt, "reference": problem.reference, **dict(_extra(problem))}


def _extra(problem: Problem) -> Iterator[tuple[str, Any]]:
    if problem.task == functions.TASK:
        name, args = functions.signature(problem.reference)
        tests = functions.inputs(problem.reference, args)
        Random(problem.key).shuffle(tests)
        yield "entry_point", name
        yield "tests", tests[:_TESTS]


if __name__ == "__main__":
    main()
