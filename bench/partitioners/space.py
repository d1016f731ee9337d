"""The plans that `full` chooses from: device groups, splits inside them, and how exchanges are hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.partitioners.build import (
    Share,
    assemble,
    gates_of,
    own_columns,
    own_gates,
    own_grid,
    own_rows,
    own_sources,
    own_spread,
    pipelinable,
    place_layers,
    products_of,
)
from bench.plans.cells import cell_program
from bench.plans.plan import Plan, Streaming
from bench.workloads.model import Layer, Workload, feedback_layers, phases

LARGEST_GROUP = 16
"""Devices in one group at most: a step's gathers grow with the group and soon outweigh its work."""

GROUP_SIZES = (1, 2, 3, 4, 5, 6, 8, 12, 16)


@dataclass(frozen=True)
class Split:
    """How the devices of a group share a layer: the kind and its shape."""

    kind: str
    shape: tuple[int, ...]

    @property
    def devices(self) -> int:
        """Devices in the group."""
        if self.kind == "grid":
            return self.shape[0] * self.shape[1]
        return sum(self.shape)

    def __str__(self) -> str:
        return f"{self.kind} {' + '.join(map(str, self.shape))}".replace(" +", " x", self.kind == "grid")


@dataclass(frozen=True)
class Schedule:
    """When things happen: the options of a plan that say nothing about ownership.

    ``parts``: None leaves exchanges and products in the order of DAC 2020; else see
    `bench.plans.plan.Streaming`, as for ``ahead``.
    """

    pipelined: bool
    parts: int | None = None
    ahead: int = 0
    wavefront: bool = False

    def __str__(self) -> str:
        words = ["software pipelining" if self.pipelined else "no software pipelining"]
        if self.parts is not None:
            words.append("streamed" if self.parts == 1 else f"streamed in {self.parts} parts")
        if self.ahead:
            words.append(f"{self.ahead} input products ahead")
        if self.wavefront:
            words.append("wavefront")
        return ", ".join(words)


@dataclass(frozen=True)
class Candidate:
    """One plan of the space: ``groups`` device groups, a split in each, a schedule."""

    groups: int
    split: Split
    schedule: Schedule

    def __str__(self) -> str:
        many = f"{self.groups} groups of " if self.groups > 1 else ""
        return f"{many}{self.split}; {self.schedule}"


def layouts(workload: Workload, fpgas: int) -> Iterator[tuple[int, Split]]:
    """(number of groups, split inside each), the fewest devices per group last."""
    together = max(len(layers) for layers in phases(workload))
    for groups in range(1, min(together, fpgas) + 1):
        if groups > 1 and fpgas % groups and groups != together:
            continue
        for split in _splits(workload, min(fpgas // groups, LARGEST_GROUP)):
            yield groups, split


def first_schedules(workload: Workload) -> list[Schedule]:
    """The schedules that every layout is tried with."""
    plain = [Schedule(pipelined=False)]
    if pipelinable(workload):
        plain = [Schedule(pipelined=True, parts=1, wavefront=True), Schedule(pipelined=True), *plain]
    return plain


def more_schedules(workload: Workload) -> list[Schedule]:
    """The schedules that the best layouts are tried with besides."""
    pipelined = bool(pipelinable(workload))
    stages = max(len(cell_program(layer).stages) for layer in workload.layers)
    aheads = (0, 1, 2) if pipelined and stages > 1 else (0,)
    loops = feedback_layers(workload)
    several = any(len({layer.name for layer in layers} - loops) > 1 for layers in phases(workload))
    return [
        Schedule(pipelined, parts, ahead, wavefront)
        for parts in (2, 1, 3)
        for ahead in aheads
        for wavefront in ((True, False) if several else (True,))
    ]


def build(workload: Workload, candidate: Candidate, notes: tuple[str, ...] = ()) -> Plan:
    """The plan that ``candidate`` stands for."""
    split, schedule = candidate.split, candidate.schedule
    size = split.devices
    members = [list(range(n * size, (n + 1) * size)) for n in range(candidate.groups)]
    homes = place_layers(workload, members)
    loops = feedback_layers(workload)
    critical = "x" if len(loops) > 1 else "h"
    cabled = members
    if split.kind == "spread":  # the core is a ring of its own, its helpers beside it; cores meet cores
        core = split.shape[0]
        cabled = []
        for number, group in enumerate(members):
            sides = [group[:core], group[core:]]
            cabled += sides if number % 2 else reversed(sides)
    plan = assemble(
        "full",
        workload,
        [_own(layer, split, homes[layer.name], critical) for layer in workload.layers],
        cabled,
        software_pipelining=schedule.pipelined,
        notes=notes,
    )
    if schedule.parts is None:
        return plan
    streamed = tuple(Streaming(layer.name, schedule.parts, schedule.ahead) for layer in workload.layers)
    return replace(plan, streamed=streamed, wavefront=schedule.wavefront)


def _splits(workload: Workload, most: int) -> Iterator[Split]:
    sizes = [n for n in range(most, 0, -1) if n in GROUP_SIZES or n == most]
    for size in sizes:
        yield Split("rows", (size,))
    inputs = all(products_of(layer, "x") for layer in workload.layers)
    recurrent = all(products_of(layer, "h") for layer in workload.layers)
    if inputs and recurrent and pipelinable(workload):
        for size in sizes:
            for core in range(1, min(size, 5)):
                if size - core <= 2 * core:
                    yield Split("spread", (core, size - core))
    for size in sizes:
        if inputs and size >= 2:
            for left in sorted({1, size // 4, size // 3, size // 2} - {0}):
                yield Split("sources", (left, size - left))
    for size in sizes:
        if size >= 4:
            yield from (Split("grid", (rows, size // rows)) for rows in (2, size // 2) if size % rows == 0)
    if most >= 2:
        yield Split("columns", (most,))
        gates = max(len(gates_of(layer)) for layer in workload.layers)
        if gates > 1:
            yield Split("gates", (min(most, gates),))


def _own(layer: Layer, split: Split, group: Sequence[int], critical: str) -> Share:
    if split.kind == "rows":
        return own_rows(layer, group)
    if split.kind == "columns":
        return own_columns(layer, group)
    if split.kind == "sources":
        return own_sources(layer, group[: split.shape[0]], group[split.shape[0] :])
    if split.kind == "spread":
        return own_spread(layer, group[: split.shape[0]], group[split.shape[0] :], critical=critical)
    if split.kind == "grid":
        columns = split.shape[1]
        return own_grid(layer, [group[n : n + columns] for n in range(0, len(group), columns)])
    gates = gates_of(layer)
    return own_gates(layer, {gate: group[n * len(group) // len(gates)] for n, gate in enumerate(gates)})
