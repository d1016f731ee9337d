"""From a sweep file to its points: in a fixed order, and only those that are asked for.

Axes that a zip or a condition ties together form a *block*; the sweep is the product of its blocks,
so points are counted without making them. A *unit* is one combination of the outer axes: a network
at one size on one kind of device in one topology. Its points differ in the inner axes: number of
FPGAs, partitioner, and what only the timing reads of links and clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.experiments import (
    PartitionerChoice,
    Point,
    expand_choices,
    expand_workloads,
    read_profile,
    read_workload,
)
from bench.files import shown
from bench.hardware.files import make_cluster
from bench.hardware.profile import TOPOLOGIES, LinkProfile
from bench.partitioners.sources import check_names, find_source
from bench.sweeps.conditions import Condition, read_condition
from bench.sweeps.form import SweepFile, load_form, values_of
from bench.variants import join_reference
from bench.workloads.variants import SIZES

Choice = tuple[str, str]
"""A partitioner's reference, and its parameters as JSON."""

LATENCY = "profile.link.latency_ns"

INNER = (
    "fpgas",
    "partitioner",
    LATENCY,
    "profile.link.ns_per_byte",
    "profile.link.bandwidth_gbps",
    "profile.clock_mhz",
)
"""Axes within a unit."""

REQUIRED = ("workload", "profile", "fpgas", "partitioner")

MOST_TRIED = 50
"""Values of an axis that are all tried when a file is read."""

WORKLOAD_AXES = tuple(f"workload.{size}" for size in SIZES)


@dataclass(frozen=True)
class Block:
    """Axes that are tied together: the values of the outer ones, each with those of the inner ones."""

    outer: tuple[str, ...]
    inner: tuple[str, ...]
    options: tuple[tuple[tuple[Any, ...], tuple[tuple[Any, ...], ...]], ...]


@dataclass(frozen=True)
class Unit:
    """One combination of the outer axes, with the blocks of inner ones whose product its points are."""

    number: int
    outer: Mapping[str, Any]
    inner: tuple[tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]], ...]

    @property
    def count(self) -> int:
        """How many points it has."""
        return prod(len(rows) for _, rows in self.inner)

    @property
    def workload(self) -> str:
        """The reference of its workload."""
        sizes = {size: self.outer[f"workload.{size}"] for size in SIZES if f"workload.{size}" in self.outer}
        return join_reference(self.outer["workload"], sizes)


@dataclass(frozen=True)
class Sweep:
    """A sweep file whose names are known to be right."""

    path: Path
    form: SweepFile
    blocks: tuple[Block, ...]
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """What its results are called: the file's name."""
        return self.path.stem

    @property
    def count(self) -> int:
        """How many points there are."""
        return prod(sum(len(rows) for _, rows in block.options) for block in self.blocks)

    @property
    def columns(self) -> tuple[str, ...]:
        """Axes of the profile that have a column of their own in the results."""
        return tuple(axis.removeprefix("profile.") for axis in self.form.axes if _own_column(axis))


def _own_column(axis: str) -> bool:
    return axis.startswith("profile.") and axis not in (LATENCY, "profile.clock_mhz")


def load_sweep(path: Path) -> Sweep:
    """Read a sweep file and check what it names; UserError with all mistakes that can be told apart."""
    form = load_form(path)
    problems: dict[str, None] = {}
    axes = {axis: tuple(_resolved(form, axis, path, problems)) for axis in form.axes}
    for axis in axes:
        if axis not in (*REQUIRED, "topology", "link", *WORKLOAD_AXES) and not axis.startswith("profile."):
            problems[f"axes: there is no axis {axis!r}"] = None
    for axis in REQUIRED:
        if axis not in axes:
            problems[f"axes: {axis} is missing; add it"] = None
    if not problems:
        _check_values(axes, problems)
    blocks: tuple[Block, ...] = ()
    if not problems:
        try:
            blocks = _blocks(form, axes)
        except UserError as error:
            problems[str(error)] = None
    choices = tuple(axes.get("partitioner", ()))
    for text in check_names(reference for reference, _ in choices) if not problems else ():
        problems[text] = None
    sweep = Sweep(path, form, blocks, choices)
    if not problems and sweep.count == 0:
        problems["when: no combination of the axes is left"] = None
    for reference in dict.fromkeys(unit.workload for unit in units(sweep)) if not problems else ():
        try:
            read_workload(reference)
        except UserError as error:
            problems[str(error)] = None
    if problems:
        raise UserError("\n".join(f"{shown(path)}: {text}" for text in problems))
    return sweep


def units(sweep: Sweep) -> list[Unit]:
    """All units in order; the first outer axis of the file changes slowest."""
    order = {axis: place for place, axis in enumerate(sweep.form.axes)}
    found = []
    for number, options in enumerate(product(*(block.options for block in sweep.blocks))):
        outer = {
            axis: value
            for block, (values, _) in zip(sweep.blocks, options, strict=True)
            for axis, value in zip(block.outer, values, strict=True)
        }
        inner = tuple(
            (block.inner, rows) for block, (_, rows) in zip(sweep.blocks, options, strict=True) if block.inner
        )
        found.append(Unit(number, dict(sorted(outer.items(), key=lambda item: order[item[0]])), inner))
    return found


def unit_points(unit: Unit) -> Iterator[Point]:
    """The points of a unit, in order."""
    outer = unit.outer
    workload, topology = unit.workload, outer.get("topology", "ring")
    names = [name for axes, _ in unit.inner for name in axes]
    fixed = {axis: value for axis, value in outer.items() if axis.startswith("profile.")}
    for parts in product(*(rows for _, rows in unit.inner)):
        values = dict(zip(names, (value for part in parts for value in part), strict=True)) | fixed
        link = _link(outer["profile"], topology, outer.get("link"))
        changes = tuple(
            (axis.removeprefix("profile.").replace("link.", f"links.{link.name}.", 1), value)
            for axis, value in values.items()
            if axis.startswith("profile.") and axis != LATENCY
        )
        reference, parameters = values["partitioner"]
        yield Point(
            workload=workload,
            profile=_profile_reference(outer["profile"], changes),
            topology=topology,
            link=link.name,
            link_latency_ns=float(values.get(LATENCY, link.latency_ns)),
            fpgas=int(values["fpgas"]),
            partitioner=reference,
            parameters=parameters,
        )


@cache
def _profile_reference(profile: str, changes: tuple[tuple[str, Any], ...]) -> str:
    return join_reference(profile, dict(changes))


@cache
def _link(profile: str, topology: str, name: str | None) -> LinkProfile:
    return make_cluster(read_profile(profile), 1, topology, link=name).link


def _resolved(form: SweepFile, axis: str, path: Path, problems: dict[str, None]) -> Sequence[Any]:
    """An axis's values; partitioners and globs as what they stand for."""
    values = values_of(form, axis, path)
    if axis == "partitioner":
        wanted = [value if isinstance(value, PartitionerChoice) else str(value) for value in values]
        return expand_choices(wanted, problems)
    plain = [value for value in values if not isinstance(value, PartitionerChoice)]
    if len(plain) < len(values):
        problems[f"axes.{axis}: names with parameters belong to the axis partitioner"] = None
    if axis == "workload":
        return expand_workloads([str(value) for value in plain], problems)
    return plain


def _check_values(axes: Mapping[str, tuple[Any, ...]], problems: dict[str, None]) -> None:
    """Profiles, links, topologies and numbers, one by one."""
    for axis in ("fpgas", *WORKLOAD_AXES):
        for value in axes.get(axis, ()):
            if type(value) is not int or value < 1:
                problems[f"axes.{axis}: got {value!r}, expected whole numbers of 1 or more"] = None
    for topology in axes.get("topology", ()):
        if topology not in TOPOLOGIES:
            problems[f"axes.topology: unknown topology {topology!r}; expected {', '.join(TOPOLOGIES)}"] = None
    if problems:
        return
    for profile in axes["profile"]:
        for topology, link in product(axes.get("topology", ("ring",)), axes.get("link", (None,))):
            try:
                name = _link(profile, topology, link).name
                for axis, values in axes.items():
                    for value in _telling(values) if axis.startswith("profile.") else ():
                        path = axis.removeprefix("profile.").replace("link.", f"links.{name}.", 1)
                        read_profile(_profile_reference(profile, ((path, value),)))
            except UserError as error:
                problems[str(error)] = None


def _telling(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of many numbers those that are wrong if any is: the least, the greatest, and one with a fraction."""
    if len(values) <= MOST_TRIED or not all(type(value) in (int, float) for value in values):
        return values
    broken = [value for value in values if value != int(value)][:1]
    return (min(values), max(values), *broken)


def _blocks(form: SweepFile, axes: Mapping[str, tuple[Any, ...]]) -> tuple[Block, ...]:
    """The axes in blocks, each in the order of the file."""
    conditions = [read_condition(text) for text in form.when]
    ties = [frozenset(names) for names in form.zip] + [condition.axes for condition in conditions]
    for names in ties:
        if unknown := sorted(names - set(axes)):
            raise UserError(f"zip or when: there is no axis {unknown[0]!r}; there are: {', '.join(axes)}")
    groups: list[set[str]] = []
    for names in [*ties, *(frozenset({axis}) for axis in axes)]:
        joined = set(names).union(*(group for group in groups if group & names))
        groups = [*(group for group in groups if not group & names), joined]
    ordered = [tuple(axis for axis in axes if axis in group) for group in groups]
    ordered.sort(key=lambda names: list(axes).index(names[0]))
    return tuple(_block(names, form, axes, conditions) for names in ordered)


def _block(
    names: tuple[str, ...], form: SweepFile, axes: Mapping[str, tuple[Any, ...]], conditions: list[Condition]
) -> Block:
    """The combinations of the axes ``names`` that zips and conditions allow."""
    mine = [condition for condition in conditions if condition.axes and condition.axes <= set(names)]
    outer = tuple(axis for axis in names if axis not in INNER)
    inner = tuple(axis for axis in names if axis in INNER)
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for values in _zipped(names, form, axes):
        shown_values = {axis: _as_compared(axis, value) for axis, value in values.items()}
        if all(condition.holds(shown_values) for condition in mine):
            rows = found.setdefault(tuple(values[axis] for axis in outer), [])
            rows.append(tuple(values[axis] for axis in inner))
    shared: dict[tuple[tuple[Any, ...], ...], tuple[tuple[Any, ...], ...]] = {}
    options = []
    for key, rows in found.items():
        kept = tuple(rows)
        options.append((key, shared.setdefault(kept, kept)))
    return Block(outer, inner, tuple(options))


def _zipped(
    names: tuple[str, ...], form: SweepFile, axes: Mapping[str, tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    """All combinations, where axes that are zipped go together."""
    tied: dict[str, tuple[str, ...]] = {}
    for group in form.zip:
        lengths = {axis: len(axes[axis]) for axis in group}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{axis} has {length}" for axis, length in lengths.items())
            raise UserError(f"zip: axes that go together have equally many values; {said}")
        for axis in group:
            if axis in tied:
                raise UserError(f"zip: {axis} is in two groups; put all of them into one")
            tied[axis] = tuple(group)
    strands = list(dict.fromkeys(tied.get(axis, (axis,)) for axis in names))
    for places in product(*(range(len(axes[strand[0]])) for strand in strands)):
        yield {
            axis: axes[axis][place] for strand, place in zip(strands, places, strict=True) for axis in strand
        }


def _as_compared(axis: str, value: Any) -> Any:
    """An axis's value as conditions see it: a partitioner is its name."""
    return _partitioner_name(value[0]) if axis == "partitioner" else value


@cache
def _partitioner_name(reference: str) -> str:
    return find_source(reference).name
