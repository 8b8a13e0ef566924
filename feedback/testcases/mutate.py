"""MUTATE: more inputs out of those that are there, each value changed within its type (EvalPlus, Liu et al. 2023).

Numbers move by one, lists and texts lose, repeat or gain a part, dicts lose, change or gain a key; what is inside is
changed in the same way. A choice is a draw by hash of the input and the number of the mutant, so that a new input, or
one more mutant, changes no other. What a mutant should give is for a reference or a vote to say: nothing here knows
whether the task allows it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from feedback.testcases.given import input_rows
from feedback.testcases.sandbox.codec import Unsupported, decode, encode
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import draw

MAKER = "mutation"
_TRIES = 4
"""How often a mutant that is there already is drawn anew."""


@dataclass(slots=True)
class Dice:
    """Draws one after the other, all by hash of the ids they concern."""

    seed: int
    ids: tuple[Any, ...]
    thrown: int = field(default=0)

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""
        self.thrown += 1
        return int(draw(self.seed, "mutate", *self.ids, self.thrown) * bound)

    def coin(self) -> bool:
        """True half of the time."""
        return self.below(2) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutate:
    """Mutates inputs; see `mutate_inputs`."""

    n: int
    longest: int
    seed: int

    def __call__(self, test_inputs: pl.DataFrame) -> Made:
        """New TEST_INPUTS rows of maker mutation, sorted by input_id; none of them is given already.

        Counts inputs (dropped: "not a call") and mutants (dropped: duplicate, too long).
        """
        calls = test_inputs.filter(pl.col("kind") == "call").sort("input_id")
        there = set(test_inputs.select("prompt_id", "value").iter_rows())
        made, dropped = set[tuple[str, str]](), Counter[str]()
        for input_, prompt, value in calls.select("input_id", "prompt_id", "value").iter_rows():
            for fate, text in self._mutants(input_, prompt, value, there):
                fate = fate or ("duplicate" if (prompt, text) in made else "")
                if fate:
                    dropped[fate] += 1
                else:
                    made.add((prompt, text))
        table = input_rows((prompt, "call", text, [MAKER]) for prompt, text in made)
        other = Counter({"not a call": test_inputs.height - calls.height})
        return Made(table, [
            *count("test_inputs", "inputs", test_inputs.height, out=calls.height, dropped=+other),
            *count("test_inputs", "mutants", calls.height * self.n, out=table.height, dropped=dropped)])

    def _mutants(self, input_: str, prompt: str, value: str, there: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """`n` mutants of an input: why it is none, and its encoding."""
        arguments = decode(value, ordered=True)
        for number in range(self.n):
            fate, text = "duplicate", ""
            for attempt in range(_TRIES):
                text = mutated_call(arguments, Dice(self.seed, (input_, number, attempt)), 1 + number // 2 + attempt)
                fate = "duplicate" if (prompt, text) in there else "too long" if len(text) > self.longest else ""
                if not fate:
                    break
            yield fate, text


def mutate_inputs(n: int = 5, longest: int = 10_000, seed: int = 0) -> Mutate:
    """Make up to `n` mutants of every input of kind call, each of at most `longest` characters when encoded.

    The first two are one change away, the next two are two, and so on: EvalPlus mutates what it made, again and again.
    Texts that programs read have no types to keep to and stay as they are. Raises ConfigError on what cannot be.
    """
    if n < 1 or longest < 1:
        raise ConfigError(f"mutate_inputs: n is {n} and longest is {longest}; give 1 or more")
    return Mutate(n=n, longest=longest, seed=seed)


def mutated_call(arguments: list[Any], dice: Dice, times: int = 1) -> str:
    """The encoded arguments after so many changes of one of them each; as many, each of its type."""
    changed = list(arguments)
    for _ in range(times if changed else 0):
        at = dice.below(len(changed))
        changed[at] = mutated(changed[at], dice)
    try:
        return encode(changed, ordered=True)
    except Unsupported:
        return encode(arguments, ordered=True)


def mutated(value: Any, dice: Dice) -> Any:
    """The value, changed, of the same type; what has no change of its own (None, complex numbers) stays."""
    change = _CHANGES.get(type(value))
    return value if change is None else change(value, dice)


def _number(value: Any, dice: Dice) -> Any:
    return value + (1 if dice.coin() else -1)


def _sequence(value: Any, dice: Dice) -> Any:
    """One part removed, repeated, changed, or a changed copy of it inserted; nothing can be done to an empty one."""
    if not value:
        return value
    kind, at = dice.below(4), dice.below(len(value))
    before, part, after = value[:at], value[at:at + 1], value[at + 1:]
    if kind == 0:
        return before + after
    if kind == 1:
        return before + part + part + after
    new = type(value)([mutated(part[0], dice)])
    return before + new + after if kind == 2 else before + part + new + after


def _text(value: str, dice: Dice) -> str:
    """The same of a text, whose parts may be longer than a letter; a letter changes to its neighbour or its case."""
    if not value:
        return value
    kind, at = dice.below(4), dice.below(len(value))
    if kind < 2:
        end = at + 1 + dice.below(len(value) - at)
        return value[:at] + value[at:end] * (2 * kind) + value[end:]
    new = _letter(value[at], dice)
    return value[:at] + (new if kind == 2 else value[at] + new) + value[at + 1:]


def _letter(letter: str, dice: Dice) -> str:
    if letter.isalpha() and len(letter.swapcase()) == 1 and dice.coin():
        return letter.swapcase()
    near = ord(letter) + (1 if dice.coin() else -1)
    return chr(near) if 32 <= near < 127 else "a"


def _bytes(value: bytes, dice: Dice) -> bytes:
    if not value:
        return value
    at = dice.below(len(value))
    new = b"" if dice.coin() else bytes([(value[at] + 1) % 256])
    return value[:at] + new + value[at + 1:]


def _set(value: Any, dice: Dice) -> Any:
    """A set changes as the list of its items in the order of their encoding does; equal items fall together."""
    items = sorted(value, key=encode)
    changed = _sequence(items, dice)
    return type(value)(changed)


def _dict(value: dict[Any, Any], dice: Dice) -> dict[Any, Any]:
    """One key removed, its value changed, or its changed copy added."""
    if not value:
        return value
    kind, key = dice.below(3), list(value)[dice.below(len(value))]
    if kind == 0:
        return {each: held for each, held in value.items() if each != key}
    if kind == 1:
        return {**value, key: mutated(value[key], dice)}
    return {**value, mutated(key, dice): mutated(value[key], dice)}


_CHANGES: dict[type, Callable[[Any, Dice], Any]] = {
    bool: lambda value, dice: not value, int: _number, float: _number, str: _text, bytes: _bytes, list: _sequence,
    tuple: _sequence, set: _set, frozenset: _set, dict: _dict,
}
