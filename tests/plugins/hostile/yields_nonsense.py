"""Yields a plan, then something that is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Iterator[Plan]:
    """Yields a plan, then something that is none."""
    yield rows(workload, cluster)
    nonsense: Any = 42
    yield nonsense
