"""Returns something that is no plan."""

from __future__ import annotations

from typing import Any

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Returns something that is no plan."""
    nonsense: Any = {"blocks": "all of them"}
    return nonsense  # type: ignore[no-any-return]
