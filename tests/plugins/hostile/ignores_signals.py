"""Sleeps, and ignores every signal that can be ignored."""

from __future__ import annotations

import contextlib
import signal
import time

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Sleeps, and ignores every signal that can be ignored."""
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
