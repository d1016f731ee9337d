"""Column blocks of every matrix on every FPGA; partial sums are scattered and added each step."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_columns
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(
    workload: Workload, cluster: Cluster, *, software_pipelining: bool = False, collective: str = "routes"
) -> Plan:
    """Each matrix in as many column blocks as there are devices; vectors by rows.

    A device's rows of h are its own columns of the next step, so only sums travel. ``collective``: how
    they are added up on the way (`bench.plans.collectives`).
    """
    devices = range(cluster.fpgas)
    shares = [own_columns(layer, devices) for layer in workload.layers]
    return assemble(
        "column-wise",
        workload,
        shares,
        [devices],
        software_pipelining=software_pipelining,
        collective=collective,
    )
