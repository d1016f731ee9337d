"""A tighter bound for plans that are split by rows (`bench.bounds.rows`); proofs in docs/bounds.md."""

from __future__ import annotations

import math
from bisect import bisect_left

from bench.bounds.limits import Limits
from bench.bounds.recurrences import recurrences
from bench.bounds.shares import Rules, alone, ways
from bench.hardware.profile import Cluster
from bench.workloads.model import Layer, Workload

MOST_NEAR = {"ring": (3, 5), "ring-bidirectional": (3, 5), "chain": (2, 2), "torus-2d": (3, 3)}
"""Topology -> the most devices of which any two have a round trip of at most two hops, and of three."""


def split_limit(layers: tuple[Layer, ...], workload: Workload, cluster: Cluster, limits: Limits) -> int:
    """Cycles that a phase takes at least, if the plan is split by rows; 0 where nothing is known."""
    overlay = cluster.profile.overlay
    if overlay.batch_core is not None:
        return 0
    per_ns = cluster.profile.clock_mhz / 1000.0
    per_byte = cluster.link.ns_per_byte * per_ns
    wire = limits.crossing - math.ceil(cluster.link.latency_ns * per_ns)
    near, middle = MOST_NEAR.get(cluster.topology, (cluster.fpgas, cluster.fpgas))
    rules = Rules(
        engines=overlay.engines,
        words=overlay.tiles * overlay.lanes,
        overhead=overlay.row_block_overhead_cycles,
        passes=limits.passes,
        crossing=limits.crossing,
        devices=cluster.fpgas,
        near=min(near, cluster.fpgas),
        middle=min(middle, cluster.fpgas),
        wire_per_element=cluster.profile.vector_bytes_per_element * workload.batch * per_byte,
        hidden=limits.vectors - overlay.vector_cycles + wire,
    )
    least = 0
    for recurrence in recurrences(layers, workload, limits):
        if alone(recurrence, rules) <= limits.work(layers):
            continue  # with one owner it costs nothing
        found = ways(recurrence, rules)
        # along them work grows and time falls: the least of the larger one is where they cross
        split = bisect_left(found, True, key=lambda way: limits.work(layers, way.more) >= way.cycles)
        ends = [
            max(limits.work(layers, way.more), way.cycles) for way in found[max(split - 1, 0) : split + 1]
        ]
        least = max(least, min(ends))
    return least
