"""Test programs: made to run by themselves, what they lack, and what their syntax says of those that models write."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

import polars as pl

from feedback.testcases.called import DEFINED, GIVEN, taken
from feedback.testcases.programs import entry_of, parsed
from feedback.testcases.smells import NEEDED, is_assertion, smells, smells_of
from generators.made import Made

LACKS = dict(zip(NEEDED, ("does not parse", "asserts nothing", "never calls the function"), strict=True))
"""Why a test that lacks what every test needs can say nothing."""
UNRUN = "runs no assertion"
"""Why a test passes whatever the program does: what it asserts waits for a test runner."""
FOREIGN = "imports more than the standard library"
"""Why a test fails whatever the program does: the sandbox has nothing else."""


def run_by_itself(test: str) -> str:
    """The test program with a call of each of its test functions that nothing calls, as a test runner would.

    A function that takes the function under test (HumanEval's `check`) is given it.
    """
    tree = parsed(test)
    tests = dict(_tests(tree)) if tree else {}
    called = {node.func.id for node in _run(tree, tests) if isinstance(node, ast.Call) and isinstance(
        node.func, ast.Name)} if tree else set()
    calls = [f"{name}({given})\n" for name, given in tests.items() if name not in called]
    return "".join([test.rstrip("\n"), "\n\n" if calls else "\n", *calls])


def lacks(test: str, entry: str | None) -> str | None:
    """What the test lacks without which it says nothing; None where it has all."""
    found = smells_of(test, entry)
    lacking = next((why for name, why in LACKS.items() if not found.get(name, True)), None)
    tree = parsed(run_by_itself(test))
    if lacking or tree is None:
        return lacking or LACKS["parses"]
    ran = [*_run(tree)]
    return UNRUN if not any(map(is_assertion, ran)) else FOREIGN if any(map(_foreign, ran)) else None


def smells_of_inputs(prompts: pl.DataFrame, test_inputs: pl.DataFrame, field: str = "entry_point") -> Made:
    """MEASUREMENTS rows of the test programs that models wrote, among the inputs: see `smells`."""
    entries = pl.DataFrame([(prompt, entry_of(messages, meta, field)) for prompt, messages, meta in prompts.select(
        "prompt_id", "messages", "meta").iter_rows()], {"prompt_id": pl.String, "entry": pl.String}, orient="row")
    by_models = pl.col("makers").list.set_difference(["human", "reference"]).list.len() > 0
    written = test_inputs.filter((pl.col("kind") == "tests") & by_models).join(entries, on="prompt_id", how="left")
    return smells(written.select("value", "entry", test_id="input_id"))


def _run(tree: ast.Module, names: Iterable[str] = ()) -> Iterator[ast.AST]:
    """What the program runs, as far as names tell: its top level, and what is defined and named in what runs.

    Functions of these names run, too.
    """
    known: defaultdict[str, list[ast.AST]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, DEFINED):
            known[node.name].append(node)
    here: list[ast.AST] = [part for part in tree.body if not isinstance(part, DEFINED) and not _waits(part)]
    here += [node for name in names for node in known.pop(name, ())]
    while here:
        node = here.pop()
        yield node
        if isinstance(node, ast.Name | ast.Attribute):
            here += known.pop(node.id if isinstance(node, ast.Name) else node.attr, ())
        inner = ast.iter_child_nodes(node)
        here += inner if isinstance(node, ast.ClassDef) else [one for one in inner if not isinstance(one, DEFINED)]


def _waits(part: ast.stmt) -> bool:
    """Whether a part of a program runs only where it is the main one."""
    return isinstance(part, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(part.test))


def _foreign(node: ast.AST) -> bool:
    """Whether a node imports what the standard library does not hold."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [
        "" if node.level else node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return any(name.partition(".")[0] not in sys.stdlib_module_names for name in names)


def _tests(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The test functions at the top level that can be called as they are, or with the function under test."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (node.name.startswith("test") or node.name == "check"):
            takes = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            needed = takes[:len(takes) - len(node.args.defaults)]
            functions = [GIVEN] if node.name != "check" else [GIVEN, *taken(node)]
            given = GIVEN if len(needed) == 1 and needed[0] in functions else ""
            if (given or not needed) and all(value is not None for value in node.args.kw_defaults):
                yield node.name, given
