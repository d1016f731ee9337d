"""Replaces a function of numpy."""

from __future__ import annotations

import numpy as np

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Replaces a function of numpy."""
    vars(np)["zeros"] = np.ones
    return rows(workload, cluster)
