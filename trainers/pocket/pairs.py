"""On-policy pairs for judges: what the generators themselves say to training problems, right and wrong."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from random import Random

from generators.pocket.offline import write
from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.judging import is_good
from generators.pocket.tasks.problem import Problem
from trainers.pocket.corpus import Talk, drawn, judged

PROBLEMS = 800
_EACH = (2, 1, 1)
"""How often each generator answers a problem, the strongest first."""
_DECIDED, _TIED = 3, 2
"""The most pairs of a problem where one answer is right, and where both are right or both wrong."""


def sampled_pairs(rng: Random, generators: Sequence[Path], stress: float) -> Iterator[Talk]:
    """Requests for verdicts on pairs of sampled answers, each pair in both orders, over and over in new orders."""
    problems = [drawn((arithmetic if rng.random() < 0.6 else functions).make, rng) for _ in range(PROBLEMS)]
    prompts, answers = [problem.prompt for problem in problems], [list[str]() for _ in problems]
    for folder, times in zip(generators, _EACH, strict=True):
        for time in range(times):
            said = write(folder, prompts, temperature=1.0, seed=rng.randrange(1 << 30) + time)
            for known, text in zip(answers, said, strict=True):
                known.append(text)
    talks = [talk for problem, texts in zip(problems, answers, strict=True)
             for talk in _judged(problem, texts, rng, stress)]
    while True:
        rng.shuffle(talks)
        yield from talks


def _judged(problem: Problem, texts: Sequence[str], rng: Random, stress: float) -> Iterator[Talk]:
    """A balanced choice of the pairs of different answers, in both orders."""
    pairs = list(combinations(dict.fromkeys(texts), 2))
    rng.shuffle(pairs)
    decided = [pair for pair in pairs if is_good(problem, pair[0]) != is_good(problem, pair[1])]
    tied = [pair for pair in pairs if pair not in decided]
    for first, second in [*decided[:_DECIDED], *tied[:_TIED]]:
        yield judged(problem, first, second, stress)
        yield judged(problem, second, first, stress)
