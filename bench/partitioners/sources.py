"""Where a partitioner comes from: built in, a file, a folder of plans, an installed package.

A *reference* is what a configuration or a command names it by; a *source* is what that
means. Finding a source reads files and runs none of them.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Literal

from bench import __version__
from bench.errors import UserError, unknown_name
from bench.files import shown
from bench.installed import Installed, installed, locate, package_files
from bench.partitioners import BUILT_IN
from bench.partitioners.parameters import Interface, read_interface

GROUP = "bench.partitioners"
"""Of the entry points by which packages offer partitioners."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True)
class Source:
    """A partitioner, not imported.

    ``name`` stands in tables, ``reference`` in points. ``file`` defines ``function``, and
    ``module`` is what to import; a folder of plans has neither. ``files`` are all that a
    result depends on, besides the suite.
    """

    kind: Literal["built-in", "file", "plans", "installed"]
    name: str
    reference: str
    place: str
    files: tuple[Path, ...]
    file: Path | None = None
    module: str = ""
    function: str = "plan"
    package_version: str = ""

    @property
    def isolated(self) -> bool:
        """Whether it is code that runs in a process of its own."""
        return self.kind in ("file", "installed")

    @property
    def interface(self) -> Interface:
        """Summary, version and parameters; UserError if the file is no partitioner."""
        if self.file is None:
            return Interface(f"plans from the files in {self.reference}", "", {})
        return read_interface(self.file, self.function)

    @property
    def version(self) -> str:
        """``__version__`` of its file, else its package's; "" if neither says."""
        return self.interface.version or self.package_version

    @property
    def fingerprint(self) -> str:
        """A short hash over its files: names and contents."""
        return _fingerprint(
            tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in self.files)
        )


def find_source(reference: str) -> Source:
    """What ``reference`` means.

    One of: the path of a Python file (``mine/greedy.py``; its name is ``greedy``), a folder of plan
    files (``plans/``, with a slash), a built-in name, the name of an installed entry point.

    Raises UserError: nothing of this kind or name, or two things of one name.
    """
    reference = _normal(reference)
    if reference.endswith(".py"):
        return _from_file(reference)
    if "/" in reference:
        return _from_folder(reference)
    found = [*_built_in(reference), *_installed(reference)]
    if len(found) > 1:
        raise _clash(*found[:2])
    if found:
        return found[0]
    names = [*BUILT_IN, *(one.name for one in installed(GROUP))]
    error = unknown_name("partitioner", reference, names)
    if Path(reference).is_dir():
        raise UserError(f"{error}; for the plans in the folder of that name, write '{reference}/'")
    if Path(f"{reference}.py").is_file():
        raise UserError(f"{error}; for the file of that name, write '{reference}.py'")
    raise error


def expand_reference(pattern: str) -> list[str]:
    """The references that ``pattern`` stands for: itself, or what a glob matches, sorted.

    A glob with a slash or ``.py`` is over files and folders; helper files, whose names start with an
    underscore, are left out. Any other is over built-in names: what is installed must be named.
    Raises UserError if a glob matches nothing.
    """
    if not any(sign in pattern for sign in "*?["):
        return [_normal(pattern)]
    if "/" in pattern or pattern.endswith(".py"):
        matches = sorted(glob(pattern))  # noqa: PTH207 - Path.glob refuses absolute patterns
        paths = [Path(path) for path in matches if Path(path).name[0] not in "_."]
        found = [_normal(f"{path}/" if path.is_dir() else str(path)) for path in paths]
        found = [reference for reference in found if reference.endswith((".py", "/"))]
    else:
        found = [name for name in BUILT_IN if fnmatchcase(name, pattern)]
    if not found:
        raise UserError(f"no partitioner matches {pattern!r}; see `bench list partitioners`")
    return found


def check_names(references: Iterable[str]) -> list[str]:
    """A message for each name that two different references have."""
    first: dict[str, Source] = {}
    problems = []
    for reference in dict.fromkeys(references):
        source = find_source(reference)
        other = first.setdefault(source.name, source)
        if other is not source:
            problems.append(str(_clash(other, source)))
    return problems


def all_sources() -> list[Source]:
    """Everything that has a name of its own: built-in partitioners, then installed ones."""
    offered = {one.name: one for one in installed(GROUP)}
    return [*(source for name in BUILT_IN for source in _built_in(name)), *map(_offered, offered.values())]


def _normal(reference: str) -> str:
    """One way to write a path; a folder ends in a slash."""
    if "/" not in reference and not reference.endswith(".py"):
        return reference
    path = Path(reference)
    return str(path) if reference.endswith(".py") else f"{path}/"


def _clash(one: Source, other: Source) -> UserError:
    return UserError(
        f"two partitioners are called {one.name!r}: {one.place} and {other.place}; rename or leave out one"
    )


def _built_in(name: str) -> Iterator[Source]:
    if name in BUILT_IN:
        path = Path(__file__).with_name(f"{BUILT_IN[name]}.py")
        module = f"bench.partitioners.{path.stem}"
        yield Source(
            "built-in", name, name, "the built-in one", (path,), path, module, package_version=__version__
        )


def _installed(name: str) -> list[Source]:
    return [_offered(one) for one in installed(GROUP) if one.name == name]


def _offered(one: Installed) -> Source:
    _check_name(one.name, f"the entry point {one.name!r} of {one.place}")
    file = locate(one.module).file
    if file is None or file.suffix != ".py":
        raise UserError(
            f"{one.place}: the entry point {one.name!r} names {one.module}, which is no Python file"
        )
    return Source(
        "installed", one.name, one.name, one.place, package_files(one.module), file, one.module,
        one.attribute or "plan", one.version,
    )  # fmt: skip


def _from_file(reference: str) -> Source:
    path = Path(reference)
    if not path.is_file():
        where = "" if path.is_absolute() else "; a path is relative to the folder that the command runs in"
        raise UserError(f"partitioner {reference}: no such file{where}")
    name = path.stem.replace("_", "-")
    _check_name(name, reference)
    return Source("file", name, reference, reference, _with_neighbours(path), path, path.stem)


def _from_folder(reference: str) -> Source:
    folder = Path(reference)
    if not folder.is_dir():
        raise UserError(
            f"partitioner {reference!r}: no such folder; expected a .py file, or a folder of plans"
        )
    files = tuple(sorted(folder.glob("*.json")))
    if not files:
        has = (
            " but Python files; name those, as " + repr(f"{reference}*.py")
            if any(folder.glob("*.py"))
            else ""
        )
        raise UserError(f"partitioner {reference!r}: the folder holds no plans (*.json){has}")
    name = folder.resolve().name.replace("_", "-")
    _check_name(name, shown(folder))
    return Source("plans", name, reference, reference, files)


def _check_name(name: str, place: str) -> None:
    if not NAME.fullmatch(name):
        raise UserError(f"{place}: {name!r} is no name for tables; use letters, digits and hyphens")


def _with_neighbours(path: Path) -> tuple[Path, ...]:
    """A file, and the modules and packages beside it that it imports, directly or not."""
    found: list[Path] = []
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        stat = one.stat()
        for name in _imported(one, stat.st_mtime_ns, stat.st_size):
            beside = path.parent / name
            waiting += [file for file in [beside.with_suffix(".py")] if file.is_file()]
            waiting += sorted(beside.rglob("*.py")) if beside.is_dir() else []
    return tuple(sorted(found))


@lru_cache(maxsize=256)
def _imported(path: Path, _changed_ns: int, _size: int) -> frozenset[str]:
    """The first part of every module that a file imports; none if it is not Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


@lru_cache(maxsize=256)
def _fingerprint(files: tuple[tuple[Path, int, int], ...]) -> str:
    hashed = hashlib.sha256()
    paths = [path for path, _, _ in files]
    outermost = min((path.parent for path in paths), key=lambda folder: len(folder.parts))
    for path in paths:
        name = path.relative_to(outermost).as_posix() if path.is_relative_to(outermost) else path.name
        hashed.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:12]
