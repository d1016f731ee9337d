"""Matrix, operation and layer level searched together; the fastest plan by emulation wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from bench.errors import DoesNotFit, Unsupported
from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster
from bench.partitioners.build import (
    Share,
    assemble,
    gates_of,
    own_columns,
    own_gates,
    own_grid,
    own_rows,
    own_sources,
    pipelinable,
    place_layers,
    products_of,
)
from bench.plans.plan import Plan, Range
from bench.workloads.model import Layer, Workload, phases

LARGEST_GROUP = 16
"""Devices in one group at most: a step's gathers grow with the group and soon outweigh its work."""

SEARCH_STEPS = 24
"""Time steps of the runs that the search compares: enough for a steady state."""


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


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Search device groups per layer, splits inside a group, and software pipelining.

    Candidates: every number of groups up to the layers that can work at the same time; in
    each group rows, columns, grids, input and recurrent products apart, or gates apart, on
    up to all of the group's devices; each with and without software pipelining. A candidate
    is emulated unless its busiest matrix unit alone takes longer than the best so far.
    Groups may leave devices idle. Raises Unsupported if nothing fits the memory.
    """
    found = _search(_shortened(workload), cluster)
    if found is None:
        raise Unsupported("no plan of the search space fits the devices' memory")
    groups, split, pipelined, notes = found
    return _build(workload, groups, split, pipelined, notes)


@lru_cache(maxsize=512)
def _search(workload: Workload, cluster: Cluster) -> tuple[int, Split, bool, tuple[str, ...]] | None:
    """The best (groups, split, software pipelining) with notes on the search, or None if none fits."""
    ranked: list[tuple[int, str]] = []
    best: tuple[int, int, Split, bool] | None = None
    considered = 0
    can_pipeline = bool(pipelinable(workload))
    for groups, split in _candidates(workload, cluster.fpgas):
        for pipelined in (True, False) if can_pipeline else (False,):
            candidate = _build(workload, groups, split, pipelined, ())
            considered += 1
            if best and _busiest(candidate, workload, cluster) >= best[0]:
                continue
            try:
                cycles = emulated_cycles(workload, cluster, candidate)
            except DoesNotFit:
                continue
            ranked.append((cycles, _describe(groups, split, pipelined)))
            if best is None or cycles < best[0]:
                best = (cycles, groups, split, pipelined)
    if best is None:
        return None
    ranked.sort()
    notes = [f"best of {considered} candidates, {len(ranked)} of them emulated: {ranked[0][1]}"]
    for cycles, text in ranked[1:4]:
        notes.append(f"then {text}: {cycles / ranked[0][0]:.3f} x the time")
    return best[1], best[2], best[3], tuple(notes)


def _candidates(workload: Workload, fpgas: int) -> Iterator[tuple[int, Split]]:
    """(number of groups, split inside each), the fewest devices per group last."""
    together = max(len(layers) for layers in phases(workload))
    for groups in range(1, min(together, fpgas) + 1):
        if groups > 1 and fpgas % groups and groups != together:
            continue
        for split in _splits(workload, min(fpgas // groups, LARGEST_GROUP)):
            yield groups, split


def _splits(workload: Workload, most: int) -> Iterator[Split]:
    sizes = [n for n in range(most, 0, -1) if n in (1, 2, 3, 4, 6, 8, 12, 16) or n == most]
    for size in sizes:
        yield Split("rows", (size,))
    inputs = all(products_of(layer, "x") for layer in workload.layers)
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


def _build(workload: Workload, groups: int, split: Split, pipelined: bool, notes: tuple[str, ...]) -> Plan:
    size = split.devices
    members = [list(range(n * size, (n + 1) * size)) for n in range(groups)]
    homes = place_layers(workload, members)
    return assemble(
        "full",
        workload,
        [_own(layer, split, homes[layer.name]) for layer in workload.layers],
        members,
        software_pipelining=pipelined,
        notes=notes,
    )


def _own(layer: Layer, split: Split, group: Sequence[int]) -> Share:
    if split.kind == "rows":
        return own_rows(layer, group)
    if split.kind == "columns":
        return own_columns(layer, group)
    if split.kind == "sources":
        return own_sources(layer, group[: split.shape[0]], group[split.shape[0] :])
    if split.kind == "grid":
        columns = split.shape[1]
        return own_grid(layer, [group[n : n + columns] for n in range(0, len(group), columns)])
    gates = gates_of(layer)
    return own_gates(layer, {gate: group[n * len(group) // len(gates)] for n, gate in enumerate(gates)})


def _busiest(plan: Plan, workload: Workload, cluster: Cluster) -> int:
    """Cycles that the busiest matrix unit needs at least: the plan runs no faster than that.

    Rows are counted as packed, all gates of an operand together, as lowering does.
    """
    overlay = cluster.profile.overlay
    passes = -(-workload.batch // (overlay.cores * overlay.vectors_per_pass))
    steps = {layer.name: layer.steps for layer in workload.layers}
    rows: dict[tuple[int, str, str, Range], int] = defaultdict(int)
    for block in plan.blocks:
        operand = block.matrix.split(".")[1]
        rows[block.device, block.layer, operand, block.cols] += block.rows[1] - block.rows[0]
    busy: dict[int, int] = defaultdict(int)
    for (device, layer, _, cols), height in rows.items():
        words = -(-(cols[1] - cols[0]) // (overlay.tiles * overlay.lanes))
        cycles = -(-height // overlay.engines) * (words + overlay.row_block_overhead_cycles)
        busy[device] += cycles * steps[layer] * passes
    return max(busy.values())


def _describe(groups: int, split: Split, pipelined: bool) -> str:
    text = f"{groups} groups of {split}" if groups > 1 else str(split)
    return f"{text}, {'with' if pipelined else 'without'} software pipelining"


def _shortened(workload: Workload) -> Workload:
    """The same graph over fewer time steps, in the same proportions: what is compared is the steady state."""
    longest = workload.steps
    if longest <= SEARCH_STEPS:
        return replace(workload, name="", source="", assumptions=())
    layers = tuple(
        replace(layer, steps=max(1, layer.steps * SEARCH_STEPS // longest)) for layer in workload.layers
    )
    return replace(workload, name="", source="", assumptions=(), layers=layers)
