"""Assertions as data: `assert f(1, [2]) == 3` becomes the arguments [1, [2]] and the expected value 3.

What is data needs no process for the tests: programs are called, and a verdict is a comparison outside. Assertions that
are no such comparison stay a test program, which runs in a process of its own (kind "tests"). Nothing is executed here:
literals are read, with simple arithmetic on them.
"""

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from feedback.testcases.sandbox.codec import decode, encode, same_value

MOST = 1 << 16
"""Largest length, and largest number of bits, that arithmetic on literals may give."""


@dataclass(frozen=True, slots=True)
class Case:
    """One assertion as data."""

    input: str
    """The positional arguments, encoded as a list."""
    expected: str
    """The expected value, encoded."""
    tolerance: float = 0.0
    """How far a float may be off."""

    def holds(self, output: str) -> bool:
        """Whether an output, encoded, is what is expected; raises Unsupported where it is no encoded value."""
        return output == self.expected or same_value(decode(self.expected), decode(output), self.tolerance)


@dataclass(frozen=True, slots=True)
class Converted:
    """A test program as far as it is data."""

    cases: tuple[Case, ...]
    rest: int
    """Assertions that are not data."""
    whole: bool
    """Whether the cases say all that the test program says, so that it need not run."""


def convert(tests: str, entry: str) -> Converted:
    """The assertions about `entry` (or `candidate`) in a test program: at its top level and in its functions.

    Raises SyntaxError where the test program does not parse.
    """
    names = {entry, "candidate"}
    cases: list[Case] = []
    rest, whole = 0, True
    for statement in _statements(ast.parse(tests)):
        if isinstance(statement, ast.Assert):
            if _always(statement.test):
                continue
            case = _case(statement.test, names)
            if case is None:
                rest += 1
            else:
                cases.append(case)
        elif not _silent(statement, names):
            whole = False
            rest += sum(isinstance(each, ast.Assert) for each in ast.walk(statement))
    return Converted(tuple(cases), rest, whole and rest == 0)


def checks_of(prompt: str, tests: str, entry: str) -> str:
    """A test program of HumanEval's form: the prompt's helpers, the checks, and the call that runs them."""
    return f"{prompt}\n{tests}\ncheck({entry})\n"


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of the module and of its functions named check or test, in order."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and (
                statement.name == "check" or statement.name.startswith("test")) and not statement.decorator_list:
            yield from statement.body
        else:
            yield statement


def _always(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _silent(statement: ast.stmt, names: set[str]) -> bool:
    """Whether a statement says nothing about the program: imports, metadata, docstrings, the call of check itself."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
        return True
    if isinstance(statement, ast.Assign):
        return not any(isinstance(each, ast.Call) for each in ast.walk(statement.value)) and not _renames(
            statement, names)
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and (
            value.func.id == "check" or value.func.id.startswith("test")):
        return all(isinstance(each, ast.Name) and each.id in names for each in value.args)
    return isinstance(value, ast.Constant)


def _renames(assignment: ast.Assign, names: set[str]) -> bool:
    """Whether an assignment gives a new meaning to a name that assertions are read by."""
    same = isinstance(assignment.value, ast.Name) and assignment.value.id in names
    read = _MAKERS.keys() | (set() if same else names)
    return any(isinstance(each, ast.Name) and each.id in read for target in assignment.targets
               for each in ast.walk(target))


def _case(test: ast.expr, names: set[str]) -> Case | None:
    """The case that an assertion is; None where it is none."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right, comparison = test.left, test.comparators[0], test.ops[0]
    try:
        if isinstance(comparison, ast.Eq):
            called, other = (left, right) if _is_call(left, names) else (right, left)
            return Case(_arguments(called, names), encode(literal(other)))
        if isinstance(comparison, ast.Is) and isinstance(right, ast.Constant) and right.value is None:
            return Case(_arguments(left, names), encode(None))
        if isinstance(comparison, ast.Lt | ast.LtE):
            return _near(left, right, names)
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    return None


def _near(difference: ast.expr, tolerance: ast.expr, names: set[str]) -> Case | None:
    """abs(f(x) - 0.5) < 1e-6, where the number is at most 1: beyond, a tolerance would also be taken as relative."""
    if not (isinstance(difference, ast.Call) and isinstance(difference.func, ast.Name) and difference.func.id == "abs"
            and len(difference.args) == 1 and isinstance(difference.args[0], ast.BinOp)
            and isinstance(difference.args[0].op, ast.Sub)):
        return None
    one, other = difference.args[0].left, difference.args[0].right
    called, number = (one, other) if _is_call(one, names) else (other, one)
    expected, allowed = float(literal(number)), float(literal(tolerance))
    return Case(_arguments(called, names), encode(expected), allowed) if abs(expected) <= 1 else None


def _is_call(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _arguments(node: ast.expr, names: set[str]) -> str:
    if not isinstance(node, ast.Call) or not _is_call(node, names) or node.keywords:
        raise ValueError("no call of the program with positional arguments")
    return encode([literal(each) for each in node.args], ordered=True)


def literal(node: ast.expr) -> Any:
    """The value of a literal, or of arithmetic on literals; raises ValueError for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    if isinstance(node, ast.List):
        return [literal(each) for each in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(literal(each) for each in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(literal(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _bounded(node.op, literal(node.left), literal(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _made(node.func.id, [literal(each) for each in node.args])
    raise ValueError("not a literal")


_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}
_MAKERS: dict[str, Callable[..., Any]] = {
    "set": set, "tuple": tuple, "list": list, "dict": dict, "frozenset": frozenset, "float": float,
}


def _made(name: str, arguments: list[Any]) -> Any:
    if name not in _MAKERS or len(arguments) > 1:
        raise ValueError("not a literal")
    try:
        return _MAKERS[name](*arguments)
    except (TypeError, OverflowError):
        raise ValueError("not a literal") from None


def _number(value: Any) -> Any:
    if type(value) not in (int, float, complex):
        raise ValueError("not a number")
    return value


def _bounded(operation: ast.operator, left: Any, right: Any) -> Any:
    """Arithmetic that cannot run away; raises ValueError for what is too large or makes no sense."""
    if isinstance(operation, ast.Mult) and (type(left) in (str, list, tuple) or type(right) in (str, list, tuple)):
        sized, times = (right, left) if type(left) is int else (left, right)
        if type(times) is not int or len(sized) * max(times, 0) > MOST:
            raise ValueError("too long")
        return sized * times
    if isinstance(operation, ast.Add) and type(left) is type(right) and type(left) in (str, list, tuple):
        return left + right
    _number(left), _number(right)
    if isinstance(operation, ast.Pow) and type(left) is type(right) is int and (
            right < 0 or left.bit_length() * right > MOST):
        raise ValueError("too large")
    try:
        return _ARITHMETIC[type(operation)](left, right)
    except (TypeError, ArithmeticError):
        raise ValueError("no number") from None
