"""The plans that `full` chooses from: device groups, splits inside them, and how exchanges are hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from bench.partitioners.build import (
    Share,
    assemble,
    gates_of,
    own_columns,
    own_gates,
    own_grid,
    own_reset,
    own_rows,
    own_sources,
    own_spread,
    pipelinable,
    place_layers,
    products_of,
)
from bench.plans.cells import cell_program
from bench.plans.plan import Plan, Streaming
from bench.workloads.describe import counted
from bench.workloads.model import Layer, Workload, feedback_layers, phases

IDEAS: Mapping[str, str] = {
    "groups": "layers on device groups of their own",
    "helpers": "recurrent products on a core of few devices, input products spread over helpers",
    "mesh": "four or five devices cabled each to each, in place of a ring",
    "splits": "columns, grids, gates, input and recurrent products apart, beside rows",
    "replicas": "each device computes a GRU's reset gate whole, which saves an exchange",
    "pipelining": "input products of the next step before this step's exchange",
    "streaming": "what a device waits for first comes first; early sums are sent early",
    "parts": "products cut by columns, to begin with what is near (with streaming)",
    "ahead": "input products between the stages of a step (with streaming)",
    "wavefront": "layers that share devices hide each other's exchanges (with streaming)",
}
"""What makes `full` more than rows over some of the devices; each can be left out, for ablations."""

ALL = frozenset(IDEAS)

LARGEST_GROUP = 16
"""Devices in one group at most: a step's gathers grow with the group and soon outweigh its work."""

GROUP_SIZES = (1, 2, 3, 4, 5, 6, 8, 12, 16)


@dataclass(frozen=True, slots=True)
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

    @property
    def core(self) -> int:
        """Devices in the group's ring; in some kinds the others only help, beside it."""
        return self.shape[0] if self.kind in ("spread", "reset", "mesh") else self.devices

    @property
    def rings(self) -> list[range]:
        """Ranks that a ring joins each. A mesh: three in a ring, each of the others cabled to all."""
        if self.kind == "mesh":
            return [range(3), *(range(n, n + 1) for n in range(3, self.devices))]
        return [ranks for ranks in (range(self.core, self.devices), range(self.core)) if ranks]

    @property
    def owners(self) -> range:
        """Ranks of the devices that make the rows of vectors."""
        if self.kind == "sources":
            return range(self.shape[0], self.devices)
        if self.kind == "grid":
            return range(0, self.devices, self.shape[1])
        return range(self.core)

    def __str__(self) -> str:
        sizes = (" x " if self.kind == "grid" else " + ").join(str(size) for size in self.shape if size)
        return f"{self.kind} {sizes}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Device groups and what each does.

    ``chunks``: consecutive layers for each group; empty: the layers of each phase in chunks of equal
    weights, as all groups are alike then.
    """

    splits: tuple[Split, ...]
    chunks: tuple[int, ...] = ()

    @property
    def members(self) -> list[list[int]]:
        """The devices of each group, numbered in order."""
        found, start = [], 0
        for split in self.splits:
            found.append(list(range(start, start + split.devices)))
            start += split.devices
        return found

    def homes(self, workload: Workload) -> dict[str, int]:
        """Layer -> its group."""
        if self.chunks:
            places = [group for group, size in enumerate(self.chunks) for _ in range(size)]
            return {layer.name: group for layer, group in zip(workload.layers, places, strict=True)}
        return place_layers(workload, range(len(self.splits)))

    def __str__(self) -> str:
        if self.chunks:
            parts = zip(self.chunks, self.splits, strict=True)
            return ", ".join(f"{counted(layers, 'layer')} on {split}" for layers, split in parts)
        many = f"{len(self.splits)} groups of " if len(self.splits) > 1 else ""
        return f"{many}{self.splits[0]}"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One plan of the space."""

    layout: Layout
    schedule: Schedule

    def __str__(self) -> str:
        return f"{self.layout}; {self.schedule}"


def layouts(workload: Workload, fpgas: int, ideas: frozenset[str] = ALL) -> Iterator[Layout]:
    """All layouts with equal groups, the fewest devices per group last; devices may be left over."""
    together = max(len(layers) for layers in phases(workload))
    for groups in range(1, min(together, fpgas) + 1 if "groups" in ideas else 2):
        for split in splits(workload, min(fpgas // groups, LARGEST_GROUP), ideas):
            yield Layout((split,) * groups)


def schedules(workload: Workload, ideas: frozenset[str] = ALL) -> list[Schedule]:
    """All schedules; the first one hides most in most cases."""
    pipelined = "pipelining" in ideas and bool(pipelinable(workload))
    several = any(
        len({layer.name for layer in layers} - feedback_layers(workload)) > 1 for layers in phases(workload)
    )
    stages = max(len(cell_program(layer).stages) for layer in workload.layers)
    found = []
    if "streaming" in ideas:
        waves = (True, False) if several else (True,)
        found = [
            Schedule(pipelined, parts, ahead, wavefront)
            for parts in ((1, 2, 3) if "parts" in ideas else (1,))
            for ahead in ((0, 1, 2) if "ahead" in ideas and pipelined and stages > 1 else (0,))
            for wavefront in (waves if "wavefront" in ideas and pipelined else (False,))
        ]
    return [*found, *([Schedule(True)] if pipelined else []), Schedule(False)]


def build(workload: Workload, candidate: Candidate, notes: tuple[str, ...] = ()) -> Plan:
    """The plan that ``candidate`` stands for."""
    schedule = candidate.schedule
    plan = replace(_laid_out(workload, candidate.layout, schedule.pipelined), notes=notes)
    if schedule.parts is None:
        return plan
    streamed = tuple(Streaming(layer.name, schedule.parts, schedule.ahead) for layer in workload.layers)
    return replace(plan, streamed=streamed, wavefront=schedule.wavefront)


@lru_cache(maxsize=256)
def _laid_out(workload: Workload, layout: Layout, pipelined: bool) -> Plan:
    """The plan of a layout's candidates, but for what streaming adds."""
    members, homes = layout.members, layout.homes(workload)
    critical = "x" if len(feedback_layers(workload)) > 1 else "h"
    shares = [
        own(layer, layout.splits[homes[layer.name]], members[homes[layer.name]], critical)
        for layer in workload.layers
    ]
    return assemble("full", workload, shares, cabling(layout), software_pipelining=pipelined)


def cabling(layout: Layout) -> list[list[int]]:
    """The groups that rings cable: a core is a ring of its own, its helpers beside it.

    Cores are next to cores and helpers next to helpers, so that one helper of three devices needs
    no more than four cables.
    """
    groups: list[list[int]] = []
    for number, (split, group) in enumerate(zip(layout.splits, layout.members, strict=True)):
        rings = [[group[rank] for rank in ranks] for ranks in split.rings]
        groups += reversed(rings) if number % 2 else rings
    return groups


def splits(workload: Workload, most: int, ideas: frozenset[str] = ALL) -> Iterator[Split]:
    """The ways in which a group of up to ``most`` devices can share layers."""
    sizes = [n for n in range(most, 0, -1) if n in GROUP_SIZES or n == most]
    for size in sizes:
        yield Split("rows", (size,))
    inputs = all(products_of(layer, "x") for layer in workload.layers)
    recurrent = all(products_of(layer, "h") for layer in workload.layers)
    if "helpers" in ideas and inputs and recurrent and pipelinable(workload):
        for size in sizes:
            for core in range(1, min(size, 5)):
                if size - core <= 2 * core:
                    yield Split("spread", (core, size - core))
    if "mesh" in ideas:
        for size in (size for size in sizes if size in (4, 5)):
            yield Split("mesh", (size, 0))
            if size == 5 and "helpers" in ideas and inputs and recurrent and pipelinable(workload):
                yield Split("mesh", (4, 1))
    resets = all("rh" in [s.name for s in cell_program(layer).stages] for layer in workload.layers)
    if "replicas" in ideas and resets:
        for size in sizes:
            for core in range(2, min(size, 4) + 1):
                if size == core or ("helpers" in ideas and inputs and size - core <= 2 * core):
                    yield Split("reset", (core, size - core))
    if "splits" not in ideas:
        return
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


def own(layer: Layer, split: Split, group: Sequence[int], critical: str) -> Share:
    """What each device of ``group`` owns of ``layer``; ``critical``: the operand that comes last."""
    core, helpers = group[: split.core], group[split.core :]
    if split.kind == "rows":
        return own_rows(layer, group)
    if split.kind == "columns":
        return own_columns(layer, group)
    if split.kind == "sources":
        return own_sources(layer, group[: split.shape[0]], group[split.shape[0] :])
    if split.kind in ("spread", "mesh"):
        return own_spread(layer, core, helpers, critical=critical)
    if split.kind == "reset":
        return own_reset(layer, core, helpers)
    if split.kind == "grid":
        columns = split.shape[1]
        return own_grid(layer, [group[n : n + columns] for n in range(0, len(group), columns)])
    gates = gates_of(layer)
    return own_gates(layer, {gate: group[n * len(group) // len(gates)] for n, gate in enumerate(gates)})
