"""What a job's result depends on, as hashes: the sources it runs and the points it evaluates.

Snakemake sees the files that a rule names, not the modules that a command imports. Each
job gets these hashes as a parameter, so editing a partitioner re-runs its jobs only.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.experiments import Config, Shard, accuracy_workloads, read_profile, read_workload
from bench.imports import imported_names
from bench.partitioners.sources import find_source

PACKAGE = Path(__file__).parent

ROOTS = ("evaluate.py", "rows.py", "runner.py", "workloads/catalogue.py", "hardware/files.py")
"""What every point runs; the partitioner's own files are added to it."""

PLUGIN_ROOTS = ("isolation/zygote.py",)
"""What runs for a plug-in besides."""

REGISTRY = "partitioners/__init__.py"
"""Hashed, but its imports are not followed: they are all the other partitioners."""


def shard_digest(shard: Shard, config: Config) -> str:
    """A hash over all that the shard's rows depend on: sources, tools, limits, points and what they name.

    Workloads and profiles count by value, so comments and layout of their files do not matter.
    """
    parts = [source_digest(shard.partitioner), repr(config.limits), repr(shard.entries)]
    parts += tools(shard.partitioner)
    parts += [repr(read_workload(name)) for name in dict.fromkeys(point.workload for point in shard.points)]
    parts += [repr(read_profile(name)) for name in dict.fromkeys(point.profile for point in shard.points)]
    return hashlib.sha256("\n".join(dict.fromkeys(parts)).encode()).hexdigest()[:12]


def accuracy_digest(config: Config) -> str:
    """A hash over all that the accuracies depend on; that of nothing where none are asked for."""
    parts = [_content_hash([PACKAGE / "shards.py", *sources([PACKAGE / "numerics/accuracy.py"])])]
    if config.accuracy:
        parts += [repr(read_workload(name)) for name in accuracy_workloads(config.accuracy)]
    return hashlib.sha256("\n".join([repr(config.accuracy), *parts]).encode()).hexdigest()[:12]


@cache
def source_digest(partitioner: str, more: tuple[str, ...] = ()) -> str:
    """A hash over the modules, plans and other files that a partitioner's results depend on.

    ``more``: modules of the package that run besides.
    """
    source = find_source(partitioner)
    roots = (*ROOTS, *more, *(PLUGIN_ROOTS if source.isolated else ()))
    code = [path for path in source.files if path.suffix == ".py"]
    others = [path.resolve() for path in source.files if path.suffix != ".py"]
    return _content_hash([*sources([*(PACKAGE / root for root in roots), *code]), *others])


def tools(partitioner: str) -> list[str]:
    """The packages that a plug-in's files import, with their versions, or that they are missing.

    So installing a tool re-runs the jobs that have gone without it. The suite's own packages are not
    counted, nor are any for what is built in.
    """
    source = find_source(partitioner)
    code = [path.resolve() for path in source.files if path.suffix == ".py"] if source.isolated else []
    beside = {path.stem for path in code} | {path.parent.name for path in code} | {PACKAGE.name}
    names = {name.partition(".")[0] for path in code for name in imported_names(path, PACKAGE)}
    return [f"{name} {_installed_version(name)}" for name in sorted(names - beside - sys.stdlib_module_names)]


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "installed" if PathFinder.find_spec(package) else "missing"


@cache
def report_digest() -> str:
    """A hash over the modules that make tables, figures and claims from results."""
    return _content_hash(sources(PACKAGE.joinpath("results").rglob("*.py")))


@cache
def baselines_digest() -> str:
    """A hash over the modules that time CPUs and GPUs."""
    return _content_hash(sources(PACKAGE.joinpath("baselines").glob("*.py")))


@cache
def sweep_report_digest() -> str:
    """A hash over the modules that make a sweep's tables."""
    return _content_hash(sources([PACKAGE / "sweeps/tables.py"]))


def exploration_digest(profiles: Iterable[str]) -> str:
    """A hash over the modules that explore a sweep, and over what its devices draw."""
    powers = [repr(read_profile(name).board_power) for name in profiles]
    code = _content_hash(sources([PACKAGE / "explore/tables.py"]))
    return hashlib.sha256("\n".join([code, *powers]).encode()).hexdigest()[:12]


@cache
def site_digest() -> str:
    """A hash over the modules that make the site, the search and the emulator of its plans among them."""
    return _content_hash(sources(PACKAGE.joinpath("site").rglob("*.py")))


def sources(roots: Iterable[Path], package: Path = PACKAGE) -> tuple[Path, ...]:
    """The files ``roots`` and every module of ``package`` that they import, directly or not, sorted."""
    found: set[Path] = set()
    waiting = [root.resolve() for root in roots if root.exists()]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path != (package / REGISTRY).resolve():
            waiting += _imported(path, package.resolve())
    return tuple(sorted(found))


@cache
def _imported(path: Path, package: Path) -> tuple[Path, ...]:
    return tuple(file for name in imported_names(path, package) for file in _files(name, package))


@cache
def _files(name: str, package: Path) -> tuple[Path, ...]:
    """The files that importing a module of the package runs: its own and its parents'."""
    parts = name.split(".")
    if parts[0] != package.name:
        return ()
    places = [package.parent.joinpath(*parts[: length + 1]) for length in range(len(parts))]
    files = (file for place in places for file in (place / "__init__.py", place.with_suffix(".py")))
    return tuple(file for file in files if file.is_file())


def _content_hash(paths: Iterable[Path]) -> str:
    """Over names (within the package) and contents, so a checkout elsewhere hashes the same."""
    hashed = hashlib.sha256()
    named = (
        (
            path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name,
            path.read_bytes(),
        )
        for path in paths
    )
    for name, content in sorted(named):
        hashed.update(f"{name}\0".encode() + content + b"\0")
    return hashed.hexdigest()[:12]
