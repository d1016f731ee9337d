"""What a partitioner is tried on: small workloads of every structure, on clusters of awkward sizes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from bench.experiments import Point, canonical, read_profile
from bench.hardware.files import make_cluster
from bench.partitioners.choices import SEED
from bench.partitioners.parameters import Parameter, Scalar
from bench.partitioners.sources import Source
from bench.workloads.catalogue import workloads_in_file

WORKLOADS = Path(__file__).with_name("battery.yaml")


class Asked(NamedTuple):
    """A kind of cluster of the battery."""

    fpgas: int
    topology: str
    profile: str


CLUSTERS = (
    Asked(1, "ring", "s10-gx2800-dac20"),
    Asked(2, "ring", "s10-gx2800-dac20"),
    Asked(3, "ring-bidirectional", "s10-gx2800-6t400d"),
    Asked(4, "torus-2d", "brainwave-s10"),
    Asked(5, "switch", "s10-nx2100"),
    Asked(7, "chain", "s10-gx2800-6t400d"),
    Asked(8, "host-star", "s10-gx2800-dac20"),
    Asked(13, "ring", "s10-gx2800-dac20"),
)
"""One FPGA, an even and an odd number, primes, and more FPGAs than some layers have rows. The formats are
integers, but for one profile, so that a plan's numbers must agree in every bit."""

FOR_PARAMETERS = ("stack", Asked(3, "ring-bidirectional", "s10-gx2800-6t400d"))
"""Where parameters are tried: several cells and layers, and a number that divides none of their sizes."""


def points(source: Source, parameters: dict[str, Scalar], every: int = 1) -> list[Point]:
    """The points of the battery with these parameters, then some with others of its parameters.

    ``every`` n: each workload on every nth cluster alone, the next workload on the ones beside them.
    The others are both values of each bool, the ends of each range, and seeds 0 and 1, one at a time.
    """
    chosen = [
        _point(source, name, asked, parameters)
        for number, name in enumerate(workload_names())
        for place, asked in enumerate(CLUSTERS)
        if (number + place) % every == 0
    ]
    workload, asked = FOR_PARAMETERS
    for parameter in source.interface.parameters.values():
        chosen += [
            _point(source, workload, asked, parameters | {parameter.name: value})
            for value in _extremes(parameter)
        ]
    return list(dict.fromkeys(chosen))


@lru_cache(maxsize=1)
def workload_names() -> tuple[str, ...]:
    """Names of the battery's workloads, without their family."""
    return tuple(name.partition("/")[2] for name in workloads_in_file(WORKLOADS))


def describe_point(point: Point) -> str:
    """Workload, cluster and parameters in a few words."""
    workload = point.workload.rpartition(":")[2] if str(WORKLOADS) in point.workload else point.workload
    given = "" if point.parameters == "{}" else f", {point.parameters}"
    return f"{workload} on {point.fpgas} x {point.profile}, {point.topology}{given}"


def _extremes(parameter: Parameter) -> list[Scalar]:
    if parameter.name == SEED:
        return [0, 1]
    if parameter.type is bool:
        return [False, True]
    if parameter.range is None:
        return []
    return [parameter.type(end) for end in (parameter.range.least, parameter.range.most)]


def _point(source: Source, workload: str, asked: Asked, parameters: dict[str, Scalar]) -> Point:
    link = make_cluster(read_profile(asked.profile), asked.fpgas, asked.topology).link
    return Point(
        f"{WORKLOADS}:{workload}", asked.profile, asked.topology, link.name, link.latency_ns, asked.fpgas,
        source.reference, canonical(parameters),
    )  # fmt: skip
