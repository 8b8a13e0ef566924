"""What test programs call, read from their syntax alone: the function under test, and helpers of the prompt's code."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator

GIVEN = "candidate"
"""What HumanEval's tests call the function that they are given."""
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def tested(trees: Iterable[ast.Module]) -> str | None:
    """The function that the most assertions call; None where two are called as often, or where none is named.

    What Python has and what a test program defines, imports or is given is not what it tests. Of calls within calls
    the outer one counts.
    """
    votes = Counter(name for tree in trees for name in _called(tree))
    (best, most), (_, next_most) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return best if most > next_most else None


def uses(tree: ast.Module, names: Iterable[str]) -> bool:
    """Whether a test program says one of the names, or its `check` calls what it is given.

    That `check` is called with a name says nothing: it may ignore what it is given.
    """
    said = {*names, *(name for check in checks(tree) for name in taken(check))}
    handed = {id(each) for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
              and node.func.id == "check" for each in node.args}
    return any((isinstance(node, ast.Name) and node.id in said and id(node) not in handed)
               or (isinstance(node, ast.Attribute) and node.attr in said) for node in ast.walk(tree))


def checks(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions called check at the top level."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]


def taken(check: ast.FunctionDef) -> list[str]:
    """The argument of a check that takes a function: the first one, where the check calls it; else none."""
    first = [each.arg for each in check.args.args[:1]]
    return first if any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in first
                        for node in ast.walk(check)) else []


def undefined(tree: ast.Module, names: Iterable[str]) -> list[str]:
    """Names that a program says and nothing defines, beside these and Python's own; none where it imports all (*)."""
    known = {*names, *dir(builtins), *_bound(ast.walk(tree))}
    said = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [] if "*" in known else sorted(said - known)


def needs(tree: ast.Module, code: ast.Module, entry: str | None) -> bool:
    """Whether a test program says a name that only the prompt's own code binds, beside the function under test."""
    outside = [part for node in code.body for part in ([node] if isinstance(node, DEFINED) else ast.walk(node))]
    lacking = {*_bound(outside)} - {*_bound(ast.walk(tree)), entry}
    return any(isinstance(node, ast.Name) and node.id in lacking for node in ast.walk(tree))


def _called(tree: ast.Module) -> list[str]:
    """Of each assertion the first function that may be what is tested; where none names one, of the whole program."""
    known = {GIVEN, *dir(builtins), *_bound(ast.walk(tree))}
    asserted = [_first(node, known) for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return [name for name in asserted if name] or [name for name in [_first(tree, known)] if name]


def _first(node: ast.AST, known: set[str]) -> str | None:
    """The outermost function that is called in it and is not known."""
    return next((each.func.id for each in ast.walk(node) if isinstance(each, ast.Call)
                 and isinstance(each.func, ast.Name) and each.func.id not in known), None)


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that nodes define, import, take or assign."""
    for node in nodes:
        if isinstance(node, DEFINED):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
