"""What a judge of two answers is taught to reply: its reasons in a fixed form, then A, B or tie."""

import json
import re

from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.problem import Problem

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def verdict(problem: Problem, first: str, second: str) -> str:
    """`A` or `B` where one answer is right and the other is not; else `tie`."""
    a, b = is_good(problem, first), is_good(problem, second)
    return "tie" if a == b else "A" if a else "B"


def reply(problem: Problem, first: str, second: str, whole: bool = False) -> str:
    """The JSON of COMPARE: `34 + 27 = 61. Gold: 61. A: 61 ok. B: 71 bad.`, and the verdict.

    A wrong program is told up to where it leaves the right one, `Gold: x + 4. B: x - bad.`: whether the next word is
    the same is a small question, whether two lines are alike is a large one. `whole` tells all of it.
    """
    told = " ".join((_gold(problem), _mark(problem, "A", first, whole), _mark(problem, "B", second, whole)))
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


def _mark(problem: Problem, name: str, answer: str, whole: bool) -> str:
    said = arithmetic.boxed(answer) if problem.task == arithmetic.TASK else functions.expression(answer)
    good = is_good(problem, answer)
    if problem.task == functions.TASK and said and not good and not whole:
        said = _until_it_differs(said, functions.expression(problem.solution) or "")
    return f"{name}: {said or 'none'} {'ok' if good else 'bad'}."


def _until_it_differs(said: str, gold: str) -> str:
    words, known = _WORD.findall(said), _WORD.findall(gold)
    same = next((place for place, pair in enumerate(zip(words, known, strict=False)) if pair[0] != pair[1]), len(known))
    return "".join(words[:same + 1])
