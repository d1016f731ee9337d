"""Points that share one workload graph, one plan and one lowered program.

Link latency, bandwidth and the clock change when messages arrive, not which messages there are. So
points that differ in nothing else share all but the timing itself, if their plan does not depend on
these numbers either. That is said here of built-in partitioners, and tests hold it against points
that are evaluated one by one.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.errors import UserError
from bench.experiments import Point, read_workload
from bench.hardware.profile import Cluster
from bench.partitioners import BUILT_IN, load_partitioner
from bench.plans.plan import Plan

FIXED = ("single", "layer-wise", "input-wise", "gate-wise", "row-wise", "column-wise")
"""Partitioners whose plan depends on the workload and the number of FPGAs alone."""

CHOSEN = ("full-dac20",)
"""Partitioners with a function ``candidates``: fixed in the same way; the fastest of them is the plan."""

SLOW = float(2**20)
"""ns, and ns a byte, of the link that programs are lowered for: bytes can be read off its cycles."""


@dataclass(frozen=True)
class Group:
    """Points that differ in link latency, bandwidth and clock alone, by their places in the shard.

    ``check``: whether their plans are to be run with numbers.
    """

    points: tuple[Point, ...]
    places: tuple[int, ...]
    check: bool


def timeless(cluster: Cluster) -> Cluster:
    """The cluster with a very slow link and a clock of 1 GHz; of points in one group it is the same.

    Where weights may spill, cycles lost to the memory depend on the clock, which then stays.
    """
    profile = cluster.profile
    spills = profile.external_memory is not None and not profile.ignore_weight_capacity
    slow = replace(cluster.link, latency_ns=SLOW, ns_per_byte=SLOW)
    links = tuple(slow if link.name == slow.name else link for link in profile.links)
    clock = profile.clock_mhz if spills else 1000.0
    return replace(cluster, profile=replace(profile, name="", links=links, clock_mhz=clock))


def shares(partitioner: str) -> bool:
    """Whether points of this partitioner may share a plan."""
    return partitioner in FIXED or partitioner in CHOSEN


def candidates(point: Point, cluster: Cluster) -> list[Plan]:
    """The plans of which a point's is the fastest, the first of equals; of a partitioner that shares."""
    workload, parameters = read_workload(point.workload), json.loads(point.parameters)
    if point.partitioner in CHOSEN:
        module = importlib.import_module(f"bench.partitioners.{BUILT_IN[point.partitioner]}")
        found: list[Plan] = module.candidates(workload, cluster, **parameters)
        return found
    return [load_partitioner(point.partitioner).plan(workload, cluster, **parameters)]


def make_groups(points: Iterable[tuple[int, Point]], check_up_to_fpgas: int) -> list[Group]:
    """The points in groups, in the order of their first members; a point that cannot share is alone."""
    found: dict[object, list[tuple[int, Point]]] = {}
    for place, point in points:
        key: object = place
        if shares(point.partitioner):
            try:
                cluster = timeless(point.cluster)
                key = (point.workload, cluster, point.partitioner, point.parameters)
            except UserError:
                key = place
        found.setdefault(key, []).append((place, point))
    return [
        Group(
            tuple(point for _, point in members),
            tuple(place for place, _ in members),
            members[0][1].fpgas <= check_up_to_fpgas,
        )
        for members in found.values()
    ]
