"""Small Python functions, asked for by description; the answer goes into a python fence."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from random import Random
from typing import Any

from generators.pocket.tasks.problem import Problem
from generators.pocket.tasks.running import Unreadable, function

TASK = "functions"

NAME = "solve"
"""Every function is called so: copying names out of a prompt took tiny models longer to learn than all the rest."""
WORDS = ("ab", "ing", "ox", "ly", "up", "er", "zap", "pre", "end", "top")
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Part = tuple[str, str]
"""Words and the code that they mean; `{k}` in both is a number, `{c}` and `{d}` letters, `{w}` a short word."""

CHANGES: tuple[Part, ...] = (
    ("{v} plus {k}", "{v} + {k}"), ("{v} minus {k}", "{v} - {k}"), ("{v} times {k}", "{v} * {k}"),
    ("{v} divided by {k} rounded down", "{v} // {k}"), ("the remainder of {v} divided by {k}", "{v} % {k}"),
)
TESTS: tuple[Part, ...] = (
    ("{v} is even", "{v} % 2 == 0"), ("{v} is odd", "{v} % 2 == 1"), ("{v} is greater than {k}", "{v} > {k}"),
    ("{v} is less than {k}", "{v} < {k}"), ("{v} is a multiple of {k}", "{v} % {k} == 0"),
    ("{v} is not {k}", "{v} != {k}"),
)
FOLDS: tuple[Part, ...] = (
    ("a list of {item} for each x in xs", "[{item} for x in xs]"),
    ("the sum of {item} for each x in xs", "sum({item} for x in xs)"),
    ("a list of {item} for each x in xs if {test}", "[{item} for x in xs if {test}]"),
    ("the sum of {item} for each x in xs if {test}", "sum({item} for x in xs if {test})"),
    ("how many x in xs there are where {test}", "len([x for x in xs if {test}])"),
    ("a sorted list of {item} for each x in xs", "sorted({item} for x in xs)"),
)
TEXTS: tuple[Part, ...] = (
    ("the first {n} characters of {s}", "{s}[:{n}]"), ("the last {n} characters of {s}", "{s}[-{n}:]"),
    ("{s} without its first {n} characters", "{s}[{n}:]"), ("{s} in upper case", "{s}.upper()"),
    ("{s} in lower case", "{s}.lower()"), ("{s} reversed", "{s}[::-1]"), ("{s} repeated {n} times", "{s} * {n}"),
    ("{s} with every {c} replaced by {d}", "{s}.replace('{c}', '{d}')"), ("{s} followed by {w}", "{s} + '{w}'"),
    ("{w} followed by {s}", "'{w}' + {s}"), ("how often {c} occurs in {s}", "{s}.count('{c}')"),
)
_NESTED_TEXTS = TEXTS[:-1]
_TOKEN = re.compile(r"\d+|//|!=|==|[-+*%<>]|(?<=')\w+(?=')|upper|lower")
_ASK = "Write a Python function {name}({args}) that returns {what}."

BASE_INPUTS: Mapping[str, list[Any]] = {
    "x": [-7, -2, 0, 1, 2, 3, 6, 11, 20, 45], "a": [-4, 0, 3, 8, 17], "b": [-5, 0, 2, 9, 13],
    "xs": [[], [5], [3, -8, 12, 7, 4, 0, 25, 18, 9], [20, 2, 2, 15, -3, 6, 30]],
    "s": ["", "Kiwi", "banana split", "The Quick brown fox jumps"],
}


def make(rng: Random) -> Problem:
    """A problem drawn at random, on either side of the split."""
    kind = rng.choice(("scalar", "choice", "pair", "list", "list", "text"))
    args, what, code = _KINDS[kind](rng)
    return _problem(NAME, args, what, code)


def read(prompt: str) -> Problem | None:
    """The problem that a prompt of ours asks; None where it is not one of ours."""
    asked = re.fullmatch(r"Write a Python function (\w+)\(([a-z, ]+)\) that returns (.{1,300})\.", prompt)
    code = _code(asked[2], asked[3]) if asked else None
    return _problem(asked[1], asked[2], asked[3], code) if asked and code else None


def program(text: str) -> str | None:
    """What the last python fence of an answer holds; None: there is none."""
    found = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)\n?```", text, re.DOTALL)
    return found[-1] if found else None


def right(problem: Problem, text: str) -> bool | None:
    """Whether the program returns what the reference does on every test input; None: the calculator cannot read it."""
    source = program(text)
    if source is None or source == problem.reference:
        return source is not None
    name, args = signature(problem.reference)
    return equal(source, problem.reference, name, inputs(problem.reference, args))


def equal(source: str, reference: str, name: str, tests: list[tuple[Any, ...]]) -> bool | None:
    """Whether two programs return the same on all tests; None where the calculator does not know the first."""
    try:
        tried = function(source, name)
    except Unreadable as error:
        return False if str(error).startswith("no ") else None
    known = function(reference, name)
    for test in tests:
        try:
            if not _same(tried(*_copy(test)), known(*_copy(test))):
                return False
        except Unreadable:
            return None
        except Exception:
            return False
    return True


def inputs(reference: str, args: str) -> list[tuple[Any, ...]]:
    """Test inputs: common ones, and those around every number that the reference names."""
    near = sorted({int(number) + off for number in re.findall(r"\d+", reference) for off in (-1, 0, 1)})
    letters = "".join(re.findall(r"'(\w+)'", reference))
    more: Mapping[str, list[Any]] = {
        "x": near, "a": near[:6], "b": near[:6], "xs": [near], "s": [f"x{letters}y{letters * 2}Z"],
    }
    return list(product(*[BASE_INPUTS[arg] + more[arg] for arg in args.split(", ")]))


def expression(text: str) -> str | None:
    """What the answer's one line `return ...` returns; None where it has none."""
    source = program(text)
    found = re.findall(r"return ([^\n]{1,160})", source or "")
    return found[-1].strip() if found else None


def slip(problem: Problem, rng: Random) -> str:
    """The solution with one token of its expression changed, so that it is wrong."""
    head, _, body = problem.solution.rpartition("return ")
    code, tail = body.split("\n", 1)
    places = [(found.start(), found.end()) for found in _TOKEN.finditer(code)]
    for _ in range(20):
        start, end = rng.choice(places) if places else (len(code), len(code))
        answer = f"{head}return {code[:start]}{_other(code[start:end], rng)}{code[end:]}\n{tail}"
        if right(problem, answer) is False:
            return answer
    return f"{head}return {code} + 1\n{tail}"


def _problem(name: str, args: str, what: str, code: str) -> Problem:
    source = f"def {name}({args}):\n    return {code}"
    return Problem(task=TASK, key=code, prompt=_ASK.format(name=name, args=args, what=what), reference=source,
                   solution=f"```python\n{source}\n```")


def signature(source: str) -> tuple[str, str]:
    """A program's first function: its name, and its arguments as they are written."""
    found = re.match(r"def (\w+)\(([^)]*)\)", source)
    assert found is not None
    return found[1], found[2]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _copy(test: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(list(value) if isinstance(value, list) else value for value in test)


def _scalar(rng: Random) -> tuple[str, str, str]:
    first = _fill(rng.choice(CHANGES), rng, v="x")
    if rng.random() < 0.1:
        return "x", *first
    what, code = _fill(rng.choice(CHANGES), rng, v="\0")
    return "x", what.replace("\0", f"the value ({first[0]})"), code.replace("\0", f"({first[1]})")


def _choice(rng: Random) -> tuple[str, str, str]:
    test, yes, no = (_fill(rng.choice(parts), rng, v="x") for parts in (TESTS, CHANGES[:3], CHANGES[:3]))
    return "x", f"{yes[0]} if {test[0]}, else {no[0]}", f"{yes[1]} if {test[1]} else {no[1]}"


def _pair(rng: Random) -> tuple[str, str, str]:
    left, right_ = (_fill(rng.choice(CHANGES[2:]), rng, v=name) for name in "ab")
    word, sign = rng.choice((("plus", "+"), ("minus", "-")))
    return "a, b", f"({left[0]}) {word} ({right_[0]})", f"({left[1]}) {sign} ({right_[1]})"


def _list(rng: Random) -> tuple[str, str, str]:
    item, test = (_fill(rng.choice(parts), rng, v="x") for parts in (CHANGES, TESTS))
    what, code = rng.choice(FOLDS)
    return "xs", what.format(item=item[0], test=test[0]), code.format(item=item[1], test=test[1])


def _text(rng: Random) -> tuple[str, str, str]:
    first, second = _fill(rng.choice(_NESTED_TEXTS), rng, s="s"), _fill(rng.choice(TEXTS), rng, s="\0")
    if rng.random() < 0.2:
        return "s", *first
    return "s", second[0].replace("\0", f"({first[0]})"), second[1].replace("\0", _wrapped(first[1]))


_KINDS: Mapping[str, Callable[[Random], tuple[str, str, str]]] = {
    "scalar": _scalar, "choice": _choice, "pair": _pair, "list": _list, "text": _text,
}


def _fill(part: Part, rng: Random, **given: str) -> Part:
    slots = {"k": str(rng.randint(2, 30)), "n": str(rng.randint(2, 9)), "c": rng.choice(LETTERS),
             "d": rng.choice(LETTERS), "w": rng.choice(WORDS), **given}
    return part[0].format(**slots), part[1].format(**slots)


def _code(args: str, what: str) -> str | None:
    """The code that a description means."""
    if args == "x":
        return _choice_code(what) or _scalar_code(what)
    if args == "xs":
        return next((code for code in _matched(FOLDS, what, item=".+", test=".+") if code), None)
    if args == "a, b":
        found = re.fullmatch(r"\((.+)\) (plus|minus) \((.+)\)", what)
        parts = [_part(CHANGES[2:], found[place], name) for place, name in ((1, "a"), (3, "b"))] if found else []
        return f"({parts[0]}) {'+' if found[2] == 'plus' else '-'} ({parts[1]})" if found and all(parts) else None
    return _text_code(what) if args == "s" else None


def _scalar_code(what: str) -> str | None:
    if plain := _part(CHANGES, what, "x"):
        return plain
    for words, code in CHANGES:
        if found := _regex(words, v=r"the value \((?P<v>.+)\)").fullmatch(what):
            inner = _part(CHANGES, found["v"], "x")
            return inner and code.format(**{**found.groupdict(), "v": f"({inner})"})
    return None


def _choice_code(what: str) -> str | None:
    found = re.fullmatch(r"(.+) if (.+), else (.+)", what)
    if not found:
        return None
    yes, test, no = _part(CHANGES[:3], found[1], "x"), _part(TESTS, found[2], "x"), _part(CHANGES[:3], found[3], "x")
    return f"{yes} if {test} else {no}" if yes and test and no else None


def _text_code(what: str) -> str | None:
    if plain := _part(TEXTS, what, "s"):
        return plain
    for words, code in TEXTS:
        if found := _regex(words, s=r"\((?P<s>.+)\)").fullmatch(what):
            inner = _part(_NESTED_TEXTS, found["s"], "s")
            return inner and code.format(**{**found.groupdict(), "s": _wrapped(inner)})
    return None


def _matched(parts: tuple[Part, ...], what: str, **patterns: str) -> Iterator[str | None]:
    for words, code in parts:
        if found := _regex(words, **{slot: f"(?P<{slot}>{said})" for slot, said in patterns.items()}).fullmatch(what):
            inner = {slot: _part(CHANGES if slot == "item" else TESTS, said, "x")
                     for slot, said in found.groupdict().items()}
            yield code.format(**inner) if all(inner.values()) else None


def _part(parts: tuple[Part, ...], what: str, name: str) -> str | None:
    for words, code in parts:
        if found := _regex(words, v=re.escape(name), s=re.escape(name)).fullmatch(what):
            return code.format(**{"v": name, "s": name, **found.groupdict()})
    return None


@cache
def _regex(words: str, **patterns: str) -> re.Pattern[str]:
    slots = {"k": r"(?P<k>\d{1,2})", "n": r"(?P<n>\d)", "c": "(?P<c>[a-z])", "d": "(?P<d>[a-z])",
             "w": "(?P<w>[a-z]{2,3})", **patterns}
    return re.compile(re.sub(r"\\\{(\w)\w*\\\}", lambda slot: slots[slot[0][2:-2]], re.escape(words)))


def _wrapped(code: str) -> str:
    return code if re.fullmatch(r"s(\[[^]]*\]|\.\w+\([^)]*\))", code) else f"({code})"


def _other(token: str, rng: Random) -> str:
    if token.isdigit():
        return str(max(0, int(token) + rng.choice((-10, -2, -1, 1, 2, 10))))
    signs = {"+": "-*", "-": "+*", "*": "+-", "%": ("//", "*"), "//": ("%", "*"), "<": ">", ">": "<", "==": ("!=",),
             "!=": ("==",), "upper": ("lower",), "lower": ("upper",)}
    return rng.choice(signs.get(token) or LETTERS)
