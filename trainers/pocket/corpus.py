"""What the family learns from: conversations drawn from the tasks, never a held-out problem, as rows of tokens."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from feedback.jury import render
from generators.pocket.tasks import arithmetic, functions, judging, talk
from generators.pocket.tasks.problem import Problem
from trainers.pocket.tokens import BOS, END

ROW = 320
"""Tokens a row; also the longest conversation."""

_TESTCASES = Path(__file__).parents[2] / "feedback" / "testcases" / "prompts"
_KEY_WORDS = re.compile(r"(?<=Gold: )[^\"]+?(?=\. A: )|(?<= [AB]: )[^\"]+?(?= (?:ok|bad)\.)|\b(?:ok|bad)(?=[. ])"
                        r"|(?<=\"verdict\": \")\w+")


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation to learn from."""

    turns: list[tuple[str, str]]
    learn: tuple[int, ...]
    """The turns whose words are to be learnt."""
    stress: float = 1.0
    """How much more a judge's key words weigh: the gold answer, what A and B say, ok or bad, the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Which pairs of answers a judge learns from, by whether one, both or none of them is right."""

    decided: float
    """The share of made-up pairs of which one is right."""
    right: float
    """The share of made-up pairs that are both right; the others are both wrong."""
    sampled: tuple[int, int, int]
    """The most pairs of a problem's sampled answers that are decided, both wrong, both right."""
    right_problems: float = 1.0
    """The share of problems of which pairs that are both right are taken."""


EVEN = Balance(decided=0.5, right=0.2, sampled=(2, 2, 1))
MISLEADING = Balance(decided=0.25, right=0.1, sampled=(1, 3, 1), right_problems=0.3)
"""Most answers are wrong: a judge that copies a sum from them in place of working it out is wrong, too."""


def drawn(make: Callable[[Random], Problem], rng: Random) -> Problem:
    """A problem that is not held out."""
    while (problem := make(rng)).held_out:
        pass
    return problem


def answers(problem: Problem) -> Talk:
    """A question and its right answer."""
    return Talk([("user", problem.prompt), ("assistant", problem.solution)], (1,))


def generator_talks(rng: Random, noise: float = 0.0) -> Iterator[Talk]:
    """What generators learn, without end; `noise` is the share of answers that are wrong on purpose."""
    while True:
        task, share = (arithmetic, rng.random()) if rng.random() < 0.75 else (functions, rng.random())
        problem = drawn(task.make, rng)
        if share < 0.72 or noise:
            wrong = rng.random() < noise
            said = task.slip(problem, rng) if wrong else problem.solution
            yield Talk([("user", problem.prompt), ("assistant", said)], (1,))
        elif share < 0.85:
            said = task.slip(problem, rng) if rng.random() < 0.6 else problem.solution
            yield Talk(talk.refinement(problem, said), (3, 5))
        elif task is functions:
            yield Talk(talk.test_inputs(inputs_ask(problem, count := rng.randint(3, 10)), problem, count, rng), (1,))
        else:
            yield Talk(talk.feedback_turns(*new_feedback(rng)), (1,))


def new_feedback(rng: Random) -> tuple[str, str]:
    """A user's reply and its class, not held out."""
    while talk.feedback_held_out((made := talk.feedback(rng))[0]):
        pass
    return made


def inputs_ask(problem: Problem, count: int) -> str:
    """The request for test inputs, word for word as feedback/testcases sends it."""
    said = (_TESTCASES / "inputs_call.txt").read_text(encoding="utf-8")
    name = problem.reference[4:].partition("(")[0]
    filled = {"task": problem.prompt, "entry": name, "n": str(count)}
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: filled[slot[1]], said)


@cache
def _brief() -> render.Wording:
    return render.wording("compare_brief", "overall", "", None, False)


def judge_ask(prompt: str, first: str, second: str) -> str:
    """The request for a verdict, word for word as compare(prompt="brief") sends it."""
    return _brief().fill(
        conversation=render.conversation([{"role": "user", "content": prompt}]),
        answers=render.answers([render.neutral(first), render.neutral(second)]))


def judged(problem: Problem, first: str, second: str, stress: float, whole: bool = False) -> Talk:
    """A request for a verdict and the right reply."""
    return Talk([("user", judge_ask(problem.prompt, first, second)),
                 ("assistant", judging.reply(problem, first, second, whole))], (1,), stress)


def made_up_pairs(rng: Random, stress: float, sums: Balance, whole: bool = False) -> Iterator[Talk]:
    """Pairs of a problem's solution and slips, without end; those of functions are EVEN, told `whole` or not."""
    while True:
        task, balance = (arithmetic, sums) if rng.random() < 0.6 else (functions, EVEN)
        problem = drawn(task.make, rng)
        draw, decided, right = rng.random(), balance.decided, balance.decided + balance.right
        pair = [problem.solution if draw < right else task.slip(problem, rng),
                problem.solution if decided <= draw < right else task.slip(problem, rng)]
        rng.shuffle(pair)
        yield judged(problem, pair[0], pair[1], stress, whole)


def rows(talks: Iterable[Talk], tokenizer: Any, count: int) -> tuple[Any, Any]:
    """The first `count` rows of tokens (int16) and the weights of their loss (float32), packed one after another."""
    import numpy as np

    tokens, weights = np.zeros((count, ROW), np.int16), np.zeros((count, ROW), np.float32)
    waiting, row, column = iter(talks), 0, 0
    while True:
        for ids, loss in _encoded(list(islice(waiting, 2000)), tokenizer):
            if len(ids) > ROW:
                continue
            if column + len(ids) > ROW:
                row, column = row + 1, 0
                if row == count:
                    return tokens, weights
            tokens[row, column:column + len(ids)] = ids
            weights[row, column:column + len(ids)] = loss
            column += len(ids)


def _encoded(talks: list[Talk], tokenizer: Any) -> Iterator[tuple[list[int], list[float]]]:
    """Tokens and their weights."""
    texts = [f"<|{role}|>{said}{END}" for talk_ in talks for role, said in talk_.turns]
    encoded = iter(tokenizer.encode_batch(texts, add_special_tokens=False))
    bos = tokenizer.token_to_id(BOS)
    for talk_ in talks:
        ids, loss = [bos], [0.0]
        for place, (role, said) in enumerate(talk_.turns):
            piece = next(encoded)
            ids += piece.ids
            learnt = place in talk_.learn
            loss += _weights(piece, f"<|{role}|>{said}", talk_.stress) if learnt else [0.0] * len(piece.ids)
        yield ids, loss


def _weights(piece: Any, text: str, stress: float) -> list[float]:
    found = [1.0] * len(piece.ids)
    found[0] = 0.0
    if stress != 1.0:
        spans = [match.span() for match in _KEY_WORDS.finditer(text)]
        for place, (start, end) in enumerate(piece.offsets):
            if any(start < high and end > low for low, high in spans):
                found[place] = stress
    return found


def mixed(parts: Mapping[Iterator[Talk], float], rng: Random) -> Iterator[Talk]:
    """Talks of several streams, by their shares."""
    streams, shares = list(parts), list(parts.values())
    while True:
        yield next(rng.choices(streams, shares)[0])
