"""Input products on one half of the FPGAs, recurrent products on the other (conventional)."""

from __future__ import annotations

from bench.errors import Unsupported
from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows, own_sources, products_of
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Inside every layer, by source: x on even devices, h on odd ones.

    Each source is on as many devices as divide the cell's gates evenly (the paper shows a
    4-way split for the LSTM and none beyond 2 for the GRU), and split by rows among them.
    """
    if cluster.fpgas == 1:
        shares = [own_rows(layer, [0]) for layer in workload.layers]
        return assemble("input-wise", workload, shares, [[0]], software_pipelining=software_pipelining)
    shares = []
    for layer in workload.layers:
        if not products_of(layer, "x"):
            raise Unsupported(f"layer {layer.name!r} has no input product to put apart (skip-input mode)")
        if not products_of(layer, "h"):
            raise Unsupported(f"layer {layer.name!r} has no recurrent product to put apart (linear)")
        most = cluster.fpgas // 2
        side = max(n for n in range(1, most + 1) if layer.gate_count % n == 0)
        shares.append(own_sources(layer, range(0, 2 * side, 2), range(1, 2 * side, 2)))
    used = sorted({block.device for share in shares for block in share.blocks})
    return assemble("input-wise", workload, shares, [used], software_pipelining=software_pipelining)
