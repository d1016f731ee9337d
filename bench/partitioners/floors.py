"""Cycles that no schedule of a layout beats, without emulation: what the search prunes by."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

from bench.hardware.profile import Cluster, Overlay
from bench.hardware.topology import Topology, routes
from bench.partitioners.build import products_of
from bench.partitioners.space import Layout, Split, cabling, own
from bench.plans.cells import cell_program
from bench.plans.plan import Range
from bench.workloads.model import Layer, Workload, feedback_layers, phases


def floor(layout: Layout, workload: Workload, cluster: Cluster) -> int:
    """Cycles that the layout takes at least, whatever the schedule: phase after phase.

    In each phase the busiest matrix unit counts, or the exchanges of the slowest recurrence.
    """
    overlay = cluster.profile.overlay
    passes = math.ceil(workload.batch / (overlay.cores * overlay.vectors_per_pass))
    loops = feedback_layers(workload)
    critical = "x" if len(loops) > 1 else "h"
    homes, members = layout.homes(workload), layout.members
    topology = routes(cluster, tuple(tuple(group) for group in cabling(layout)))
    crossing = cluster.link.latency_ns * cluster.profile.clock_mhz / 1000.0
    far = [
        _farthest(topology, [group[rank] for rank in split.owners])
        for split, group in zip(layout.splits, members, strict=True)
    ]
    total = 0
    for layers in phases(workload):
        busy: dict[tuple[int, int], int] = defaultdict(int)
        exchanges, around = [0.0], 0.0
        for layer in layers:
            home = homes[layer.name]
            split = layout.splits[home]
            for rank, cycles in enumerate(busy_cycles(layer_shape(layer), split, critical, overlay)):
                busy[home, rank] += cycles * layer.steps * passes
            period = far[home] * crossing * exchanges_per_step(layer, split)
            if layer.name in loops:
                around += layer.steps * period
            if products_of(layer, "h"):
                exchanges.append(layer.steps * period)
        total += max(0, *busy.values(), int(max(around, *exchanges)))
    return total


@lru_cache(maxsize=4096)
def busy_cycles(layer: Layer, split: Split, critical: str, overlay: Overlay) -> tuple[int, ...]:
    """Matrix-unit cycles of one step on each device of a group, rows packed as lowering packs them."""
    rows: dict[tuple[int, str, Range], int] = defaultdict(int)
    for block in own(layer, split, range(split.devices), critical).blocks:
        rows[block.device, block.matrix.split(".")[1], block.cols] += block.rows[1] - block.rows[0]
    busy = [0] * split.devices
    for (device, _, cols), height in rows.items():
        words = math.ceil((cols[1] - cols[0]) / (overlay.tiles * overlay.lanes))
        busy[device] += math.ceil(height / overlay.engines) * (words + overlay.row_block_overhead_cycles)
    return tuple(busy)


def exchanges_per_step(layer: Layer, split: Split) -> int:
    """How often the farthest devices of the core wait for each other in a time step.

    The rows of any two devices meet in every step, since each depends on every element of h: in two
    steps a result goes there and comes back, wherever the products are. A reset hidden vector
    doubles that, unless each device makes all of it. Gates apart make rows on several devices alike.
    """
    if split.kind == "gates":
        return 0
    return 1 + ("rh" in {stage.name for stage in cell_program(layer).stages} and split.kind != "reset")


def _farthest(topology: Topology, devices: list[int]) -> float:
    """Of any two of the devices, the most link latencies from one to the other, mean of both ways."""
    links = topology.links
    ways = (
        sum(links[hop].latency_factor for hop in (*topology.route(a, b), *topology.route(b, a))) / 2
        for a, b in combinations(devices, 2)
    )
    return max(ways, default=0.0)


@lru_cache(maxsize=256)
def layer_shape(layer: Layer) -> Layer:
    """The layer without what makes no difference to its work, so that equal layers are counted once."""
    inputs = tuple(replace(feed, producer="x", delay=0) for feed in layer.inputs)
    return replace(layer, name="layer", steps=1, inputs=inputs, after=())
