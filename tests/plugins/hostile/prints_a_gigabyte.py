"""Prints a gigabyte."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Prints a gigabyte."""
    for _ in range(1024):
        print("x" * 2**20)
    return rows(workload, cluster)
