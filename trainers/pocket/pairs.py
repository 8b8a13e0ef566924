"""On-policy pairs for judges: what the generators themselves say to training problems, right and wrong."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from random import Random

from generators.pocket.offline import write
from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.judging import is_good
from generators.pocket.tasks.problem import Problem
from trainers.pocket.corpus import Balance, Talk, drawn, judged

PROBLEMS = 1600
_EACH = (2, 1, 1)
"""How often each generator answers a problem, the strongest first."""


def sampled_pairs(rng: Random, generators: Sequence[Path], stress: float, sums: Balance) -> Iterator[Talk]:
    """Requests for verdicts on pairs of sampled answers, each pair in both orders, over and over in new orders."""
    problems = [drawn((arithmetic if rng.random() < 0.6 else functions).make, rng) for _ in range(PROBLEMS)]
    prompts, answers = [problem.prompt for problem in problems], [list[str]() for _ in problems]
    for folder, times in zip(generators, _EACH, strict=True):
        for time in range(times):
            said = write(folder, prompts, temperature=1.0, seed=rng.randrange(1 << 30) + time)
            for known, text in zip(answers, said, strict=True):
                known.append(text)
    talks = [talk for problem, texts in zip(problems, answers, strict=True)
             for talk in _judged(problem, texts, rng, stress, sums)]
    while True:
        rng.shuffle(talks)
        yield from talks


def _judged(problem: Problem, texts: Sequence[str], rng: Random, stress: float, sums: Balance) -> Iterator[Talk]:
    """A choice of the pairs of different answers, in both orders."""
    pairs = list(combinations(dict.fromkeys(texts), 2))
    rng.shuffle(pairs)
    good = {text: is_good(problem, text) for text in texts}
    decided = [pair for pair in pairs if good[pair[0]] != good[pair[1]]]
    wrong = [pair for pair in pairs if not good[pair[0]] and not good[pair[1]]]
    right = [pair for pair in pairs if good[pair[0]] and good[pair[1]]]
    if problem.task == arithmetic.TASK:
        few = sums.sampled if rng.random() < sums.right_problems else (*sums.sampled[:2], 0)
        chosen = [*decided[:few[0]], *wrong[:few[1]], *right[:few[2]]]
    else:
        chosen = [*decided[:3], *(wrong + right)[:2]]
    for first, second in chosen:
        yield judged(problem, first, second, stress)
        yield judged(problem, second, first, stress)
