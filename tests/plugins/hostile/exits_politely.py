"""Ends like a script."""

from __future__ import annotations

import sys

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Ends like a script."""
    sys.exit("enough")
