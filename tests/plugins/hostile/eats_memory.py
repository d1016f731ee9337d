"""Takes more memory than it may."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Takes more memory than it may."""
    kept = []
    while True:
        kept.append(bytes(64 * 2**20))
