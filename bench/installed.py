"""What installed packages offer: entry points, and where their modules are. Nothing is imported.

A package offers a partitioner as ``name = "package.module"`` (a module with a function
``plan``) or ``name = "package.module:function"`` in the group ``bench.partitioners``. In the
groups ``bench.profiles`` and ``bench.workloads`` the value names a package or a folder
within one, as a dotted name: its YAML files are what is offered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path

from bench.errors import UserError


@dataclass(frozen=True)
class Installed:
    """One entry point: its name, what it names, and the distribution that it comes with."""

    name: str
    module: str
    attribute: str
    distribution: str
    version: str

    @property
    def place(self) -> str:
        """For messages."""
        return f"the installed package {self.distribution} {self.version}"


def installed(group: str) -> tuple[Installed, ...]:
    """All entry points of ``group``, sorted by name."""
    return _scan(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _scan(group: str, _path: tuple[str, ...]) -> tuple[Installed, ...]:
    found = []
    for point in entry_points(group=group):
        distribution = point.dist
        name, version = (distribution.name, distribution.version) if distribution else ("unknown", "")
        found.append(Installed(point.name, point.module, point.attr, name, version))
    return tuple(sorted(found, key=lambda one: (one.name, one.distribution)))


def locate(module: str) -> ModuleSpec:
    """Where ``module`` would be imported from; neither it nor its parents are.

    Raises UserError if there is no such module.
    """
    return _specs(module)[-1]


def package_files(module: str) -> tuple[Path, ...]:
    """Every file of the outermost package that ``module`` is in, or the module's own; no byte code.

    Raises UserError if there is no such module.
    """
    specs = _specs(module)
    for spec in specs:
        if spec.origin and spec.submodule_search_locations:
            found = (path for place in spec.submodule_search_locations for path in Path(place).rglob("*"))
            return tuple(sorted(p for p in found if p.is_file() and p.suffix not in (".pyc", ".pyo")))
    return (Path(str(specs[-1].origin)),)


def yaml_files(group: str) -> list[tuple[Path, str]]:
    """The YAML files that installed packages offer in ``group``, each with its package for messages.

    Raises UserError if an entry point names no folder.
    """
    found: list[tuple[Path, str]] = []
    for one in installed(group):
        folders = list(locate(one.module).submodule_search_locations or [])
        if one.attribute or not folders:
            raise UserError(
                f"{one.place}: the entry point {one.name!r} of {group} must name a folder of YAML files, as "
                f"package.folder; it names {one.module}{one.attribute and ':' + one.attribute}"
            )
        paths = (path for folder in folders for path in Path(folder).iterdir())
        found += [(path, one.place) for path in sorted(paths) if path.suffix in (".yaml", ".yml")]
    return found


def _specs(module: str) -> list[ModuleSpec]:
    """The specs of a module's parents and its own; finders look at files, they run nothing."""
    specs: list[ModuleSpec] = []
    where: Iterable[str] | None = None
    for number in range(module.count(".") + 1):
        name = ".".join(module.split(".")[: number + 1])
        spec = _find(name, None if where is None else list(where))
        if spec is None:
            raise UserError(
                f"no module {name!r} is installed, which an entry point names; reinstall its package"
            )
        specs.append(spec)
        where = spec.submodule_search_locations or []
    return specs


def _find(name: str, where: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, where)
        if spec is not None:
            return spec
    return None
