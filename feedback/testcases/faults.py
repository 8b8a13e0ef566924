"""FAULTS: small faults planted in a Python program, one each: what mutation analysis holds test cases to.

A fault changes a comparison or its boundary, arithmetic, a constant, a condition or a returned value, or removes a
statement. Documentation, annotations, decorators and the parts of f-strings are left as they are. Inputs of programs
are mutated in mutate.py, which is another thing.
"""

import ast
from collections.abc import Iterator

from feedback.testcases.programs import parsed

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}
MOST = 1000
"""Each fault is the whole program written anew: of more, as in a table of numbers, every second or third is planted."""
_REMOVED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Delete)
_LEFT = ("annotation", "returns", "decorator_list", "type_params")


def faulty(source: str) -> list[str]:
    """The program with one fault each, all different, in the order of the source, at most MOST of them.

    None where it cannot be read, or written anew.
    """
    tree = parsed(source)
    if tree is None:
        return []
    try:
        whole = ast.unparse(tree)
        every = -(-sum(1 for _ in _planted(tree)) // MOST)
        return list(dict.fromkeys(text for number, _ in enumerate(_planted(tree))
                                  if number % every == 0 and (text := ast.unparse(tree)) != whole))
    except (RecursionError, ValueError):    # nested deeper than anybody writes, or a number of thousands of digits
        return []


def _planted(node: ast.AST) -> Iterator[None]:
    """Plant one fault beneath a node after the other, each taken out again before the next is planted."""
    for name, value in list(ast.iter_fields(node)):
        if name in _LEFT:
            continue
        for place, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            for change in _changes(child):
                _put(node, name, place, change)
                yield
                _put(node, name, place, child)
            yield from _planted(child)


def _put(node: ast.AST, name: str, place: int, child: ast.AST) -> None:
    there = getattr(node, name)
    if isinstance(there, list):
        there[place] = child
    else:
        setattr(node, name, child)


def _is_text(node: ast.AST) -> bool:
    """Documentation, or a text with values in it."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, _REMOVED):
        yield ast.Pass()
    if isinstance(node, ast.Compare):
        for place, sign in enumerate(node.ops):
            ops = [*node.ops[:place], COMPARISONS[type(sign)](), *node.ops[place + 1:]]
            yield ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    else:
        yield from _flow(node)


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and value:
        yield ast.Constant("")


def _flow(node: ast.AST) -> Iterator[ast.AST]:
    """Another way through the program."""
    if isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.While):
        yield ast.While(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Continue):
        yield ast.Break()
