"""Leaves a thread behind."""

from __future__ import annotations

import threading
import time

from bench.hardware.profile import Cluster
from bench.partitioners.row_wise import plan as rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Leaves a thread behind."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    return rows(workload, cluster)
