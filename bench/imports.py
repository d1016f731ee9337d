"""What a Python file imports, found without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

IMPORT = re.compile(rb"(?m)^[ \t]*(?:import |from [\w.]+ import )(?:\([^)#]*\)|[\w., \t]+)(?:#.*)?$")
WORD = re.compile(rb"\bimport\b")
"""An import statement of the usual form, on lines of its own; and the word, wherever it stands."""


def imported_names(path: Path, package: Path) -> Iterator[str]:
    """Dotted names that a file may load; none if it is not Python.

    ``package``: the folder of the one whose relative imports are followed.
    """
    try:
        statements = list(import_statements(path.read_bytes()))
    except (SyntaxError, ValueError):  # a template in somebody's package
        return
    for node in statements:
        yield from _names(node, path, package)


def import_statements(source: bytes) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements of a module, within functions too; SyntaxError or ValueError if it is not Python.

    A whole module takes a hundred times longer to parse than its imports: where each stands on lines of
    its own and the word is nowhere else, the rest is left out.
    """
    found = IMPORT.findall(source)
    if len(found) == len(WORD.findall(source)):
        with suppress(SyntaxError):
            yield from _imports_in(ast.parse(b"\n".join(line.lstrip() for line in found)).body)
            return
    yield from _imports_in(ast.parse(source).body)


def _imports_in(statements: Iterable[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, ())


def _names(node: ast.Import | ast.ImportFrom, path: Path, package: Path) -> Iterator[str]:
    """Dotted names that an import statement may load, ``a.b`` and ``a.b.c`` for ``from a.b import c``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        base = node.module or ""
        if node.level and path.is_relative_to(package):
            above = path.relative_to(package.parent).parts[: -node.level]
            base = ".".join([*above, *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
