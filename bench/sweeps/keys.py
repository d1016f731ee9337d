"""What a point's result depends on, as a hash: the address under which it is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from bench import __version__
from bench.digest import source_digest, tools
from bench.errors import UserError
from bench.experiments import Limits, Point, read_profile, read_workload
from bench.hardware.files import make_cluster
from bench.partitioners.sources import find_source

SWEEP_ROOTS = ("sweeps/evaluate.py",)
"""What evaluates the points of a sweep, besides what evaluates any."""

LAYOUT = "1"
"""Of what is kept for a point; another one makes all keys different."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a point's result is kept: a folder, and the key in it."""

    partition: str
    key: bytes


@cache
def code_digest(partitioner: str) -> str:
    """A hash over the sources that a partitioner's rows in a sweep depend on."""
    return source_digest(partitioner, SWEEP_ROOTS)


def address(point: Point, limits: Limits, *, check: bool) -> Address:
    """The address of a point's result.

    It is a hash of the workload, all numbers of the cluster, the partitioner's source and parameters,
    the sources that evaluate it, the suite's version, and whether its numbers are checked; of a
    plug-in, its tools and the limits too. Not of the sweep that asks.
    """
    where = (point.profile, point.topology, point.link, point.fpgas)
    hashed = _common(point.workload, point.partitioner, point.parameters, where, check, limits).copy()
    hashed.update(repr(point.link_latency_ns).encode())
    return Address(partition(point.workload, point.partitioner), hashed.digest()[:16])


@lru_cache(maxsize=4096)
def partition(workload: str, partitioner: str) -> str:
    """The folder for results of a workload and a partitioner as it is now."""
    return f"{workload_digest(workload)[:12]}-{find_source(partitioner).name}-{code_digest(partitioner)[:8]}"


@lru_cache(maxsize=4096)
def workload_digest(workload: str) -> str:
    """A hash over a workload's name and graph; where its numbers come from does not count."""
    value = replace(read_workload(workload), source="", assumptions=())
    return hashlib.sha256(repr(value).encode()).hexdigest()


@lru_cache(maxsize=65536)
def _common(
    workload: str,
    partitioner: str,
    parameters: str,
    where: tuple[str, str, str, int],
    check: bool,
    limits: Limits,
) -> hashlib._Hash:
    """The hash of all but the link's latency."""
    isolated = find_source(partitioner).isolated
    parts = [
        LAYOUT,
        __version__,
        workload_digest(workload),
        find_source(partitioner).name,
        code_digest(partitioner),
        parameters,
        _hardware(*where),
        repr(check or isolated),
        *tools(partitioner),
        *([repr(limits)] if isolated else []),
        "",
    ]
    return hashlib.sha256("\n".join(parts).encode())


@lru_cache(maxsize=65536)
def _hardware(profile: str, topology: str, link: str, fpgas: int) -> str:
    """All numbers of a cluster but the latency of its link; what no topology carries by its names."""
    try:
        cluster = make_cluster(read_profile(profile), fpgas, topology, link, 0.0)
    except UserError as error:
        return f"{error}"
    return repr(replace(cluster, profile=replace(cluster.profile, summary="", status="")))
