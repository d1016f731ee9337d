"""The paper's own: layers over device groups, rows within a group, degrees from its graph analysis."""

from __future__ import annotations

from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows, place_layers
from bench.plans.plan import Plan
from bench.workloads.model import Workload, feedback_layers, phases

LARGEST_ROW_DEGREE = 16
"""Row-wise groups beyond this are not tried when smaller ones are possible: their gathers only cost."""


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Row-wise within layers x layer-wise across them (Kwon et al., DAC 2020, section V).

    The layer degree is at most what the two-dimensional graph over time steps and layers
    allows (`layer_degree`); the rest of the devices split rows. All devices are used. Among
    the divisions left, the fastest by emulation, which counts the collectives, is taken.
    """
    plans = candidates(workload, cluster, software_pipelining=software_pipelining)
    if len(plans) == 1:
        return plans[0]
    return min(plans, key=lambda candidate: emulated_cycles(workload, cluster, candidate))


def candidates(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> list[Plan]:
    """The plans of which `plan` takes the fastest, of equals the first; a sweep times them all at once."""
    most = layer_degree(workload)
    degrees = [d for d in range(1, min(most, cluster.fpgas) + 1) if cluster.fpgas % d == 0]
    tried = [d for d in degrees if cluster.fpgas // d <= LARGEST_ROW_DEGREE] or degrees[-1:]
    return [_divide(workload, cluster.fpgas, d, software_pipelining) for d in tried]


def layer_degree(workload: Workload) -> int:
    """How many layers can work at the same time: a stack of L gives L, a decoder loop 1, two directions 2."""
    loops = feedback_layers(workload)
    return max(
        sum(layer.name not in loops for layer in layers) + any(layer.name in loops for layer in layers)
        for layers in phases(workload)
    )


def _divide(workload: Workload, fpgas: int, degree: int, software_pipelining: bool) -> Plan:
    rows = fpgas // degree
    groups = [list(range(n * rows, (n + 1) * rows)) for n in range(degree)]
    homes = place_layers(workload, groups)
    return assemble(
        "full-dac20",
        workload,
        [own_rows(layer, homes[layer.name]) for layer in workload.layers],
        groups,
        software_pipelining=software_pipelining,
        notes=[f"{degree} layer-wise x {rows} row-wise"],
    )
