"""SMELLS: what a written test looks like, read from its syntax alone; nothing runs.

The checks are RLSQM's ("Reinforcement Learning from Automatic Feedback for High-Quality Unit Test Generation", arXiv
2310.02368): three that a test needs (it parses, has an assertion and calls the function it tests), two of style (a
comment, a descriptive name) and three smells (an assertion that is written twice, a branch, an exception that is
caught or raised by hand). A model that was not trained for it wrote 17 % tests that do not parse, 31 % without an
assertion and 37 % that never call the function.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator

import polars as pl

from feedback.testcases.programs import parsed
from generators.made import Made
from schemas import MEASUREMENTS
from schemas.errors import SchemaError
from schemas.funnel import count

SOURCE = "syntax"
NEEDED = ("parses", "asserts", "calls_focal")
STYLE = ("comment", "descriptive_name")
BAD_SMELLS = ("duplicate_assert", "branch", "exception")
CHECKS = (*NEEDED, *STYLE, *BAD_SMELLS)

_PLAIN_NAME = re.compile(r"_?(?:test|check|case|func|function|unit|a|b|c|x|y|\d+)?\d*")
_BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.Match)
_RAISES = ("raises", "assertRaises", "assertRaisesRegex", "fail")
"""Calls that say which exception is expected: assertions, and no smell."""


def smells(tests: pl.DataFrame) -> Made:
    """MEASUREMENTS rows of source syntax: of each test 1 or 0 for each of CHECKS, sorted by subject_id and name.

    `tests` has test_id (or whatever names the subject), value (the test program) and entry (the function it tests;
    null: none is known, and calls_focal is left out). Of what does not parse, only `parses` is told. Counts
    tests, failed as "does not parse"; SchemaError where a test_id repeats.
    """
    if tests["test_id"].is_duplicated().any():
        raise SchemaError("tests: a test_id repeats; measure each test once")
    rows, broken = [], 0
    for test, value, entry in tests.select("test_id", "value", "entry").iter_rows():
        found = smells_of(value, entry)
        broken += not found["parses"]
        rows += [{"subject_id": test, "name": name, "value": float(told), "source": SOURCE}
                 for name, told in found.items()]
    table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows))).sort("subject_id", "name")
    return Made(table, count("measurements", "tests", tests.height, out=tests.height - broken,
                             failed=+Counter({"does not parse": broken})))


def smells_of(test: str, entry: str | None) -> dict[str, bool]:
    """Each of CHECKS that can be told of one test program."""
    tree = parsed(test)
    asserts = _asserted(tree) if tree else None
    if tree is None or asserts is None:
        return {"parses": False}
    told = {
        "parses": True, "asserts": bool(asserts), "comment": _commented(test, tree),
        "descriptive_name": any(_described(name, entry) for name in _names(tree)),
        "duplicate_assert": len(set(asserts)) < len(asserts),
        "branch": any(isinstance(each, _BRANCHES) for each in ast.walk(tree)),
        "exception": any(isinstance(each, ast.Try | ast.TryStar | ast.Raise) for each in ast.walk(tree)),
    }
    return told if entry is None else {**told, "calls_focal": any(_calls(each, entry) for each in ast.walk(tree))}


def shares(measurements: pl.DataFrame) -> pl.DataFrame:
    """How many tests each check was told of, and the share that has it: what, tests, share, in the order of CHECKS."""
    told = measurements.filter(pl.col("source") == SOURCE).group_by(what="name").agg(
        tests=pl.len().cast(pl.Int64), share=pl.col("value").mean())
    return pl.DataFrame({"what": CHECKS}).join(told, on="what", maintain_order="left")


def sound(measurements: pl.DataFrame) -> list[str]:
    """Subjects that have all that a test needs, sorted: what is worth running."""
    needed = measurements.filter((pl.col("source") == SOURCE) & pl.col("name").is_in(NEEDED))
    good = needed.group_by("subject_id").agg(
        good=(pl.col("value") == 1.0).all() & pl.col("name").is_in(["asserts"]).any())
    return good.filter("good")["subject_id"].sort().to_list()


def is_assertion(node: ast.AST) -> bool:
    """An assert statement that can fail, or a call of a test case's own assertions."""
    if isinstance(node, ast.Assert):
        return not (isinstance(node.test, ast.Constant) and bool(node.test.value))
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Attribute) and (node.func.attr.startswith("assert") or node.func.attr in _RAISES))
        or (isinstance(node.func, ast.Name) and node.func.id in _RAISES))


def _asserted(tree: ast.Module) -> list[str] | None:
    """Each assertion as a text; None where one is nested so deep that it cannot be read."""
    try:
        return [ast.dump(each) for each in ast.walk(tree) if is_assertion(each)]
    except RecursionError:      # a model that repeats itself: 1 + 1 + 1 ...
        return None


def _calls(node: ast.AST, entry: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return (isinstance(node.func, ast.Name) and node.func.id == entry) or (
        isinstance(node.func, ast.Attribute) and node.func.attr == entry)


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.lower().startswith("test"):
            yield node.name


def _described(name: str, entry: str | None) -> bool:
    """Whether a test's name says more than that it is a test, of that function, and its number."""
    words = [word for word in name.lower().removeprefix("test").split("_") if word]
    own = set((entry or "").lower().split("_"))
    return any(word not in own and _PLAIN_NAME.fullmatch(word) is None for word in words)


def _commented(test: str, tree: ast.Module) -> bool:
    if any(ast.get_docstring(node) for node in ast.walk(tree)
           if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)):
        return True
    try:
        return any(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(test).readline))
    except (tokenize.TokenError, SyntaxError):
        return False
