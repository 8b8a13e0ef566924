"""What a judge of two answers is taught to reply: its reasons in a fixed form, then A, B or tie."""

import json

from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.problem import Problem


def verdict(problem: Problem, first: str, second: str) -> str:
    """`A` or `B` where one answer is right and the other is not; else `tie`."""
    a, b = is_good(problem, first), is_good(problem, second)
    return "tie" if a == b else "A" if a else "B"


def reply(problem: Problem, first: str, second: str) -> str:
    """The JSON of COMPARE: `34 + 27 = 61. Gold: 61. A: 61 ok. B: 71 bad.`, and the verdict."""
    told = " ".join((_gold(problem), _mark(problem, "A", first), _mark(problem, "B", second)))
    return json.dumps({"rationale": told, "verdict": verdict(problem, first, second)})


def is_good(problem: Problem, answer: str) -> bool:
    """Whether the answer is right; one that cannot be read is not."""
    if problem.task == arithmetic.TASK:
        return arithmetic.right(problem, answer)
    return functions.right(problem, answer) is True


def _gold(problem: Problem) -> str:
    if problem.task == arithmetic.TASK:
        return f"{arithmetic.working(problem)} Gold: {problem.reference}."
    return f"Gold: {functions.expression(problem.solution)}."


def _mark(problem: Problem, name: str, answer: str) -> str:
    said = arithmetic.boxed(answer) if problem.task == arithmetic.TASK else functions.expression(answer)
    return f"{name}: {said or 'none'} {'ok' if is_good(problem, answer) else 'bad'}."
