"""A partitioner's parameters, read from the text of its file: nothing of it is run.

So a configuration can be checked, and its sweeps spelled out, without trusting the file.
Types and defaults therefore are literals, or names of literals at the top of the file.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bench.errors import UserError
from bench.files import read_text, shown

Scalar = bool | int | float | str

TYPES: dict[str, type[Scalar]] = {"bool": bool, "int": int, "float": float, "str": str}

EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}

MOST_VALUES = 256
"""That ``"*"`` sweeps over; more must be listed."""


@dataclass(frozen=True)
class Range:
    """What a number may be, ends included: ``parts: Annotated[int, Range(1, 16)] = 4``."""

    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class Parameter:
    """A keyword argument of a plan function: its type, its default, and what it may be."""

    name: str
    type: type[Scalar]
    default: Scalar
    range: Range | None = None

    def checked(self, value: object) -> Scalar:
        """``value`` as the function gets it; UserError if it is of another type or out of range."""
        given = int if self.type is float and type(value) is int else self.type
        if not isinstance(value, bool | int | float | str) or type(value) is not given:
            raise UserError(f"{self.name}: got {value!r}, expected {EXPECTED[self.type]}")
        chosen: Scalar = float(value) if self.type is float else value
        if not isinstance(chosen, str):
            least, most = (self.range.least, self.range.most) if self.range else (-math.inf, math.inf)
            if not (math.isfinite(chosen) and least <= chosen <= most):
                raise UserError(f"{self.name}: got {value!r}, expected {self.range or EXPECTED[self.type]}")
        return chosen

    def values(self) -> list[Scalar]:
        """All values, for ``"*"``; UserError where they cannot be counted or are too many."""
        if self.type is bool:
            return [False, True]
        if self.type is not int or self.range is None:
            raise UserError(f"{self.name}: '*' needs an int with a Range, or a bool; list the values instead")
        count = int(self.range.most) - int(self.range.least) + 1
        if count > MOST_VALUES:
            raise UserError(f"{self.name}: '*' stands for {count:,} values; list those that you want")
        return list(range(int(self.range.least), int(self.range.most) + 1))


@dataclass(frozen=True)
class Interface:
    """What a partitioner's file says about it."""

    summary: str
    version: str
    parameters: Mapping[str, Parameter]

    def parameter(self, name: str) -> Parameter:
        """The parameter called so; UserError with the nearest names if there is none."""
        if name in self.parameters:
            return self.parameters[name]
        near = difflib.get_close_matches(name, self.parameters, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(self.parameters) or 'none'}"
        raise UserError(f"has no parameter {name!r}; {hint}")


def read_interface(path: Path, function: str = "plan") -> Interface:
    """What the file ``path`` says about the partitioner ``function`` in it.

    Raises UserError: not Python, no such function at its top level, arguments other than a
    workload, a cluster and keywords with a type and a default.
    """
    return _interface(path, read_text(path), function)


@lru_cache(maxsize=64)
def _interface(path: Path, source: str, function: str) -> Interface:
    """The same of a text; it is part of the key, so an edited file is read anew."""
    try:
        tree = ast.parse(source, filename=path.name)
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}:" if isinstance(error, SyntaxError) else ""
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(f"{shown(path)}:{line} is not Python: {text}") from None
    constants = dict(_constants(tree))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        raise UserError(
            f"{shown(path)}: defines no function {function}(workload, cluster, *, ...) at its top level; "
            "names of helper files start with an underscore"
        )
    try:
        parameters = {one.name: one for one in _parameters(found[-1].args, constants)}
    except UserError as error:
        raise UserError(f"{shown(path)}: line {found[-1].lineno}: {function}(): {error}") from None
    summary = (ast.get_docstring(tree) or ast.get_docstring(found[-1]) or "").partition("\n")[0]
    return Interface(summary, str(constants.get("__version__", "")), parameters)


def _constants(tree: ast.Module) -> list[tuple[str, object]]:
    """Names at the top of a module whose value is a literal."""
    found: list[tuple[str, object]] = []
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and node.value:
            try:
                found.append((target.id, ast.literal_eval(node.value)))
            except ValueError:
                continue
    return found


def _parameters(arguments: ast.arguments, constants: Mapping[str, object]) -> list[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    if len(positional) != 2 or arguments.vararg or arguments.kwarg:
        names = ", ".join(one.arg for one in positional)
        raise UserError(f"takes ({names}); expected workload and cluster, then * and keywords with defaults")
    return [
        _parameter(argument, default, constants)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]


def _parameter(argument: ast.arg, default: ast.expr | None, constants: Mapping[str, object]) -> Parameter:
    name = argument.arg
    if default is None:
        raise UserError(f"{name} has no default; give it one")
    value = _literal(default, constants, f"the default of {name}")
    annotation, limits = argument.annotation, None
    if isinstance(annotation, ast.Subscript) and _last(annotation.value) == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        annotation = parts[0]
        calls = (part for part in parts[1:] if isinstance(part, ast.Call) and _last(part.func) == "Range")
        limits = next((_range(call, constants, name) for call in calls), None)
    kind = TYPES.get(type(value).__name__ if annotation is None else _last(annotation))
    if kind is None:
        raise UserError(f"{name}: its type is none of {', '.join(TYPES)}")
    parameter = Parameter(name, kind, False, limits)
    return Parameter(name, kind, parameter.checked(value), limits)


def _range(call: ast.Call, constants: Mapping[str, object], name: str) -> Range:
    given = dict(zip(("least", "most"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    ends = {key: _literal(node, constants, f"the range of {name}") for key, node in given.items()}
    least, most = ends.get("least"), ends.get("most")
    if not isinstance(least, int | float) or not isinstance(most, int | float) or least > most:
        raise UserError(f"{name}: expected Range(least, most) with two numbers, the smaller one first")
    return Range(least, most)


def _literal(node: ast.expr, constants: Mapping[str, object], what: str) -> object:
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise UserError(
            f"{what} is {ast.unparse(node)}; write a literal, or the name of one at the top of the file "
            "(the file is read, not run, before its points are)"
        ) from None


def _last(node: ast.expr) -> str:
    """The last part of a dotted name; a type in quotes is one too."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
