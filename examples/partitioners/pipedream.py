"""Contiguous pipeline stages by dynamic programming, as PipeDream plans them.

Follows Narayanan et al., PipeDream: Generalized Pipeline Parallelism for DNN Training (SOSP 2019,
section 3.1): cut the layers, in order, into consecutive stages, give each stage a number of devices, and
make the slowest stage, or transfer between two, as fast as possible; the optimum for the first layers on
so many devices is made of optima for fewer layers.

Departures:

- A stage with several devices splits the rows of its layers over them and gathers h in every step; in
  PipeDream they are replicas that take different minibatches, of which an inference with batch 1 has
  none. ``rows=False`` leaves this out: one device a stage, devices beyond the number of layers idle.
- Times come from the overlay's cycles and the link's latency and rate, not from a profiling run. The
  model knows no overlap of a gather with products, and no fill of the pipeline.
- Layers on a feedback loop could never work at the same time: they stay in one stage.
- Where a workload has several phases (bidirectional layers), their stages cannot differ in size, because
  a device is in one group: all stages get equally many devices, and each phase has its own cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.errors import InvalidPlan
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.partitioners.build import assemble, own_rows
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Plan
from bench.workloads.model import Layer, Workload, feedback_layers, phases

Cost = Callable[[int, int, int], float]
"""Cycles of a stage: of the units from one number to before another one, on so many devices."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive units, ``start`` to before ``stop``, on ``devices`` devices."""

    start: int
    stop: int
    devices: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The cycles of the slowest stage, and the stages in order."""

    cycles: float
    stages: tuple[Stage, ...] = ()


def plan(
    workload: Workload, cluster: Cluster, *, rows: bool = True, software_pipelining: bool = False
) -> Plan:
    """The pipeline whose slowest stage is fastest, among those that the topology can cable."""
    units = [_units(layers, workload) for layers in phases(workload)]
    fpgas = cluster.fpgas
    choices = [[size] for size in range(1, fpgas + 1 if rows else 2)]
    if rows and len(units) == 1:
        choices.insert(0, list(range(1, fpgas + 1)))
    found = [[best_pipeline(len(u), fpgas, sizes, _cost(u, cluster)) for u in units] for sizes in choices]
    found.sort(key=lambda pipelines: sum(pipeline.cycles for pipeline in pipelines))
    for pipelines in found:
        groups = _groups(pipelines)
        if _can_be_cabled(cluster, groups):
            break
    homes = {
        layer.name: group
        for pipeline, members in zip(pipelines, units, strict=True)
        for stage, group in zip(pipeline.stages, groups, strict=False)
        for unit in members[stage.start : stage.stop]
        for layer in unit
    }
    notes = [
        f"phase {n}: " + ", ".join(f"{s.stop - s.start} on {s.devices}" for s in pipeline.stages)
        for n, pipeline in enumerate(pipelines)
    ]
    shares = [own_rows(layer, homes[layer.name]) for layer in workload.layers]
    return assemble(
        "pipedream", workload, shares, groups, software_pipelining=software_pipelining, notes=notes
    )


def best_pipeline(units: int, devices: int, sizes: Sequence[int], cost: Cost) -> Pipeline:
    """The pipeline of ``units`` units on at most ``devices`` devices whose slowest stage is fastest.

    ``sizes``: how many devices a stage may have. Of equals, the one with fewer stages.
    """
    # best[n][d]: of the first n units, on at most d devices
    best: list[list[Pipeline | None]] = [[None] * (devices + 1) for _ in range(units + 1)]
    best[0] = [Pipeline(0.0)] * (devices + 1)
    for stop in range(1, units + 1):
        for start in range(stop):
            for size in sizes:
                cycles = cost(start, stop, size)
                for most in range(size, devices + 1):
                    before = best[start][most - size]
                    if before is None:
                        continue
                    slowest = max(before.cycles, cycles)
                    known = best[stop][most]
                    if known is None or slowest < known.cycles:
                        best[stop][most] = Pipeline(slowest, (*before.stages, Stage(start, stop, size)))
    found = best[units][devices]
    assert found is not None  # a stage of all units on the least size
    return found


def _units(layers: Sequence[Layer], workload: Workload) -> list[list[Layer]]:
    """The layers of a phase, those on a feedback loop with what lies between them as one unit."""
    loops = feedback_layers(workload)
    places = [n for n, layer in enumerate(layers) if layer.name in loops]
    first, last = (places[0], places[-1]) if places else (0, 0)
    loop = [list(layers[first : last + 1])]
    return [[a] for a in layers[:first]] + loop + [[a] for a in layers[last + 1 :]]


def _cost(units: Sequence[Sequence[Layer]], cluster: Cluster) -> Cost:
    """The larger of a stage's work and of what it is sent, over all time steps."""

    def cost(start: int, stop: int, devices: int) -> float:
        work = sum(
            layer.steps * _step(layer, cluster, devices) for unit in units[start:stop] for layer in unit
        )
        if start == 0:
            return work
        before = units[start - 1][-1]
        size = before.output_size * cluster.profile.vector_bytes_per_element
        return max(work, before.steps * _message(size, cluster))

    return cost


def _step(layer: Layer, cluster: Cluster, devices: int) -> float:
    """Cycles of a layer's step with its rows on ``devices`` devices: products, then each stage's exchange."""
    overlay = cluster.profile.overlay
    rows: dict[tuple[str, str, int], int] = {}
    for product in cell_program(layer).products:
        height, cols = matrix_shape(layer, product)
        key = (product.operand, product.stage, cols)
        rows[key] = rows.get(key, 0) + math.ceil(height / devices)
    cycles = 0.0
    for (_, _, cols), height in rows.items():
        passes = math.ceil(cols / (overlay.tiles * overlay.lanes)) + overlay.row_block_overhead_cycles
        cycles += math.ceil(height / overlay.engines) * passes
    for stage in cell_program(layer).stages:
        cycles += overlay.matrix_latency_cycles + overlay.multifunction_latency_cycles
        cycles += overlay.writeback_latency_cycles
        size = stage_size(layer, stage.name) * cluster.profile.vector_bytes_per_element
        cycles += (devices - 1) * _message(size / devices, cluster)
    return cycles


def _message(size: float, cluster: Cluster) -> float:
    """Cycles that a message of ``size`` bytes takes over a link."""
    nanoseconds = cluster.link.latency_ns + size * cluster.link.ns_per_byte
    return nanoseconds * cluster.profile.clock_mhz / 1000.0


def _groups(pipelines: Sequence[Pipeline]) -> list[list[int]]:
    """Consecutive devices for each stage of the longest pipeline; shorter ones use the first of them."""
    longest = max(pipelines, key=lambda pipeline: len(pipeline.stages))
    groups: list[list[int]] = []
    start = 0
    for stage in longest.stages:
        groups.append(list(range(start, start + stage.devices)))
        start += stage.devices
    return groups


def _can_be_cabled(cluster: Cluster, groups: Sequence[Sequence[int]]) -> bool:
    try:
        routes(cluster, tuple(tuple(group) for group in groups))
    except InvalidPlan:
        return False
    return True
