"""Fails while it is imported."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload

if __name__ != "licensed":
    raise RuntimeError("no licence found")


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Fails while it is imported."""
    return rows(workload, cluster)
