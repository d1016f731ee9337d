"""Conditions of a sweep: comparisons of axes, as ``fpgas <= 8 or topology != 'ring'``.

Read as Python's syntax and evaluated here, so that a sweep file runs nothing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}

ALLOWED = "comparisons, and, or, not, in, + - * / // %, axes, numbers, 'text' and [lists]"


@dataclass(frozen=True)
class Condition:
    """A condition, and the axes that it reads."""

    text: str
    tree: ast.expr
    axes: frozenset[str]

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it holds for these values of its axes; UserError where they cannot be compared."""
        try:
            return bool(_evaluate(self.tree, values))
        except (TypeError, ZeroDivisionError, ValueError) as error:
            raise UserError(f"when: {self.text!r}: {error}") from None


def read_condition(text: str) -> Condition:
    """The condition that ``text`` states; UserError if it is none."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        axes: set[str] = set()
        _check(tree, axes)
    except (SyntaxError, ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(f"when: {text!r}: {what}; expected {ALLOWED}") from None
    return Condition(text, tree, frozenset(axes))


def _check(node: ast.expr, axes: set[str]) -> None:
    """Add the axes that ``node`` reads; ValueError for what no condition has."""
    match node:
        case ast.Name() | ast.Attribute():
            axes.add(_dotted(node))
        case ast.Constant(value=bool() | int() | float() | str()):
            pass
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                _check(part, axes)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=part):
            _check(part, axes)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARE for op in ops):
            for part in (left, *others):
                _check(part, axes)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            _check(left, axes)
            _check(right, axes)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not understood")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError(f"{ast.unparse(node)!r} is no axis")


def _evaluate(node: ast.expr, values: Mapping[str, object]) -> Any:
    match node:
        case ast.Name() | ast.Attribute():
            return values[_dotted(node)]
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_evaluate(part, values) for part in parts]
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluate(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluate(part, values) for part in parts)
        case ast.UnaryOp(op=op, operand=part):
            found = _evaluate(part, values)
            return not found if isinstance(op, ast.Not) else -found
        case ast.Compare(left=left, ops=ops, comparators=others):
            terms = [_evaluate(part, values) for part in (left, *others)]
            return all(COMPARE[type(op)](a, b) for op, a, b in zip(ops, terms, terms[1:], strict=False))
        case ast.BinOp(left=left, op=op, right=right):
            return ARITHMETIC[type(op)](_evaluate(left, values), _evaluate(right, values))
    raise AssertionError(ast.dump(node))
