"""What each idea of the search is worth to a plan: the best time without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import DoesNotFit
from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster
from bench.partitioners.search import search
from bench.partitioners.space import ALL, IDEAS, Candidate, build
from bench.workloads.model import Workload


@dataclass(frozen=True)
class Ablation:
    """The best that a search without ``idea`` finds; None if nothing fits then.

    ``cycles``: None if it finds none.
    """

    idea: str
    cycles: int | None
    candidate: Candidate | None


def ideas_used(candidate: Candidate) -> tuple[str, ...]:
    """The ideas of `bench.partitioners.space.IDEAS` that a candidate makes use of, in their order."""
    splits, schedule = candidate.layout.splits, candidate.schedule
    used = {
        "groups": len(splits) > 1,
        "helpers": any(split.kind in ("spread", "reset") and split.core < split.devices for split in splits),
        "splits": any(split.kind in ("sources", "grid", "columns", "gates") for split in splits),
        "mesh": any(split.kind == "mesh" for split in splits),
        "replicas": any(split.kind == "reset" for split in splits),
        "pipelining": schedule.pipelined,
        "streaming": schedule.parts is not None,
        "parts": (schedule.parts or 1) > 1,
        "ahead": schedule.ahead > 0,
        "wavefront": schedule.wavefront,
    }
    return tuple(idea for idea in IDEAS if used[idea])


def ablations(workload: Workload, cluster: Cluster, candidate: Candidate) -> Iterator[Ablation]:
    """Search again without each idea that ``candidate`` uses, one by one."""
    for idea in ideas_used(candidate):
        steps = list(search(workload, cluster, ALL - {idea}))
        if not steps:
            yield Ablation(idea, None, None)
            continue
        best = steps[-1].best
        try:
            yield Ablation(idea, emulated_cycles(workload, cluster, build(workload, best)), best)
        except DoesNotFit:
            yield Ablation(idea, None, None)
