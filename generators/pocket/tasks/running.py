"""A calculator for the small Python functions that pocket models write: it reads the program and runs nothing.

A tree walk over a small part of Python, with a budget of steps and a cap on sizes, so that no answer can do harm or
take long. What lies outside that part is Unreadable: not wrong, not known.
"""

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

STEPS = 4000
SIZE = 4000
"""No string, list or range may be longer, and no number may have more bits."""

_SIGNS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Div: operator.truediv, ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Not: operator.not_, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}
_BUILTINS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "bool": bool, "int": int, "len": len, "list": list, "max": max, "min": min, "range": range,
    "reversed": lambda value: list(reversed(value)), "set": set, "sorted": sorted, "str": str, "sum": sum,
}
_METHODS: Mapping[type, set[str]] = {
    str: {"capitalize", "count", "endswith", "find", "isalpha", "isdigit", "islower", "isupper", "join", "lower",
          "lstrip", "replace", "rstrip", "split", "startswith", "strip", "swapcase", "title", "upper"},
    list: {"append", "count", "extend", "index", "pop", "reverse", "sort"},
}


class Unreadable(Exception):
    """The program uses what the calculator does not know, or is no program."""


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


def function(source: str, name: str) -> Callable[..., Any]:
    """The function of that name in a source. Calling it raises what the program raises, or Unreadable."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"no Python: {type(error).__name__}") from None
    _check(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            found = node
            return lambda *arguments: _Run().call(found, arguments)
    raise Unreadable(f"no function {name}")


def _check(tree: ast.Module) -> None:
    """Only functions: what else a source does may give names that they use."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.Expr):
            raise Unreadable(type(node).__name__)


class _Run:
    def __init__(self) -> None:
        self.left = STEPS

    def call(self, node: ast.FunctionDef, arguments: tuple[Any, ...]) -> Any:
        names = [argument.arg for argument in node.args.args]
        if len(names) != len(arguments):
            raise TypeError("another number of arguments")
        try:
            self._block(node.body, dict(zip(names, arguments, strict=True)))
        except _Returned as returned:
            return returned.value
        return None

    def _block(self, body: list[ast.stmt], scope: dict[str, Any]) -> None:
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: dict[str, Any]) -> None:
        match node:
            case ast.Return(value=value):
                raise _Returned(None if value is None else self._value(value, scope))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope[name] = self._value(value, scope)
            case ast.AugAssign(target=ast.Name(id=name), op=sign, value=value):
                scope[name] = self._apply(sign, scope[name], self._value(value, scope))
            case ast.If(test=test, body=body, orelse=other):
                self._block(body if self._value(test, scope) else other, scope)
            case ast.For(target=ast.Name(id=name), iter=items, body=body, orelse=[]):
                for item in self._items(items, scope):
                    scope[name] = item
                    self._block(body, scope)
            case ast.Expr(value=value):
                self._value(value, scope)
            case ast.Pass():
                pass
            case _:
                raise Unreadable(type(node).__name__)

    def _value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Unreadable("too many steps")
        match node:
            case ast.Constant(value=value) if isinstance(value, bool | int | float | str | None):
                return value
            case ast.Name(id=name):
                if name not in scope:
                    raise NameError(name)
                return scope[name]
            case ast.BinOp(left=left, op=sign, right=right):
                return self._apply(sign, self._value(left, scope), self._value(right, scope))
            case ast.UnaryOp(op=sign, operand=operand):
                return _SIGNS[type(sign)](self._value(operand, scope)) if type(sign) in _SIGNS else _unknown(sign)
            case ast.BoolOp(op=sign, values=values):
                return self._either(isinstance(sign, ast.Or), values, scope)
            case ast.Compare(left=left, ops=signs, comparators=others):
                return self._compare(self._value(left, scope), signs, others, scope)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._value(test, scope) else other, scope)
            case ast.List(elts=items):
                return [self._value(item, scope) for item in items]
            case ast.Tuple(elts=items):
                return tuple(self._value(item, scope) for item in items)
            case ast.ListComp(elt=item, generators=[loop]) | ast.GeneratorExp(elt=item, generators=[loop]):
                return list(self._comprehended(item, loop, scope))
            case ast.Subscript(value=value, slice=ast.Slice(lower=low, upper=high, step=step)):
                parts = [part and self._value(part, scope) for part in (low, high, step)]
                return self._value(value, scope)[slice(*parts)]
            case ast.Subscript(value=value, slice=place):
                return self._value(value, scope)[self._value(place, scope)]
            case ast.Call():
                return self._called(node, scope)
        return _unknown(node)

    def _called(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        arguments = [self._value(argument, scope) for argument in node.args]
        named = {word.arg: self._value(word.value, scope) for word in node.keywords if word.arg in ("reverse",)}
        if len(named) < len(node.keywords):
            raise Unreadable("keyword")
        match node.func:
            case ast.Name(id=name) if name in _BUILTINS and name not in scope:
                return _small(_BUILTINS[name](*arguments, **named))
            case ast.Attribute(value=value, attr=method):
                of = self._value(value, scope)
                if method in _METHODS.get(type(of), set()):
                    if method == "replace" and len(of) * len(str(arguments[-1])) > SIZE:
                        raise Unreadable("too large")
                    return _small(getattr(of, method)(*arguments, **named))
        return _unknown(node.func)

    def _apply(self, sign: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(sign, ast.Mult):
            for text, times in ((left, right), (right, left)):
                if isinstance(text, str | list | tuple) and isinstance(times, int) and len(text) * times > SIZE:
                    raise Unreadable("too large")
        if isinstance(sign, ast.Mod) and isinstance(left, str):
            raise Unreadable("formatting")
        return _small(_SIGNS[type(sign)](left, right)) if type(sign) in _SIGNS else _unknown(sign)

    def _either(self, stop: bool, values: list[ast.expr], scope: dict[str, Any]) -> Any:
        value = None
        for node in values:
            value = self._value(node, scope)
            if bool(value) is stop:
                break
        return value

    def _compare(self, left: Any, signs: list[ast.cmpop], others: list[ast.expr], scope: dict[str, Any]) -> bool:
        for sign, other in zip(signs, others, strict=True):
            right = self._value(other, scope)
            if type(sign) not in _SIGNS:
                return bool(_unknown(sign))
            if not _SIGNS[type(sign)](left, right):
                return False
            left = right
        return True

    def _comprehended(self, item: ast.expr, loop: ast.comprehension, scope: dict[str, Any]) -> Iterator[Any]:
        if not isinstance(loop.target, ast.Name) or loop.is_async:
            raise Unreadable("comprehension")
        inner = dict(scope)
        for value in self._items(loop.iter, scope):
            inner[loop.target.id] = value
            if all(self._value(test, inner) for test in loop.ifs):
                yield self._value(item, inner)

    def _items(self, node: ast.expr, scope: dict[str, Any]) -> Iterable[Any]:
        return list(self._value(node, scope))


def _small(value: Any) -> Any:
    if isinstance(value, str | list | tuple | range | set) and len(value) > SIZE:
        raise Unreadable("too large")
    if isinstance(value, int) and value.bit_length() > SIZE:
        raise Unreadable("too large")
    return value


def _unknown(node: ast.AST) -> Any:
    raise Unreadable(type(node).__name__)
