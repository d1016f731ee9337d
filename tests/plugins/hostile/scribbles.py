"""Writes into every file that it finds open."""

from __future__ import annotations

import contextlib
import os

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Writes into every file that it finds open."""
    for number in range(3, 256):
        with contextlib.suppress(OSError):
            os.write(number, b"[[[ P{} E{}\n")
    return rows(workload, cluster)
