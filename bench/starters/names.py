"""Names that a user may give: a column in tables, a file, and where it is code a module."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from bench.errors import UserError
from bench.files import shown
from bench.hardware.files import profile_file, profile_names
from bench.partitioners.sources import all_sources
from bench.workloads.catalogue import load_workload, workload_places

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

LONGEST = 60
"""Characters of a name: a table's heading, and part of file names."""


def checked_name(kind: str, given: str, file: str) -> str:
    """``given`` with hyphens for underscores, as tables show it; ``file`` is where it is to be.

    Raises UserError: it is no name, a partitioner's is not one that a module can have, or a ``kind`` of
    this name is there already.
    """
    if not _NAME.fullmatch(given) or len(given) > LONGEST:
        raise UserError(
            f"{given!r} is no name for a {kind}; expected up to {LONGEST} small letters, digits and hyphens, "
            "a letter first, as in my-split"
        )
    name = given.replace("_", "-")
    place = _place(kind, name)
    if place:
        raise UserError(f"two {kind}s would be called {name!r}: {place} and {file}; choose another name")
    if kind == "partitioner":
        _check_module(name.replace("-", "_"))
    return name


def _check_module(module: str) -> None:
    """Raise UserError if Python could not import a file of this name, or would confuse it with another."""
    if keyword.iskeyword(module):
        taken = "is a word of Python's own"
    elif module in sys.stdlib_module_names or module == "conftest":
        taken = "is a module of Python's own, or of pytest"
    elif module == __name__.partition(".")[0] or _importable(module):
        taken = "is an installed module"
    else:
        return
    raise UserError(f"{module!r} {taken}, so {module}.py cannot be imported beside it; choose another name")


def _importable(module: str) -> bool:
    """Whether a module or package of this name is found outside the working directory; it is not run."""
    elsewhere = [path for path in sys.path if path and Path(path).resolve() != Path.cwd()]
    spec = PathFinder.find_spec(module, elsewhere)
    return spec is not None and spec.has_location  # a folder that merely has the name has none


def _place(kind: str, name: str) -> str | None:
    """Where the shipped or installed ``kind`` called ``name`` is; None: there is none."""
    if kind == "partitioner":
        return next((source.place for source in all_sources() if source.name == name), None)
    if kind == "profile":
        return shown(profile_file(name)) if name in profile_names() else None
    if name in (places := workload_places()):
        return places[name]
    try:
        load_workload(name)
    except UserError:
        return None
    return "the layer that this name spells out"
