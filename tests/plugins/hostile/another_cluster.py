"""Returns a plan for a cluster that has more devices."""

from __future__ import annotations

from dataclasses import replace

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Returns a plan for a cluster that has more devices."""
    return rows(workload, replace(cluster, fpgas=cluster.fpgas + 1))
