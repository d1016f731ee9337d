"""Matrix, operation and layer level searched together; the fastest plan by emulation wins."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

from bench.bounds import fewest_devices_for_memory
from bench.errors import DoesNotFit, Unsupported
from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.partitioners.build import products_of
from bench.partitioners.space import (
    Candidate,
    Split,
    build,
    first_schedules,
    layouts,
    more_schedules,
)
from bench.plans.cells import cell_program
from bench.plans.plan import Plan, Range
from bench.workloads.model import Layer, Workload, feedback_layers, phases

SEARCH_STEPS = 24
"""Time steps of the runs that the search compares: enough for a steady state."""

REFINED = 4
"""Layouts, the best ones of different times, that are tried with all schedules."""


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Search device groups per layer, splits inside a group, and schedules.

    Layouts: every number of groups up to the layers that can work at the same time; in each group
    rows, a core with helpers, columns, grids, input and recurrent products apart, or gates apart, on
    up to all of the group's devices. They are emulated with the schedule that hides most, those
    with the lowest floor first (`_floor`), until no floor is below the best time; the best layouts
    are then tried with other schedules. Devices may be left idle. Raises Unsupported if nothing
    fits the memory.
    """
    least = fewest_devices_for_memory(workload, cluster)
    if least > cluster.fpgas:
        raise Unsupported(f"the weights need {least} FPGAs at least; the cluster has {cluster.fpgas}")
    found = _search(_shortened(workload), cluster)
    if found is None:
        raise Unsupported("no plan of the search space fits the devices' memory")
    best, notes = found
    return build(workload, best, notes)


@lru_cache(maxsize=512)
def _search(workload: Workload, cluster: Cluster) -> tuple[Candidate, tuple[str, ...]] | None:
    """The best candidate with notes on the search, or None if none fits."""
    found: dict[Candidate, int] = {}

    def attempt(candidates: Iterable[tuple[int, Candidate]]) -> None:
        for floor, candidate in candidates:
            if candidate in found or (found and floor >= min(found.values())):
                continue
            try:
                found[candidate] = emulated_cycles(workload, cluster, build(workload, candidate))
            except DoesNotFit:
                continue

    first, *others = first_schedules(workload)
    tried = [Candidate(groups, split, first) for groups, split in layouts(workload, cluster.fpgas)]
    floors = {(c.groups, c.split): _floor(c, workload, cluster) for c in tried}
    attempt(sorted(((floors[c.groups, c.split], c) for c in tried), key=lambda item: item[0]))
    by_cycles = {cycles: c for c, cycles in sorted(found.items(), key=lambda item: -item[1])}
    best = list(reversed(by_cycles.values()))[:REFINED]
    rest = [
        (floors[c.groups, c.split], replace(c, schedule=schedule))
        for c in best
        for schedule in (*more_schedules(workload), *others)
    ]
    attempt(rest)
    if not found:
        return None
    ranked = sorted(found.items(), key=lambda item: item[1])
    least = ranked[0][1]
    notes = [f"best of {len(tried)} layouts, {len(found)} candidates emulated: {ranked[0][0]}"]
    notes += [f"then {candidate}: {cycles / least:.3f} x the time" for candidate, cycles in ranked[1:4]]
    return ranked[0][0], tuple(notes)


def _floor(candidate: Candidate, workload: Workload, cluster: Cluster) -> int:
    """Cycles that the candidate takes at least, whatever its schedule."""
    planned = build(workload, candidate)
    return max(_busiest(planned, workload, cluster), _exchanges(candidate.split, planned, workload, cluster))


def _busiest(plan: Plan, workload: Workload, cluster: Cluster) -> int:
    """Cycles that the busiest matrix unit needs at least.

    Rows are counted as packed, all gates of an operand together, as lowering does.
    """
    overlay = cluster.profile.overlay
    passes = math.ceil(workload.batch / (overlay.cores * overlay.vectors_per_pass))
    steps = {layer.name: layer.steps for layer in workload.layers}
    rows: dict[tuple[int, str, str, Range], int] = defaultdict(int)
    for block in plan.blocks:
        operand = block.matrix.split(".")[1]
        rows[block.device, block.layer, operand, block.cols] += block.rows[1] - block.rows[0]
    busy: dict[int, int] = defaultdict(int)
    for (device, layer, _, cols), height in rows.items():
        words = math.ceil((cols[1] - cols[0]) / (overlay.tiles * overlay.lanes))
        cycles = math.ceil(height / overlay.engines) * (words + overlay.row_block_overhead_cycles)
        busy[device] += cycles * steps[layer] * passes
    return max(busy.values())


def _exchanges(split: Split, plan: Plan, workload: Workload, cluster: Cluster) -> int:
    """Cycles that exchanges of the recurrence take at least, where each row of a stage is made once.

    The rows of any two devices meet in every step, since each depends on every element of h: in two
    steps a result goes there and comes back, wherever the products are. On a feedback loop that
    happens in every layer. Gates apart make rows on several devices alike: 0.
    """
    if split.kind == "gates":
        return 0
    topology = routes(cluster, plan.groups)
    per_ns = cluster.profile.clock_mhz / 1000.0
    links = topology.links
    loops = feedback_layers(workload)
    period: dict[str, float] = {}
    for layer in workload.layers:
        core = sorted({v.device for v in plan.vectors if v.layer == layer.name})
        far = 0.0
        for a, b in combinations(core, 2):
            hops = [*topology.route(a, b), *topology.route(b, a)]
            far = max(far, sum(links[hop].latency_factor for hop in hops) / 2)
        exchanges = 1 + ("rh" in {stage.name for stage in cell_program(layer).stages})
        period[layer.name] = far * cluster.link.latency_ns * per_ns * exchanges
    alone = [layer.steps * period[layer.name] for layer in workload.layers if products_of(layer, "h")]
    steps = max((layer.steps for layer in workload.layers if layer.name in loops), default=0)
    return int(max(0.0, *alone, steps * sum(period[name] for name in loops)))


def _shortened(workload: Workload) -> Workload:
    """The same graph over fewer time steps, in the same proportions, without last phases that repeat.

    What is compared is the steady state, and phases run one after the other: a phase like the one
    before it, but for its number of steps, adds nothing to the comparison.
    """
    groups = list(phases(workload))
    while len(groups) > 1 and list(map(_shape, groups[-1])) == list(map(_shape, groups[-2])):
        groups.pop()
    kept = [layer for layers in groups for layer in layers]
    longest = max(layer.steps for layer in kept)
    if longest > SEARCH_STEPS:
        kept = [replace(layer, steps=max(1, layer.steps * SEARCH_STEPS // longest)) for layer in kept]
    return replace(workload, name="", source="", assumptions=(), layers=tuple(kept))


def _shape(layer: Layer) -> Layer:
    """The layer without what tells it from the same one in another phase."""
    inputs = tuple(replace(feed, producer="") for feed in layer.inputs)
    return replace(layer, name="", steps=1, inputs=inputs, after=())
