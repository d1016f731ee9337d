"""The search of `full` watched: each better plan, as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.bounds import fewest_devices_for_memory, lower_bound
from bench.errors import Unsupported
from bench.hardware.profile import Cluster
from bench.partitioners.search import search
from bench.partitioners.space import Candidate, build
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.stopping import Stop, Why
from bench.workloads.describe import counted
from bench.workloads.model import Workload


@dataclass(frozen=True)
class Improvement:
    """A plan faster than all before it.

    ``seconds``: since the search began.
    """

    seconds: float
    cycles: int
    latency_s: float
    over_bound: float
    candidate: Candidate
    plan: Plan


@dataclass(frozen=True)
class Ending:
    """How a search ended: ``why`` it was stopped (empty: it was not), and how far it had come.

    ``layouts`` in the space, ``candidates`` emulated.
    """

    why: Why
    seconds: float
    layouts: int
    candidates: int


def watch(
    workload: Workload,
    cluster: Cluster,
    stop: Stop,
    found: Callable[[Improvement], None],
    least: int | None = None,
) -> Ending:
    """Search until the end or until ``stop`` says so; ``found`` is called with each improvement.

    ``least``: cycles to beat.
    """
    bound = lower_bound(workload, cluster).cycles
    stop.has_result = least is not None

    layouts = candidates = 0
    steps = search(workload, cluster)
    while (progress := stop.take(steps)) is not None:
        layouts, candidates = progress.layouts, len(progress.ranked)
        if progress.finished:
            return Ending("", stop.seconds, layouts, candidates)
        candidate, cycles = progress.ranked[0]
        if least is not None and cycles >= least:
            continue
        least = cycles
        plan = build(workload, candidate, (f"best of {counted(candidates, 'candidate')}: {candidate}",))
        validate(plan, workload, cluster)
        latency_s = cycles / (cluster.profile.clock_mhz * 1e6)
        found(Improvement(stop.seconds, cycles, latency_s, cycles / bound, candidate, plan))
        stop.has_result = True
    return Ending(stop.why, stop.seconds, layouts, candidates)


def refuse_small_memory(workload: Workload, cluster: Cluster) -> None:
    """Raise Unsupported if the cluster has no room for the weights, with the fewest FPGAs that have."""
    least = fewest_devices_for_memory(workload, cluster)
    if least > cluster.fpgas:
        raise Unsupported(f"the weights need {least} FPGAs at least; the cluster has {cluster.fpgas}")
