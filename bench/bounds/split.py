"""A tighter bound for plans that are split by rows (`bench.bounds.rows`); proofs in docs/bounds.md."""

from __future__ import annotations

import math
from bisect import bisect_left

from bench.bounds.limits import Limits
from bench.bounds.recurrences import recurrences, with_replicas
from bench.bounds.shares import Rules, Way, alone, ways
from bench.hardware.profile import Cluster
from bench.workloads.model import Layer, Workload

NEIGHBOURS = {"ring": (5, 3), "ring-bidirectional": (5, 4), "torus-2d": (5, 4), "chain": (2, 4)}
"""Topology -> how many devices can be neighbours, each of each, and the hops of a round trip beyond."""


def split_limit(layers: tuple[Layer, ...], workload: Workload, cluster: Cluster, limits: Limits) -> int:
    """Cycles that a phase takes at least, if the plan is split by rows; 0 where nothing is known."""
    overlay = cluster.profile.overlay
    if overlay.batch_core is not None:
        return 0
    per_ns = cluster.profile.clock_mhz / 1000.0
    per_byte = cluster.link.ns_per_byte * per_ns
    wire = limits.crossing - math.ceil(cluster.link.latency_ns * per_ns)
    near, farther = NEIGHBOURS.get(cluster.topology, (cluster.fpgas, 2))
    rules = Rules(
        engines=overlay.engines,
        words=overlay.tiles * overlay.lanes,
        overhead=overlay.row_block_overhead_cycles,
        passes=limits.passes,
        crossing=limits.crossing,
        devices=cluster.fpgas,
        near=min(near, cluster.fpgas),
        farther=farther,
        wire_per_element=cluster.profile.vector_bytes_per_element * workload.batch * per_byte,
        hidden=limits.vectors - overlay.vector_cycles + wire,
    )
    least = 0
    for recurrence in recurrences(layers, workload, limits):
        if alone(recurrence, rules) <= limits.work(layers):
            continue  # with one owner it costs nothing
        replicas = with_replicas(recurrence)
        every = [recurrence] if replicas is None else [recurrence, replicas]
        least = max(least, min(_together(ways(one, rules), layers, limits) for one in every))
    return least


def _together(found: tuple[Way, ...], layers: tuple[Layer, ...], limits: Limits) -> int:
    """The least cycles for the work of a phase and a recurrence, over the ways to share it."""
    # along them work grows and time falls: the least of the larger one is where they cross
    split = bisect_left(found, True, key=lambda way: limits.work(layers, way.more) >= way.cycles)
    ends = found[max(split - 1, 0) : split + 1]
    return min(max(limits.work(layers, way.more), way.cycles) for way in ends)
