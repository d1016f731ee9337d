"""Reads where there is nothing."""

from __future__ import annotations

import ctypes

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Reads where there is nothing."""
    ctypes.string_at(0)
    return rows(workload, cluster)
