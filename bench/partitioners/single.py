"""Everything on one FPGA: the baseline of all speed-ups."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """All layers on device 0, however many devices there are."""
    shares = [own_rows(layer, [0]) for layer in workload.layers]
    return assemble("single", workload, shares, [[0]], software_pipelining=software_pipelining)
