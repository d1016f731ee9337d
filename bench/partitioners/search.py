"""The search of `full`: layouts by their floors, then the best ones with all schedules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain

from bench.errors import DoesNotFit, InvalidPlan
from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster
from bench.partitioners.floors import floor
from bench.partitioners.space import ALL, Candidate, Layout, build, layouts, schedules
from bench.partitioners.uneven import uneven_layouts
from bench.workloads.model import Workload

REFINED = 4
"""Layouts, the best ones of different times, that are tried with all schedules."""

SMALL = 2
"""Layers of a network whose layouts are all tried with all schedules."""


RINGS = ("ring", "ring-bidirectional")
"""Topologies on which a plan takes the same time however many devices it leaves idle."""


@dataclass(frozen=True, eq=False)
class Known:
    """What searches have found out about one workload on one kind of cluster.

    ``floors``: of layouts, None where cards have no ports for them. ``cycles``: of candidates, None
    where their weights have nowhere to go.
    """

    floors: dict[Layout, int | None] = field(default_factory=dict)
    cycles: dict[Candidate, int | None] = field(default_factory=dict)

    def floor(self, layout: Layout, workload: Workload, cluster: Cluster) -> int | None:
        """`floors`, found where it is not known."""
        if layout not in self.floors:
            try:
                self.floors[layout] = floor(layout, workload, _used(cluster, layout))
            except InvalidPlan:  # a ring that cards have no ports for
                self.floors[layout] = None
        return self.floors[layout]

    def emulated(self, candidate: Candidate, workload: Workload, cluster: Cluster) -> int | None:
        """`cycles`, found where it is not known."""
        if candidate not in self.cycles:
            plan = build(workload, candidate)
            try:
                cycles = emulated_cycles(workload, _used(cluster, candidate.layout), plan)
            except DoesNotFit:
                cycles = None
            self.cycles[candidate] = cycles
        return self.cycles[candidate]


@lru_cache(maxsize=64)
def _known(workload: Workload, cluster: Cluster) -> Known:
    """The one value for this workload on clusters like ``cluster``."""
    return Known()


def _used(cluster: Cluster, layout: Layout) -> Cluster:
    """The cluster without devices that ``layout`` leaves idle, if nothing else depends on them.

    A ring has cables for the devices of a plan's groups alone.
    """
    if cluster.topology not in RINGS:
        return cluster
    return replace(cluster, fpgas=sum(split.devices for split in layout.splits))


@dataclass(frozen=True)
class Progress:
    """What a search knows: the candidates emulated so far, fastest first, with their cycles.

    ``layouts`` in the space; those not emulated were left out because their floor is no better than the
    best found.
    """

    ranked: tuple[tuple[Candidate, int], ...]
    layouts: int
    finished: bool

    @property
    def best(self) -> Candidate:
        """The fastest candidate so far."""
        return self.ranked[0][0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was searched, and the runners-up, in words."""
        least = self.ranked[0][1]
        said = [f"best of {self.layouts} layouts, {len(self.ranked)} candidates emulated: {self.best}"]
        others = [
            f"then {candidate}: {cycles / least:.3f} x the time" for candidate, cycles in self.ranked[1:4]
        ]
        return (*said, *others)


def search(workload: Workload, cluster: Cluster, ideas: frozenset[str] = ALL) -> Iterator[Progress]:
    """Yield each improvement as it is found, and at the end the whole ranking; nothing if nothing fits.

    Every layout is emulated with the schedule that hides most, those with the lowest floor first,
    until no floor is below the best time. The best layouts are then tried with all schedules; those of
    small networks all of them, as far as floors allow a better time. The order is the same in each run.
    What an earlier search has found out about the same layouts (with other ideas, or on rings of another
    number of devices) is not found out again.
    """
    first, *others = schedules(workload, ideas)
    uneven = (uneven_layouts(workload, cluster, allowed) for allowed in (ideas, ideas - {"helpers"}))
    space = dict.fromkeys(chain(layouts(workload, cluster.fpgas, ideas), *uneven))
    alike = replace(cluster, fpgas=0) if cluster.topology in RINGS else cluster
    known = _known(replace(workload, name=""), alike)
    floors: dict[Layout, int] = {}
    for layout in space:
        least_cycles = known.floor(layout, workload, cluster)
        if least_cycles is not None:
            floors[layout] = least_cycles
    found: dict[Candidate, int] = {}

    def attempt(candidates: Iterable[Candidate]) -> Iterator[Progress]:
        for candidate in candidates:
            least = min(found.values(), default=None)
            if candidate in found or (least is not None and floors[candidate.layout] >= least):
                continue
            cycles = known.emulated(candidate, workload, cluster)
            if cycles is None:
                continue
            found[candidate] = cycles
            if least is None or cycles < least:
                yield progress()

    def progress(finished: bool = False) -> Progress:
        return Progress(tuple(sorted(found.items(), key=lambda item: item[1])), len(floors), finished)

    ordered = sorted(floors, key=lambda layout: floors[layout])
    yield from attempt(Candidate(layout, first) for layout in ordered)
    by_cycles = {cycles: candidate.layout for candidate, cycles in reversed(progress().ranked)}
    best = list(reversed(by_cycles.values()))[:REFINED]
    if len(workload.layers) <= SMALL:
        best = list(dict.fromkeys((*best, *ordered)))
    yield from attempt(Candidate(layout, schedule) for layout in best for schedule in others)
    if found:
        yield progress(finished=True)
