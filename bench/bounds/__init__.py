"""Lower bounds: cycles that no plan of a workload on a cluster can beat, under the emulator's rules.

The proofs are in `docs/bounds.md`, one a section; names here are those used there. There are
two bounds: one holds for every ownership map, replication, streaming, software pipelining,
wavefront and grouping, on all or fewer of the cluster's devices; the other, tighter one for
plans that are split by rows (`bench.bounds.rows.split_by_rows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from bench.bounds.limits import Limits, least_crossing
from bench.bounds.memory import fewest_devices_for_memory
from bench.bounds.rows import split_by_rows
from bench.bounds.split import split_limit
from bench.hardware.profile import Cluster
from bench.workloads.model import Workload, phases

__all__ = ["Bound", "fewest_devices_for_memory", "least_crossing", "lower_bound", "split_by_rows"]


@dataclass(frozen=True, slots=True)
class Bound:
    """What no plan beats. ``split_cycles`` >= ``cycles`` >= ``work_cycles`` and ``recurrence_cycles``.

    ``work_cycles``: no device faster than its peak, row blocks and ragged columns included.
    ``recurrence_cycles``: the dependences from step to step and from layer to layer. ``cycles``
    takes the larger one in each phase. ``split_cycles``: what no plan beats that is split by rows;
    its phases may take exchanges and work together. ``binds`` and ``split_binds`` say in words
    which it is. ``fewest_devices_for_memory``: fewer have no room for the weights (it may exceed the
    cluster). ``latency_s`` is that of ``cycles``.
    """

    cycles: int
    work_cycles: int
    recurrence_cycles: int
    split_cycles: int
    binds: str
    split_binds: str
    fewest_devices_for_memory: int
    latency_s: float


@lru_cache(maxsize=512)
def lower_bound(workload: Workload, cluster: Cluster) -> Bound:
    """The least cycles that any plan of ``workload`` can take on ``cluster``, and what binds."""
    # of k copies one takes the k-th part of the batch or more, and leaves a device to each of the others
    shared = [
        Limits(
            replace(workload, batch=math.ceil(workload.batch / copies)),
            replace(cluster, fpgas=cluster.fpgas - copies + 1),
        )
        for copies in range(1, min(workload.batch, cluster.fpgas) + 1)
    ]
    limits = shared[0]
    overlay = cluster.profile.overlay
    core = overlay.batch_core
    once = overlay.input_load_cycles
    once -= overlay.writeback_latency_cycles - core.output_latency_cycles if core else 0
    works, recurrences, splits = [], [], []
    for layers in phases(workload):
        works.append(limits.work(layers))
        recurrences.append(min(each.recurrence(layers) for each in shared))
        split = split_limit(layers, workload, cluster, limits)
        splits.append(max(works[-1], limits.recurrence(layers), split))
    cycles = once + sum(map(max, works, recurrences))
    return Bound(
        cycles=cycles,
        work_cycles=once + sum(works),
        recurrence_cycles=once + sum(recurrences),
        split_cycles=once + sum(splits),
        binds=_words(work >= other for work, other in zip(works, recurrences, strict=True)),
        split_binds=_words(work >= split for work, split in zip(works, splits, strict=True)),
        fewest_devices_for_memory=fewest_devices_for_memory(workload, cluster),
        latency_s=cycles / (cluster.profile.clock_mhz * 1e6),
    )


def _words(by_work: Iterable[bool]) -> str:
    """What binds, from whether it is the work, phase by phase."""
    bound = list(by_work)
    if all(bound):
        return "work"
    if not any(bound):
        return "recurrence"
    return f"work in {sum(bound)} of {len(bound)} phases, recurrence in the others"
