"""The winner of the search of `full`, its runner-up, and the best conventional plan, with their figures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.bounds import Bound, lower_bound
from bench.errors import DoesNotFit, Unsupported
from bench.explanation.figures import Figures, figures
from bench.hardware.profile import Cluster
from bench.partitioners import CONVENTIONAL, load_partitioner
from bench.partitioners.search import Progress, search
from bench.partitioners.space import Candidate, build
from bench.workloads.model import Workload


@dataclass(frozen=True)
class Chosen:
    """A candidate of the search, with its figures."""

    candidate: Candidate
    figures: Figures


@dataclass(frozen=True)
class Comparison:
    """What is explained. ``conventional``: name and figures; None where none of them has a plan.

    ``runner_up``: the best emulated candidate of another layout; None if there is no other.
    """

    search: Progress
    winner: Chosen
    runner_up: Chosen | None
    conventional: tuple[str, Figures] | None
    bound: Bound


def compare(workload: Workload, cluster: Cluster) -> Comparison:
    """Search to the end, and look at the winner beside what it has beaten.

    Raises Unsupported if no plan fits.
    """
    steps = list(search(workload, cluster))
    if not steps:
        raise Unsupported("no plan of the search space fits the devices' memory")
    progress = steps[-1]
    winner = _chosen(progress.best, workload, cluster)
    others = (c for c, _ in progress.ranked if c.layout != progress.best.layout)
    runner_up = next((_chosen(other, workload, cluster) for other in others), None)
    return Comparison(
        progress, winner, runner_up, best_conventional(workload, cluster), lower_bound(workload, cluster)
    )


def best_conventional(workload: Workload, cluster: Cluster) -> tuple[str, Figures] | None:
    """Name and figures of the fastest of layer-wise, input-wise and gate-wise."""
    best: tuple[str, Figures] | None = None
    for name in CONVENTIONAL:
        try:
            found = figures(load_partitioner(name).plan(workload, cluster), workload, cluster)
        except (Unsupported, DoesNotFit):
            continue
        if best is None or found.cycles < best[1].cycles:
            best = name, found
    return best


def _chosen(candidate: Candidate, workload: Workload, cluster: Cluster) -> Chosen:
    return Chosen(candidate, figures(build(workload, candidate), workload, cluster))
