"""Whether something runs on a profile, or with a workload, of the user's: rows on a few FPGAs."""

from __future__ import annotations

from pathlib import Path

from bench.conformance.battery import FOR_PARAMETERS, WORKLOADS
from bench.conformance.handed_in import PROFILE
from bench.conformance.judge import ANSWERS, EMULATED, NUMBERS, VALID, judge
from bench.conformance.report import Finding
from bench.conformance.trial import try_points
from bench.experiments import Limits, Point, read_profile
from bench.hardware.files import make_cluster
from bench.workloads.catalogue import workloads_in_file

PARTITIONER, TOPOLOGY = "row-wise", "ring"

FPGAS = (1, 2, 3)

TOLD = (ANSWERS, VALID, EMULATED, NUMBERS)
"""Findings that say something of a profile or a workload also where they passed."""

FIRST = 8
"""Workloads of a file that are tried; there may be hundreds."""


def try_profile(path: Path, limits: Limits) -> tuple[int, list[Finding]]:
    """How many points were tried on clusters of the profile, and what came of them."""
    return _try([_point(f"{WORKLOADS}:{FOR_PARAMETERS[0]}", str(path), fpgas) for fpgas in FPGAS], limits)


def try_workloads(path: Path, limits: Limits) -> tuple[int, list[Finding]]:
    """The same for the first workloads of a file, on the paper's overlay."""
    names = list(workloads_in_file(path))[:FIRST]
    return _try([_point(f"{path}:{name}", PROFILE, FPGAS[-1]) for name in names], limits)


def _point(workload: str, profile: str, fpgas: int) -> Point:
    link = make_cluster(read_profile(profile), fpgas, TOPOLOGY).link
    return Point(workload, profile, TOPOLOGY, link.name, link.latency_ns, fpgas, PARTITIONER)


def _try(points: list[Point], limits: Limits) -> tuple[int, list[Finding]]:
    outcomes = try_points({PARTITIONER: points}, limits)[PARTITIONER]
    return len(outcomes), [one for one in judge(outcomes, limits) if one.name in TOLD or one.problems]
