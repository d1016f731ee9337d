"""A search that finds nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Iterator[Plan]:
    """A search that finds nothing."""
    yield from ()
