"""Device groups of different sizes for the layers of a deep model, by dynamic programming."""

from __future__ import annotations

import math
from bisect import insort_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.hardware.profile import Cluster, Overlay
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
    kinds = splits(workload, min(cluster.fpgas, LARGEST_GROUP), ideas)
    ways = tuple(split for split in kinds if split.kind in ("rows", "spread", "reset"))
    critical = "x" if len(feedback_layers(workload)) > 1 else "h"
    crossing = cluster.link.latency_ns * cluster.profile.clock_mhz / 1000.0
    shares = _shares(every[0], ways, cluster.fpgas, critical, cluster.profile.overlay, crossing)
    uneven = (Layout(share.splits, share.chunks) for share in shares if len(set(share.splits)) > 1)
    return list(dict.fromkeys(uneven))


@lru_cache(maxsize=64)
def _shares(
    layers: tuple[Layer, ...],
    ways: tuple[Split, ...],
    fpgas: int,
    critical: str,
    overlay: Overlay,
    crossing: float,
) -> list[_Share]:
    """The best ways to share all layers among all devices, the fewest groups first.

    ``ways``: that a group may be split in; the other arguments as those of `_Costs`.
    """
    by_size: dict[int, list[Split]] = defaultdict(list)
    for split in ways:
        by_size[split.devices].append(split)
    costs = _Costs(layers, critical, overlay, crossing)
    most = min(len(layers), fpgas, MOST_GROUPS)
    fpgas = min(fpgas, max(by_size) * most)
    # best[n][d]: of the first n layers on d devices, with as many groups as rounds have passed
    best: list[list[list[_Share]]] = [[[] for _ in range(fpgas + 1)] for _ in range(len(layers) + 1)]
    best[0] = [[_Share(0.0)] for _ in range(fpgas + 1)]
    found: list[_Share] = []
    for _ in range(most):
        following: list[list[list[_Share]]] = [[[] for _ in range(fpgas + 1)] for _ in range(len(layers) + 1)]
        for start in (n for n, kept in enumerate(best) if any(kept)):
            for end in range(start + 1, len(layers) + 1):
                for size, alike in by_size.items():
                    cycles, split = costs.least(start, end, alike)
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


class _Costs:
    """Cycles that a group takes for consecutive layers, in a model without emulation.

    ``critical``: the operand that comes last; ``crossing``: cycles that a link takes.
    """

    def __init__(self, layers: Sequence[Layer], critical: str, overlay: Overlay, crossing: float) -> None:
        self._layers = layers
        self._critical = critical
        self._overlay = overlay
        self._crossing = crossing
        self._known: dict[tuple[int, int, Split], tuple[tuple[int, ...], float]] = {}
        self._least: dict[tuple[int, int, int], tuple[float, Split]] = {}

    def least(self, start: int, end: int, alike: Sequence[Split]) -> tuple[float, Split]:
        """Of splits of as many devices the fastest, of equals the first, for layers ``start`` to ``end``.

        A group takes the work of its busiest device, or the slowest layer's exchanges.
        """
        key = (start, end, alike[0].devices)
        if key not in self._least:
            ways = []
            for split in alike:
                busy, slowest = self._chunk(start, end, split)
                ways.append((max(0, *busy, slowest if split.core > 1 else 0.0), split))
            self._least[key] = min(ways, key=lambda way: way[0])
        return self._least[key]

    def _chunk(self, start: int, end: int, split: Split) -> tuple[tuple[int, ...], float]:
        """The work of each device in layers ``start`` to ``end``, and the slowest layer's exchanges."""
        if start == end:
            return (0,) * split.devices, 0.0
        key = (start, end, split)
        if key not in self._known:
            before, slowest = self._chunk(start, end - 1, split)
            layer = self._layers[end - 1]
            own = busy_cycles(layer_shape(layer), split, self._critical, self._overlay)
            busy = tuple(so_far + layer.steps * cycles for so_far, cycles in zip(before, own, strict=True))
            # what an exchange is followed by: the pipelines, and the columns that came last
            drain = self._overlay.matrix_latency_cycles + 3 * self._overlay.multifunction_latency_cycles
            hops = math.ceil((split.core - 1) / 2)
            exchanges = layer.steps * (hops * self._crossing + drain + max(own) / 2)
            self._known[key] = busy, max(slowest, exchanges)
        return self._known[key]
