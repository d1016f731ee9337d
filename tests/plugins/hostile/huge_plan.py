"""Returns a plan of twenty megabytes."""

from __future__ import annotations

from dataclasses import replace

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Returns a plan of twenty megabytes."""
    return replace(rows(workload, cluster), notes=("x" * 20 * 2**20,))
