"""Row blocks of every matrix on every FPGA; h is gathered after each step (matrix level)."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(
    workload: Workload, cluster: Cluster, *, software_pipelining: bool = False, collective: str = "routes"
) -> Plan:
    """Each matrix and vector in as many row blocks as there are devices.

    ``collective``: how h is gathered (`bench.plans.collectives`).
    """
    devices = range(cluster.fpgas)
    shares = [own_rows(layer, devices) for layer in workload.layers]
    return assemble(
        "row-wise",
        workload,
        shares,
        [devices],
        software_pipelining=software_pipelining,
        collective=collective,
    )
