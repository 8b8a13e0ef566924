"""Arithmetic word problems of one to three steps; the answer goes into a LaTeX box."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

from generators.pocket.tasks.problem import Problem

TASK = "arithmetic"
ASK = " Put the answer in \\boxed{}."

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jana", "Kim", "Leo", "Mia", "Ned", "Ola",
          "Pia", "Quin", "Rosa", "Sam", "Tom", "Uma", "Vera", "Will", "Zoe")
THINGS = ("apples", "books", "cards", "coins", "eggs", "pens", "stamps", "shells", "stones", "tickets", "toys", "nuts",
          "cups", "keys", "plums", "roses")
LARGEST = 999


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of problem: its words, and the steps that solve it."""

    name: str
    words: str
    steps: tuple[str, ...]
    """`a + b`, then `r - c`, where r is the result of the step before; s is the result of the one before that."""
    ranges: Mapping[str, tuple[int, int]]


_TWO = (10, 99)
_FEW = (2, 9)
STORIES = (
    Story("gain", "{who} has {a} {thing} and gets {b} more. How many {thing} does {who} have now?",
          ("a + b",), {"a": _TWO, "b": _TWO}),
    Story("give", "{who} had {a} {thing} and gave {b} away. How many {thing} are left?",
          ("a - b",), {"a": (20, 199), "b": _TWO}),
    Story("boxes", "There are {a} boxes with {b} {thing} each. How many {thing} are there?",
          ("a * b",), {"a": _FEW, "b": (2, 40)}),
    Story("share", "{who} shares {a} {thing} equally among {b} friends. How many {thing} does each friend get?",
          ("a / b",), {"a": (4, 240), "b": _FEW}),
    Story("gain_lose", "{who} has {a} {thing}, buys {b} more and then loses {c}. How many {thing} does {who} have now?",
          ("a + b", "r - c"), {"a": _TWO, "b": _TWO, "c": (2, 60)}),
    Story("bags_over", "{who} fills {a} bags with {b} {thing} each and has {c} {thing} left over. "
          "How many {thing} does {who} have?", ("a * b", "r + c"), {"a": _FEW, "b": (2, 25), "c": (2, 60)}),
    Story("packs_give", "{who} buys {a} packs of {b} {thing} and gives {c} {thing} away. How many {thing} are left?",
          ("a * b", "r - c"), {"a": _FEW, "b": (2, 25), "c": (2, 60)}),
    Story("both_days", "Every day {who} finds {a} {thing} and {other} finds {b}. How many {thing} do they find in {c} "
          "days?", ("a + b", "r * c"), {"a": (2, 20), "b": (2, 20), "c": _FEW}),
    Story("save", "{who} earns {a} coins a day and spends {b} of them. How many coins does {who} save in {c} days?",
          ("a - b", "r * c"), {"a": (8, 40), "b": (2, 30), "c": _FEW}),
    Story("times_more", "{who} has {a} {thing} and {other} has {b} times as many. How many {thing} do they have "
          "together?", ("a * b", "r + a"), {"a": (3, 40), "b": _FEW}),
    Story("shop", "{who} buys {a} {thing} for {b} coins each and {c} cakes for {d} coins each. How many coins does "
          "{who} pay?", ("a * b", "c * d", "s + r"), {"a": _FEW, "b": (2, 15), "c": _FEW, "d": (2, 15)}),
    Story("share_eat", "{who} shares {a} {thing} equally among {b} friends and each friend then loses {c}. "
          "How many {thing} does each friend have left?", ("a / b", "r - c"),
          {"a": (12, 240), "b": _FEW, "c": (2, 15)}),
)


def make(rng: Random) -> Problem:
    """A problem drawn at random, on either side of the split."""
    story = rng.choice(STORIES)
    while True:
        numbers = {slot: rng.randint(*span) for slot, span in story.ranges.items()}
        steps = _steps(story, numbers)
        if steps:
            break
    who, other = rng.sample(PEOPLE, 2)
    said = story.words.format(who=who, other=other, thing=rng.choice(THINGS), **numbers)
    return _problem(story, numbers, said + ASK, steps)


def read(prompt: str) -> Problem | None:
    """The problem that a prompt of ours asks; None where it is not one of ours."""
    for story, pattern in _patterns():
        if found := pattern.fullmatch(prompt):
            numbers = {slot: int(found[slot]) for slot in story.ranges}
            if steps := _steps(story, numbers):
                return _problem(story, numbers, prompt, steps)
    return None


def boxed(text: str) -> str | None:
    r"""What the last \boxed{} holds, without blanks; None: there is none."""
    found = re.findall(r"\\boxed\{([^{}]*)\}", text)
    return found[-1].strip() if found else None


def right(problem: Problem, text: str) -> bool:
    """Whether the boxed answer is the right number."""
    return boxed(text) == problem.reference


def working(problem: Problem) -> str:
    """The steps alone, as in `34 + 27 = 61. 61 - 5 = 56.` before the answer."""
    return problem.solution.partition(" The answer")[0]


def slip(problem: Problem, rng: Random) -> str:
    """The solution with one step miscalculated and the later ones built on it; always another answer."""
    story, numbers = _parsed(problem.key)
    while True:
        at, off = rng.randrange(len(story.steps)), rng.choice((-20, -10, -3, -2, -1, 1, 2, 3, 10, 20))
        steps = _steps(story, numbers, at, off)
        if steps and steps[-1][1] != int(problem.reference):
            return _told(steps)
        if not steps and rng.random() < 0.02:
            return _told([(said, result + 1) for said, result in _steps(story, numbers)[-1:]])


def _problem(story: Story, numbers: Mapping[str, int], prompt: str, steps: list[tuple[str, int]]) -> Problem:
    key = f"{story.name}/{','.join(str(number) for number in numbers.values())}"
    return Problem(task=TASK, key=key, prompt=prompt, reference=str(steps[-1][1]), solution=_told(steps))


def _parsed(key: str) -> tuple[Story, dict[str, int]]:
    name, _, numbers = key.partition("/")
    story = next(story for story in STORIES if story.name == name)
    return story, dict(zip(story.ranges, map(int, numbers.split(",")), strict=True))


def _steps(story: Story, numbers: Mapping[str, int], slip_at: int = -1, off: int = 0) -> list[tuple[str, int]]:
    """The steps with their results; empty where one of them is not a whole number from 1 to 999."""
    known, done = dict(numbers), list[tuple[str, int]]()
    for place, step in enumerate(story.steps):
        left, sign, right_ = step.split()
        a, b = known[left], known[right_]
        if sign == "/" and (a % b or (place == slip_at and a // b + off < 1)):
            return []
        result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign] + (off if place == slip_at else 0)
        if not 1 <= result <= LARGEST:
            return []
        known["s"], known["r"] = known.get("r", 0), result
        done.append((f"{a} {sign} {b}", result))
    return done


def _told(steps: list[tuple[str, int]]) -> str:
    worked = " ".join(f"{said} = {result}." for said, result in steps)
    return f"{worked} The answer is \\boxed{{{steps[-1][1]}}}."


@cache
def _patterns() -> list[tuple[Story, re.Pattern[str]]]:
    return [(story, _pattern(story)) for story in STORIES]


def _pattern(story: Story) -> re.Pattern[str]:
    seen = set[str]()

    def group(found: re.Match[str]) -> str:
        slot = found[1]
        if slot in seen:
            return f"(?P={slot})"
        seen.add(slot)
        return f"(?P<{slot}>{r'[0-9]{1,4}' if slot in story.ranges else '[A-Za-z]+'})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(story.words)) + re.escape(ASK))
