"""Matrix, operation and layer level searched together; the fastest plan by emulation wins."""

from __future__ import annotations

from functools import lru_cache

from bench.bounds import fewest_devices_for_memory
from bench.errors import Unsupported, UserError
from bench.hardware.profile import Cluster
from bench.partitioners.search import Progress, search
from bench.partitioners.space import ALL, IDEAS, build
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster, *, only: str = "", without: str = "") -> Plan:
    """Search device groups per layer, splits inside a group, and schedules (`bench.partitioners.search`).

    Devices may be left idle. For ablations, ``only`` names the ideas that may be used, ``without`` those
    that may not (`bench.partitioners.space.IDEAS`, with + between several). Raises Unsupported if
    nothing fits the memory.
    """
    least = fewest_devices_for_memory(workload, cluster)
    if least > cluster.fpgas:
        raise Unsupported(f"the weights need {least} FPGAs at least; the cluster has {cluster.fpgas}")
    found = _finished(workload, cluster, ideas(only, without))
    if found is None:
        raise Unsupported("no plan of the search space fits the devices' memory")
    return build(workload, found.best, found.notes)


def ideas(only: str, without: str) -> frozenset[str]:
    """The ideas that two such parameters leave; UserError for a name that is none."""
    allowed = _named("only", only) if only else ALL
    return allowed - _named("without", without)


def _named(parameter: str, text: str) -> frozenset[str]:
    named = frozenset(idea.strip() for idea in text.split("+") if idea.strip())
    for idea in sorted(named - ALL):
        raise UserError(
            f"full: {parameter}: {idea!r} is no idea of the search; there are: {', '.join(IDEAS)}"
        )
    return named


@lru_cache(maxsize=512)
def _finished(workload: Workload, cluster: Cluster, allowed: frozenset[str]) -> Progress | None:
    """The end of the search, or None if nothing fits."""
    steps = list(search(workload, cluster, allowed))
    return steps[-1] if steps else None
