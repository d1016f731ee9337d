"""Raises an exception."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Raises an exception."""
    raise ValueError("the weights are\nwrong")
