"""Device groups of different sizes for the layers of a deep model, by dynamic programming."""

from __future__ import annotations

import math
from bisect import insort_right
from collections.abc import Sequence
from dataclasses import dataclass

from bench.hardware.profile import Cluster
from bench.partitioners.floors import busy_cycles, layer_shape
from bench.partitioners.space import ALL, LARGEST_GROUP, Layout, Split, splits
from bench.workloads.model import Layer, Workload, feedback_layers, phases

MOST_GROUPS = 8
"""Uneven groups at most; the time of the dynamic programming grows with them."""

KEPT = 3
"""Ways that are kept for each number of layers, devices and groups: the model is no emulation."""


@dataclass(frozen=True, slots=True)
class _Share:
    """A way to share the first layers among groups: the slowest group's cycles, and the groups."""

    cycles: float
    splits: tuple[Split, ...] = ()
    chunks: tuple[int, ...] = ()


def uneven_layouts(workload: Workload, cluster: Cluster, ideas: frozenset[str] = ALL) -> list[Layout]:
    """For each number of groups the layouts whose slowest group is fastest, by the model of `_Costs`.

    Groups hold consecutive layers and may differ in size and split. Only for workloads of one phase:
    in others the groups would have to change from phase to phase. Layouts with equal groups are left
    out; `bench.partitioners.space.layouts` has them.
    """
    every = list(phases(workload))
    if "groups" not in ideas or len(every) > 1 or len(every[0]) < 3 or cluster.fpgas < 3:
        return []
    shares = _shares(every[0], workload, cluster, ideas)
    uneven = (Layout(share.splits, share.chunks) for share in shares if len(set(share.splits)) > 1)
    return list(dict.fromkeys(uneven))


def _shares(
    layers: Sequence[Layer], workload: Workload, cluster: Cluster, ideas: frozenset[str]
) -> list[_Share]:
    """The best ways to share all layers among all devices, the fewest groups first."""
    by_size = _splits_by_size(workload, cluster.fpgas, ideas)
    costs = _Costs(layers, workload, cluster)
    most = min(len(layers), cluster.fpgas, MOST_GROUPS)
    fpgas = min(cluster.fpgas, max(by_size) * most)
    # best[n][d]: of the first n layers on d devices, with as many groups as rounds have passed
    best: list[list[list[_Share]]] = [[[] for _ in range(fpgas + 1)] for _ in range(len(layers) + 1)]
    best[0] = [[_Share(0.0)] for _ in range(fpgas + 1)]
    found: list[_Share] = []
    for _ in range(most):
        following: list[list[list[_Share]]] = [[[] for _ in range(fpgas + 1)] for _ in range(len(layers) + 1)]
        for end in range(1, len(layers) + 1):
            for start in range(end):
                for size, ways in by_size.items():
                    cycles, split = min(
                        ((costs.chunk(start, end, way), way) for way in ways), key=lambda item: item[0]
                    )
                    for devices in range(size, fpgas + 1):
                        kept = following[end][devices]
                        for before in best[start][devices - size]:
                            slowest = max(before.cycles, cycles)
                            if len(kept) < KEPT or slowest < kept[-1].cycles:
                                chunks = (*before.chunks, end - start)
                                _keep(kept, _Share(slowest, (*before.splits, split), chunks))
        best = following
        found += [share for devices in _halves(fpgas) for share in best[len(layers)][devices]]
    return found


def _keep(kept: list[_Share], share: _Share) -> None:
    """Put ``share`` behind those that are no slower, and forget what is too many."""
    insort_right(kept, share, key=lambda one: one.cycles)
    del kept[KEPT:]


def _halves(fpgas: int) -> list[int]:
    """All devices, half of them, a quarter, ...: so that more devices find what fewer find."""
    found = [fpgas]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return found


def _splits_by_size(workload: Workload, fpgas: int, ideas: frozenset[str]) -> dict[int, list[Split]]:
    found: dict[int, list[Split]] = {}
    for split in splits(workload, min(fpgas, LARGEST_GROUP), ideas):
        if split.kind in ("rows", "spread", "reset"):
            found.setdefault(split.devices, []).append(split)
    return found


class _Costs:
    """Cycles that a group takes for consecutive layers, in a model without emulation."""

    def __init__(self, layers: Sequence[Layer], workload: Workload, cluster: Cluster) -> None:
        self._layers = layers
        self._cluster = cluster
        self._critical = "x" if len(feedback_layers(workload)) > 1 else "h"
        self._known: dict[tuple[int, int, Split], float] = {}

    def chunk(self, start: int, end: int, split: Split) -> float:
        """Work of the busiest device, or the slowest layer's exchanges: of layers ``start`` to ``end``."""
        key = (start, end, split)
        if key not in self._known:
            self._known[key] = self._cycles(self._layers[start:end], split)
        return self._known[key]

    def _cycles(self, layers: Sequence[Layer], split: Split) -> float:
        overlay, link = self._cluster.profile.overlay, self._cluster.link
        crossing = link.latency_ns * self._cluster.profile.clock_mhz / 1000.0
        hops = math.ceil((split.core - 1) / 2)
        busy = [0] * split.devices
        slowest = 0.0
        for layer in layers:
            own = busy_cycles(layer_shape(layer), split, self._critical, overlay)
            busy = [so_far + layer.steps * cycles for so_far, cycles in zip(busy, own, strict=True)]
            # what an exchange is followed by: the pipelines, and the columns that came last
            drain = overlay.matrix_latency_cycles + 3 * overlay.multifunction_latency_cycles
            slowest = max(slowest, layer.steps * (hops * crossing + drain + max(own) / 2))
        return max(0, *busy, slowest if split.core > 1 else 0.0)
