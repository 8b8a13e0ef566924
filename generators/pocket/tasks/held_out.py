"""Problems that no training ever drew."""

from random import Random

from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.problem import Problem

TASKS = {arithmetic.TASK: arithmetic, functions.TASK: functions}


def problems(task: str, count: int, seed: str) -> list[Problem]:
    """So many different ones; the same seed gives the same."""
    rng, found = Random(f"{seed} {task}"), dict[str, Problem]()
    while len(found) < count:
        problem: Problem = TASKS[task].make(rng)
        if problem.held_out:
            found.setdefault(problem.key, problem)
    return list(found.values())
