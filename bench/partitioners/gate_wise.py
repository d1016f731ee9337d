"""Each gate's products on an FPGA of its own; gate vectors are broadcast (conventional)."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, gates_of, own_gates, split
from bench.plans.plan import Plan
from bench.workloads.model import Layer, Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Inside every layer, by gate: consecutive gates on consecutive devices.

    Where gates do not divide evenly the first device has fewer: it holds the gate that
    others wait for (a GRU's reset gate). Every gate's device receives the other gates'
    vectors whole, as the paper's Eq. (3) counts, and computes h itself. Devices beyond the
    number of gates stay idle.
    """
    shares = [own_gates(layer, _gate_devices(layer, cluster.fpgas)) for layer in workload.layers]
    used = sorted({block.device for share in shares for block in share.blocks})
    return assemble("gate-wise", workload, shares, [used], software_pipelining=software_pipelining)


def _gate_devices(layer: Layer, fpgas: int) -> dict[str, int]:
    gates = gates_of(layer)
    gates.sort(key=lambda gate: gate not in ("r", "m"))
    sizes = sorted(stop - start for start, stop in split(len(gates), fpgas))
    devices = [device for device, size in enumerate(sizes) for _ in range(size)]
    return dict(zip(gates, devices, strict=True))
