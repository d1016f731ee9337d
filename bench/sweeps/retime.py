"""A lowered program timed again under other link latencies, bandwidths and clocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.emulator.timing import cycles_of
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.lower import loop_bodies
from bench.plans.plan import Plan
from bench.plans.program import INTERVAL, LAST_RESULT, LATENCY, RESULT, UNIT, Ints, PhaseArrays, Unit
from bench.sweeps.group import SLOW
from bench.workloads.model import Workload


@dataclass(frozen=True, eq=False)
class Wire:
    """The messages of a phase: their instructions, bytes in whole beats, and shares of the link's latency."""

    rows: Ints
    bytes: NDArray[np.float64]
    factors: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Timeable:
    """A program whose links are yet to be told. Its arrays are written to by each timing."""

    phases: tuple[PhaseArrays, ...]
    wires: tuple[Wire, ...]
    sizes: tuple[int, int, int]

    def cycles(self, cluster: Cluster) -> int:
        """Cycles on ``cluster``, which differs in link and clock from the one that it was lowered for."""
        link, per_ns = cluster.link, cluster.profile.clock_mhz / 1000.0
        for phase, wire in zip(self.phases, self.wires, strict=True):
            # the same products in the same order as in bench.plans.transfers, so the same roundings
            _set(phase, wire, np.ceil(wire.bytes * link.ns_per_byte * per_ns), INTERVAL, RESULT, LAST_RESULT)
            _set(phase, wire, np.ceil(link.latency_ns * wire.factors * per_ns), LATENCY)
        return cycles_of(self.phases, self.sizes, cluster.profile.overlay)

    def cycles_without_links(self, cluster: Cluster) -> int:
        """Cycles if links took no time."""
        for phase, wire in zip(self.phases, self.wires, strict=True):
            _set(phase, wire, np.zeros(len(wire.rows)), INTERVAL, RESULT, LAST_RESULT, LATENCY)
        return cycles_of(self.phases, self.sizes, cluster.profile.overlay)


def _set(phase: PhaseArrays, wire: Wire, values: NDArray[np.float64], *columns: int) -> None:
    cycles = values.astype(np.int64)
    for column in columns:
        phase.fields[wire.rows, column] = cycles


def lower_once(plan: Plan, workload: Workload, cluster: Cluster) -> Timeable:
    """The program of ``plan``, which has no copies; ``cluster`` is a `bench.sweeps.group.timeless` one."""
    phases = tuple(body.arrays for body in loop_bodies(plan, workload, cluster))
    cycles = SLOW * (cluster.profile.clock_mhz / 1000.0)
    wires = []
    for phase in phases:
        rows = np.flatnonzero(phase.fields[:, UNIT] == Unit.LINK)
        # rounded up to whole cycles, which are a tiny part of a byte
        wires.append(
            Wire(
                rows,
                np.rint(phase.fields[rows, INTERVAL] / cycles),
                np.rint(phase.fields[rows, LATENCY] / cycles),
            )
        )
    sizes = (cluster.fpgas, routes(cluster, plan.groups).servers, len(plan.groups))
    return Timeable(phases, tuple(wires), sizes)
