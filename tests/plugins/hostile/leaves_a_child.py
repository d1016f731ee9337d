"""Leaves a child process behind."""

from __future__ import annotations

import subprocess

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Leaves a child process behind."""
    subprocess.Popen(["sleep", "600"])
    return rows(workload, cluster)
