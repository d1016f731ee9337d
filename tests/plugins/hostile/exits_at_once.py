"""Ends its process without a word."""

from __future__ import annotations

import os

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Ends its process without a word."""
    os._exit(3)
