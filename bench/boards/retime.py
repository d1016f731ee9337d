"""One measured plan on candidates of its profile, each as fast as the emulator can be asked.

A plan's cycles depend on clock and link only through the whole cycles that a hop and each size of
message take. Candidates that agree in these, as most of a search do, are emulated once.
"""

from __future__ import annotations

import math
from typing import Any

from bench.boards.measured_points import Measured
from bench.evaluate import emulated_cycles
from bench.hardware.profile import Cluster, Profile
from bench.hardware.topology import routes
from bench.plans.lower import lower
from bench.plans.program import Unit


class Retimed:
    """The latencies of one point's plan, which stays the one that was measured."""

    def __init__(self, point: Measured) -> None:
        self._point = point
        program = lower(point.plan, point.workload, point.cluster)
        sent = [i for phase in program.phases for i in phase.instructions if i.unit is Unit.LINK]
        self._sizes = sorted({i.size_bytes for i in sent})
        links = routes(point.cluster, point.plan.groups).links if sent else ()
        self._factors = sorted({link.latency_factor for link in links})
        self._cycles: dict[Any, int] = {}

    def latency_s(self, profile: Profile) -> float:
        """On the same cluster of ``profile``, whose structure must be that of the point's own."""
        cluster = Cluster(
            profile, self._point.cluster.fpgas, self._point.cluster.topology, self._point.point.link
        )
        key = self._key(cluster)
        if key not in self._cycles:
            self._cycles[key] = emulated_cycles(self._point.workload, cluster, self._point.plan)
        return self._cycles[key] / (profile.clock_mhz * 1e6)

    def _key(self, cluster: Cluster) -> Any:
        """All that the cycles depend on; a hop's cycles as `bench.plans.transfers` counts them."""
        profile, link = cluster.profile, cluster.link
        per_ns = profile.clock_mhz / 1000.0
        hops = [math.ceil(link.latency_ns * factor * per_ns) for factor in self._factors]
        beats = [math.ceil(size / link.beat_bytes) * link.beat_bytes for size in self._sizes]
        sizes = [math.ceil(padded * link.ns_per_byte * per_ns) for padded in beats]
        clock = profile.clock_mhz if profile.external_memory else None  # weights stream in by the second
        return profile.overlay, clock, *hops, *sizes
