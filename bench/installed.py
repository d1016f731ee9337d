"""What installed packages offer: entry points, and where their modules are. Nothing is imported.

A package offers a partitioner as ``name = "package.module"`` (a module with a function
``plan``) or ``name = "package.module:function"`` in the group ``bench.partitioners``. In the
groups ``bench.profiles`` and ``bench.workloads`` the value names a package or a folder
within one, as a dotted name: its YAML files are what is offered.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
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


@dataclass(frozen=True)
class Place:
    """Where a module would be imported from: its file, if it has one, and a package's folders."""

    file: Path | None
    folders: tuple[Path, ...] = ()


def locate(module: str) -> Place:
    """Where ``module`` is; neither it nor its parents are imported. UserError if there is none."""
    return _way(module)[-1]


def package_files(module: str) -> tuple[Path, ...]:
    """Every file of the outermost package that ``module`` is in, or the module's own; no byte code.

    Raises UserError if there is no such module.
    """
    way = _way(module)
    for place in way:
        if place.file and place.folders:
            found = (path for folder in place.folders for path in folder.rglob("*"))
            return tuple(sorted(p for p in found if p.is_file() and p.suffix not in (".pyc", ".pyo")))
    return (way[-1].file,) if way[-1].file else ()


def yaml_files(group: str) -> list[tuple[Path, str]]:
    """The YAML files that installed packages offer in ``group``, each with its package for messages.

    Raises UserError if an entry point names no folder.
    """
    found: list[tuple[Path, str]] = []
    for one in installed(group):
        folders = locate(one.module).folders
        if one.attribute or not folders:
            raise UserError(
                f"{one.place}: the entry point {one.name!r} of {group} must name a folder of YAML files, as "
                f"package.folder; it names {one.module}{one.attribute and ':' + one.attribute}"
            )
        paths = (path for folder in folders for path in folder.iterdir())
        found += [(path, one.place) for path in sorted(paths) if path.suffix in (".yaml", ".yml")]
    return found


def _way(module: str) -> list[Place]:
    """The places of a module's parents and its own."""
    first, *others = module.split(".")
    spec = PathFinder.find_spec(first) or _find(first)
    if spec is None:
        raise _missing(first)
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    way = [Place(file, tuple(map(Path, spec.submodule_search_locations or ())))]
    for number, part in enumerate(others, start=2):
        inside = [folder / part for folder in way[-1].folders]
        packages = [path for path in inside if (path / "__init__.py").is_file()]
        files = [path.with_suffix(".py") for path in inside if path.with_suffix(".py").is_file()]
        folders = [path for path in inside if path.is_dir()]
        if packages:
            way.append(Place(packages[0] / "__init__.py", (packages[0],)))
        elif files:
            way.append(Place(files[0]))
        elif folders:
            way.append(Place(None, tuple(folders)))
        else:
            raise _missing(".".join([first, *others][:number]))
    return way


def _find(name: str) -> ModuleSpec | None:
    """What other finders know, as those of editable installations."""
    return next((spec for finder in sys.meta_path if (spec := finder.find_spec(name, None))), None)


def _missing(module: str) -> UserError:
    return UserError(f"no module {module!r} is installed, which an entry point names; reinstall its package")
