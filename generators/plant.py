"""The scripted plant: questions whose answers are known, models that err by plan, judges that see by plan.

Everything here is a pure function of its arguments and of draws, and a draw is a digest anyone can recompute: four
even numbers in [0, 1), made of the four 8-byte big-endian words of a SHA-256,

    draws(seed, purpose, *names) = [word / 2**64 for word in sha256(json([seed, purpose, *names]))]

where json has no spaces and is UTF-8. With s the plant's seed, m a model's name, q a question, r the request's own seed
(0 where it has none), these are all the draws and what is made of them:

    question   u, v = draws(s, "question", number); a = 100 + floor(900 u), b = 100 + floor(900 v); the truth is a + b
    answer     right, off, long, words = draws(s, "answer", m, q, r): right where right < skill, else off by
               1 + floor(12 (1 - skill) |2 off - 1|), downwards where off < 0.5; verbose where long < verbosity;
               `words` picks the wording
    judge      u, v = draws(s, "noise", m, q, aspect, text, r): it sees an answer at quality + noise * (u + v - 1)
               + length_bias * words / 10, and + position_bias if it is the first of several
    both_bad   where the first of draws(s, "both_bad", m, q, aspect, r) < both_bad

Quality is max(0, 10 - |answer - truth|), the answer being the last whole number of the text.
"""

import hashlib
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

ANY_TRUTH = 42
"""The truth of every text that is not a planted question, so that any prompt can be played through."""

_QUESTION = re.compile(r"Question (\d+): what is (\d+) \+ (\d+)\?")
_WORDS = struct.Struct(">4Q")
_INTEGER = re.compile(r"\d+")

_VOICES = (
    ("The answer is {n}.", "My answer is {n}.", "So the answer comes to {n}."),
    ("It is {n}.", "It comes out at {n}.", "I believe it is {n}."),
    ("That makes {n}.", "All told, that makes {n}.", "Together that makes {n}."),
    ("The sum is {n}.", "Hence the sum is {n}.", "I find that the sum is {n}."),
    ("I get {n}.", "Here I get {n}.", "Working it through, I get {n}."),
    ("Result: {n}.", "Final result: {n}.", "Here is the result: {n}."),
)
_PADDING = (
    "Thank you for this question, let us look at it calmly.",
    "It helps to write the numbers down before doing anything else.",
    "Adding is best done digit by digit, carrying wherever a column runs over.",
    "A rough estimate beforehand protects us from gross mistakes.",
    "Having gone through all the columns, we only need to read off what stands there.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A scripted model; each can both answer and judge."""

    name: str
    skill: float = 0.8
    """As a generator: the probability of a right answer; wrong ones are further off the lower it is."""
    verbosity: float = 0.3
    """As a generator: the share of long-winded answers."""
    voice: int = 0
    """As a generator: which wordings it uses; models of different voices (0 to 5) never write the same text."""
    noise: float = 1.0
    """As a judge: the largest error of what it sees, in points of quality; small is reliable."""
    position_bias: float = 0.0
    """As a judge: points added to the first of several answers shown."""
    length_bias: float = 0.0
    """As a judge: points added for every ten words."""
    tie: float = 0.0
    """As a judge: differences up to this many points are a tie; scores move in steps of this size."""
    both_bad: float = 0.0
    """As a judge: the share of comparisons it calls both bad."""
    fenced: float = 0.0
    """As a judge: the share of replies wrapped in a ```json fence, which is still the asked format."""
    reasoning: bool = False
    """Whether its replies carry `reasoning_content`."""
    context: int | None = None
    """The most words it reads; longer requests are refused with 400, as real servers do."""


def draws(seed: int, purpose: str, *names: str | int) -> tuple[float, float, float, float]:
    """Four even numbers in [0, 1); the first is `schemas.ids.draw`'s."""
    words = _WORDS.unpack(hashlib.sha256(orjson.dumps([seed, purpose, *names])).digest())
    return words[0] / 2**64, words[1] / 2**64, words[2] / 2**64, words[3] / 2**64


def draw(seed: int, purpose: str, *names: str | int) -> float:
    """The first of `draws`."""
    return draws(seed, purpose, *names)[0]


def question(number: int, seed: int = 0) -> str:
    """The text of a planted question, for example 'Question 0017: what is 413 + 286?'."""
    left, right, *_ = draws(seed, "question", number)
    return f"Question {number:04d}: what is {100 + int(900 * left)} + {100 + int(900 * right)}?"


def find_question(text: str) -> str | None:
    """The last planted question in a text, alone; None where there is none."""
    found = [match.group() for match in _QUESTION.finditer(text)]
    return found[-1] if found else None


def question_number(text: str) -> int | None:
    """The number of a planted question; None for any other text."""
    found = _QUESTION.search(text)
    return int(found.group(1)) if found else None


def truth(text: str) -> int:
    """The right answer to a planted question; ANY_TRUTH for any other text."""
    found = _QUESTION.search(text)
    return int(found.group(2)) + int(found.group(3)) if found else ANY_TRUTH


def answer(seed: int, model: Model, text: str, request_seed: int) -> str:
    """What a scripted model answers to a question."""
    right, off, long, words = draws(seed, "answer", model.name, text, request_seed)
    error = 0 if right < model.skill else 1 + int(12 * (1 - model.skill) * abs(2 * off - 1))
    voice, word = _VOICES[model.voice % len(_VOICES)], int(60 * words)
    closing = voice[word % len(voice)].format(n=truth(text) + (-error if off < 0.5 else error))
    if long >= model.verbosity:
        return closing
    return " ".join([*_PADDING[: 2 + word % (len(_PADDING) - 1)], closing])


def quality(text: str, answer_text: str) -> int:
    """How good an answer truly is, 0 to 10: ten less its distance from the truth; 0 where it names no number."""
    found = _INTEGER.findall(answer_text)
    return max(0, 10 - abs(int(found[-1]) - truth(text))) if found and len(found[-1]) < 19 else 0


def perceived(
    seed: int, judge: Model, text: str, aspect: str, answers: Sequence[str], request_seed: int
) -> list[float]:
    """How good a scripted judge thinks the answers are, in the order shown: quality, its noise and its biases."""
    seen = []
    for place, shown in enumerate(answers):
        left, right, *_ = draws(seed, "noise", judge.name, text, aspect, shown, request_seed)
        points = quality(text, shown) + judge.noise * (left + right - 1) + judge.length_bias * len(shown.split()) / 10
        seen.append(points + (judge.position_bias if place == 0 and len(answers) > 1 else 0.0))
    return seen


def verdict(seed: int, judge: Model, text: str, aspect: str, seen: Sequence[float], request_seed: int) -> str:
    """What a scripted judge says of two answers seen so: A, B, tie or both_bad."""
    if judge.both_bad and draw(seed, "both_bad", judge.name, text, aspect, request_seed) < judge.both_bad:
        return "both_bad"
    if abs(seen[0] - seen[1]) <= judge.tie:
        return "tie"
    return "A" if seen[0] > seen[1] else "B"


def score(judge: Model, points: float, low: float, high: float) -> float:
    """Points of quality on the scale from low to high, whole steps above low, rounded half up, in the judge's grain."""
    stepped = math.floor(points / judge.tie + 0.5) * judge.tie if judge.tie else points
    return low + math.floor((high - low) * min(max(stepped, 0.0), 10.0) / 10 + 0.5)


def leanings(judge: Model, seen: Sequence[float], said: str) -> dict[str, float]:
    """Log-probabilities of the four verdicts for two answers seen so; the one that was said is the likeliest."""
    gap = seen[0] - seen[1]
    logits = {"A": gap / 2, "B": -gap / 2, "tie": judge.tie / 2, "both_bad": -5.0}
    logits[said] = max(logits.values()) + 1e-6
    norm = math.log(sum(map(math.exp, logits.values())))
    return {name: logit - norm for name, logit in logits.items()}
