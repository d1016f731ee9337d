"""What is compared of plans: cycles, and where they go."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

from bench.bounds import lower_bound
from bench.evaluate import evaluate
from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology, routes
from bench.plans.cells import cell_program
from bench.plans.outline import overlap
from bench.plans.plan import Plan, Range
from bench.workloads.model import Layer, Workload, feedback_layers


@dataclass(frozen=True)
class Figures:
    """Of one plan in the whole run.

    ``over_bound``: cycles over those that no plan beats. ``matrix_cycles``: of the busiest matrix unit.
    ``communication_share``: of the time, what would go if links took no time. ``exchanges_per_step``:
    see `exchanges_per_step`, of the layer with most. ``hops``: see `farthest_owners`.
    ``busiest_link_bytes``, ``weight_bytes``: on the fullest link and device.
    """

    cycles: int
    over_bound: float
    devices_used: int
    matrix_cycles: int
    communication_share: float
    exchanges_per_step: int
    hops: float
    busiest_link_bytes: int
    weight_bytes: int

    @property
    def matrix_share(self) -> float:
        """The busiest matrix unit's share of the time."""
        return self.matrix_cycles / self.cycles

    @property
    def communication_cycles(self) -> int:
        """Cycles that would go if links took no time."""
        return round(self.communication_share * self.cycles)

    @property
    def other_cycles(self) -> int:
        """Cycles that would be left then."""
        return self.cycles - self.communication_cycles

    @property
    def waiting_cycles(self) -> int:
        """Cycles of these in which the busiest matrix unit has nothing to do."""
        return self.other_cycles - self.matrix_cycles


def figures(plan: Plan, workload: Workload, cluster: Cluster) -> Figures:
    """Evaluate ``plan``; raises InvalidPlan and DoesNotFit as `bench.evaluate.evaluate` does."""
    timing = evaluate(workload, cluster, plan)
    topology = routes(cluster, plan.groups)
    return Figures(
        cycles=timing.cycles,
        over_bound=timing.cycles / lower_bound(workload, cluster).cycles,
        devices_used=timing.devices_used,
        matrix_cycles=max(unit.busy_cycles for unit in timing.units if unit.unit == "matrix"),
        communication_share=timing.communication_share,
        exchanges_per_step=max(exchanges_per_step(layer, plan, workload) for layer in workload.layers),
        hops=max(farthest_owners(layer, plan, topology) for layer in workload.layers),
        busiest_link_bytes=max((unit.bytes for unit in timing.units if unit.unit == "link"), default=0),
        weight_bytes=timing.weight_bytes_per_device,
    )


def exchanges_per_step(layer: Layer, plan: Plan, workload: Workload) -> int:
    """How often in a time step rows or sums that the layer's recurrence waits for change devices.

    For each of its stages: once if sums that depend on the step before travel to the stage's
    owners, once more if its rows travel to products that the next stage or step is made of. Sums that
    are known early, and rows for layers that do not feed back, do not count.
    """
    loops = feedback_layers(workload)
    looped = len(loops) > 1 and layer.name in loops
    early = "h" if looped else "x"  # on a loop of several layers the input comes last
    program = cell_program(layer)
    sums: dict[str, list[_Part]] = defaultdict(list)
    needed: dict[str, list[_Part]] = defaultdict(list)
    for block in plan.blocks:
        if block.layer == layer.name:
            sums[block.matrix].append((block.rows, block.cols, block.device))
            needed[block.matrix].append((block.cols, _WHOLE, block.device))
    owned: dict[str, list[_Part]] = defaultdict(list)
    for vector in plan.vectors:
        if vector.layer == layer.name:
            owned[vector.stage].append((vector.rows, _WHOLE, vector.device))
    count = 0
    for stage in program.stages:
        late = [p.matrix for p in program.products if p.stage == stage.name and p.operand != early]
        count += any(_travels(sums[matrix], owned[stage.name]) for matrix in late)
        later = [p.matrix for p in program.products if p.operand == stage.name != early]
        wanted = [part for matrix in later for part in needed[matrix]]
        wanted += [
            part for other in program.stages if stage.name in other.state for part in owned[other.name]
        ]
        if looped and stage.name == "h":
            wanted += _loop_inputs(layer, plan, workload, loops)
        count += _travels(owned[stage.name], wanted)
    return count


_Part = tuple[Range, Range, int]
"""Rows, columns that they are summed over, device."""

_WHOLE: Range = (0, 1)
"""The columns of what is no sum."""


def _travels(there: list[_Part], wanted: list[_Part]) -> bool:
    """Whether a device wants rows of which another one has a part that it has not itself."""
    for rows, _, device in wanted:
        own = [(have, cols) for have, cols, at in there if at == device]
        for have, cols, at in there:
            part = overlap(rows, have)
            if at == device or part is None:
                continue
            if not any(_within(part, mine) and _within(cols, over) for mine, over in own):
                return True
    return False


def _within(inner: Range, outer: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _loop_inputs(layer: Layer, plan: Plan, workload: Workload, loops: frozenset[str]) -> list[_Part]:
    """Devices that multiply the layer's h as the input of a layer on the same feedback loop."""
    fed = {
        other.name
        for other in workload.layers
        if other.name in loops and any(feed.producer == layer.name for feed in other.inputs)
    }
    devices = {b.device for b in plan.blocks if b.layer in fed and b.matrix.endswith(".x")}
    return [((0, layer.output_size), _WHOLE, device) for device in sorted(devices)]


def farthest_owners(layer: Layer, plan: Plan, topology: Topology) -> float:
    """Of any two owners of the layer's h, the most link latencies between them, mean of both ways."""
    owners = sorted({v.device for v in plan.vectors if v.layer == layer.name and v.stage == "h"})
    links = topology.links
    ways = (
        sum(links[hop].latency_factor for hop in (*topology.route(a, b), *topology.route(b, a))) / 2
        for a, b in combinations(owners, 2)
    )
    return max(ways, default=0.0)
