"""Deletes its working directory, and returns a plan."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Deletes its working directory, and returns a plan."""
    shutil.rmtree(Path.cwd())
    return rows(workload, cluster)
