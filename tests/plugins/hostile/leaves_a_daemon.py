"""Leaves a process behind that has left its session and has no parent."""

from __future__ import annotations

import os
import time

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Leaves a process behind that has left its session and has no parent."""
    if not os.fork():
        os.setsid()
        if not os.fork():
            time.sleep(600)
        os._exit(0)
    os.wait()
    return rows(workload, cluster)
