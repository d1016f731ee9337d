"""Whole layers on different FPGAs, forwarding h from one to the next (conventional)."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, contiguous, own_rows
from bench.plans.plan import Plan
from bench.workloads.model import Layer, Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Consecutive layers on consecutive devices, balanced by work.

    The two directions of a bidirectional layer part only when there are more devices than
    layers. Devices beyond the number of layers stay idle.
    """
    units = _stack(workload)
    if cluster.fpgas > len(units):
        units = [[layer] for layer in workload.layers]
    chunks = contiguous(units, [_work(unit) for unit in units], cluster.fpgas)
    placed = {layer.name: n for n, chunk in enumerate(chunks) for unit in chunk for layer in unit}
    shares = [own_rows(layer, [placed[layer.name]]) for layer in workload.layers]
    names = [", ".join(layer.name for unit in chunk for layer in unit) for chunk in chunks]
    return assemble(
        "layer-wise",
        workload,
        shares,
        [[n] for n in range(len(chunks))],
        software_pipelining=software_pipelining,
        notes=[f"device {n}: {layers}" for n, layers in enumerate(names)],
    )


def _stack(workload: Workload) -> list[list[Layer]]:
    """The layers in order, both directions of a bidirectional one together."""
    units: dict[str, list[Layer]] = {}
    for layer in workload.layers:
        units.setdefault(layer.name.removesuffix(".fwd").removesuffix(".bwd"), []).append(layer)
    return list(units.values())


def _work(unit: list[Layer]) -> int:
    return sum(layer.weights * layer.steps for layer in unit)
