"""Never ends, and has processes in other sessions."""

from __future__ import annotations

import os
import time

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Never ends, and has processes in other sessions."""
    for _ in range(3):
        if not os.fork():
            os.setsid()
            os.fork()
            time.sleep(600)
    time.sleep(600)
    return rows(workload, cluster)
