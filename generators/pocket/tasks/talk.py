"""The smaller tasks: test inputs for a function, critique and refinement, and the class of a user's reply."""

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from generators.pocket.tasks import arithmetic, functions
from generators.pocket.tasks.problem import Problem, held_out
from generators.pocket.tasks.running import function

Turns = list[tuple[str, str]]
"""Pairs of role and content."""

CRITIQUE_ASK = "Check the answer and say what is wrong with it."
REFINE_ASK = "Write the answer again, improved."
FEEDBACK_ASK = "What kind of feedback is this reply: {classes}?\n<reply>\n{reply}\n</reply>"

_REPLIES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "positive": (("thanks", "thank you", "great", "perfect", "nice", "wonderful", "super"),
                 (", that helps", ", exactly right", ", well done", ", just what I need", ", that works"),
                 (" a lot", " so much", "", " indeed", " for me"), (".", "!", " :)")),
    "complaint": (("this", "that", "your answer", "the result", "it"),
                  (" is wrong", " makes no sense", " is not right", " does not work", " is useless", " is bad"),
                  (" again", "", " at all", ", sorry", " for me"), (".", "!", " :(")),
    "correction": (("no", "not quite", "wait", "hm", "sorry"),
                   (", it should be", ", the right answer is", ", you forgot", ", I get", ", make that"),
                   (" {n}", " {n} instead", " {n}, not {m}", " the {w}", " {w} and {n}"), (".", "!", "")),
    "question": (("can you", "could you", "would you", "why do you", "how do you"),
                 (" explain", " say", " show", " get", " mean"),
                 (" the {w}", " step {n}", " that", " the number {n}", " it in other words"), ("?", "??", " please?")),
    "rephrase": (("I asked", "I mean", "once more", "let me say it again", "in other words", "I want"),
                 (": how many {w}", ": the {w} please", ": only the {w}", ", what are {n} {w}", ": {n} {w}"),
                 (" in all", " now", "", " for each", " of {n}"), (".", "!", "")),
    "other": (("now", "next", "by the way", "another thing", "ok"),
              (", write about {w}", ", what about {w}", ", {n} {w} more", ", tell me of {w}", ", on to {w}"),
              (" today", " in {n} words", "", " and {w}", " for {n} people"), (".", "?", "")),
}
CLASSES = tuple(_REPLIES)


def test_inputs(asked: str, problem: Problem, count: int, rng: Random) -> Turns:
    """A request for inputs of a function, and a reply: `{"inputs": [[3], [0]]}`, one list of arguments each."""
    args = problem.reference.partition("(")[2].partition(")")[0].split(", ")
    reply = json.dumps({"inputs": [[_value(arg, rng) for arg in args] for _ in range(count)]})
    return [("user", asked), ("assistant", reply)]


def inputs_right(problem: Problem, reply: str) -> bool:
    """Whether the reply has the one shape, and the function runs on every input."""
    try:
        given = json.loads(reply)["inputs"]
        known = function(problem.reference, problem.reference[4:].partition("(")[0])
        for arguments in given:
            known(*arguments)
    except Exception:
        return False
    return bool(given)


def critique(problem: Problem, answer: str) -> str:
    """What is wrong with an answer, and whether it is right in all: the last word says so."""
    if problem.task == functions.TASK:
        got, asked = functions.expression(answer), functions.expression(problem.solution)
        if functions.right(problem, answer):
            return f"It returns {got}, as asked. The answer is right."
        return f"It returns {got or 'nothing'}, not {asked}. The answer is wrong."
    got = arithmetic.boxed(answer)
    verdict = "right" if got == problem.reference else f"wrong: it is {problem.reference}, not {got or 'nothing'}"
    return f"{arithmetic.working(problem)} The answer is {verdict}."


def refinement(problem: Problem, answer: str) -> Turns:
    """A question, an answer, its critique and the improved answer."""
    return [("user", problem.prompt), ("assistant", answer), ("user", CRITIQUE_ASK),
            ("assistant", critique(problem, answer)), ("user", REFINE_ASK), ("assistant", problem.solution)]


def feedback(rng: Random) -> tuple[str, str]:
    """A user's reply to an answer, and its class."""
    kind = rng.choice(CLASSES)
    slots = {"n": str(rng.randint(2, 99)), "m": str(rng.randint(2, 99)), "w": rng.choice(arithmetic.THINGS)}
    return "".join(rng.choice(parts) for parts in _REPLIES[kind]).format(**slots), kind


def feedback_held_out(reply: str) -> bool:
    """Whether a reply is kept for evaluation; the numbers and things it names do not count."""
    return held_out("feedback:" + re.sub(rf"\d+|{'|'.join(arithmetic.THINGS)}", "#", reply))


def feedback_turns(reply: str, kind: str) -> Turns:
    """The request for the class of a reply, and the class."""
    asked = FEEDBACK_ASK.format(classes=", ".join(CLASSES[:-1]) + " or " + CLASSES[-1], reply=reply)
    return [("user", asked), ("assistant", kind)]


def _value(arg: str, rng: Random) -> Any:
    if arg == "s":
        return rng.choice(("", "Abc", "banana", "The Quick", "x y z", "Hello", "aabbcc", "kiwi", "ZEBRA", "top"))
    if arg == "xs":
        return [rng.randint(-9, 30) for _ in range(rng.choice((0, 1, 2, 3)))]
    return rng.randint(-20, 60)
