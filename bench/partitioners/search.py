"""The search of `full`: layouts by their floors, then the best ones with all schedules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
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
    """
    first, *others = schedules(workload, ideas)
    uneven = (uneven_layouts(workload, cluster, allowed) for allowed in (ideas, ideas - {"helpers"}))
    space = dict.fromkeys(chain(layouts(workload, cluster.fpgas, ideas), *uneven))
    floors: dict[Layout, int] = {}
    for layout in space:
        with suppress(InvalidPlan):  # a ring that cards have no ports for
            floors[layout] = floor(layout, workload, cluster)
    found: dict[Candidate, int] = {}

    def attempt(candidates: Iterable[Candidate]) -> Iterator[Progress]:
        for candidate in candidates:
            least = min(found.values(), default=None)
            if candidate in found or (least is not None and floors[candidate.layout] >= least):
                continue
            try:
                found[candidate] = emulated_cycles(workload, cluster, build(workload, candidate))
            except DoesNotFit:
                continue
            if least is None or found[candidate] < least:
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
