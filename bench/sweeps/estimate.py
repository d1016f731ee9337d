"""What points cost, roughly: to make jobs of a useful length, and to say how long a sweep takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import prod

from bench.experiments import read_workload
from bench.partitioners.sources import find_source
from bench.sweeps.expand import Unit
from bench.sweeps.group import shares

POINT_S = 1.5e-3
"""Processor seconds of a point with few messages: its row, its bounds, its timing."""

GROUP_S = 6e-3
"""Of a group, for its plan and program."""

CHECK_S = 0.03
"""Of a plan whose numbers are checked."""

MESSAGES = {"row-wise": 1.0, "column-wise": 2.0, "full-dac20": 1.0}
"""Partitioners whose messages grow with the square of the number of FPGAs, in units of row-wise."""

LOWER_S = 9e-6
"""To lower a message, of each kind of layer."""

TIME_S = 0.35e-6
"""To time a message of each layer once."""

OTHER_S = 0.5
"""Of a point whose plan is searched for, or made by a plug-in."""

START_S = 2.0
"""To start a job: the interpreter, its imports, a worker process."""


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a group, and of each of its points besides."""

    group_s: float
    point_s: float


@cache
def cost(workload: str, partitioner: str, fpgas: int, checked: bool) -> Cost:
    """What a group of points costs; measured values, which depend on the machine."""
    if not shares(partitioner):
        return Cost(0.0, OTHER_S)
    layers = read_workload(workload).layers
    kinds = len({(layer.cell, layer.hidden_size, layer.input_size) for layer in layers})
    squared = MESSAGES.get(find_source(partitioner).name, 0.0) * fpgas**2
    group_s = GROUP_S + LOWER_S * squared * kinds + (CHECK_S if checked else 0.0)
    return Cost(group_s, POINT_S + TIME_S * squared * len(layers))


def unit_seconds(unit: Unit, check_up_to_fpgas: int) -> float:
    """Processor seconds of all points of a unit."""
    total = 0.0
    for (fpgas, reference), points in _members(unit.inner).items():
        one = cost(unit.workload, reference, fpgas, fpgas <= check_up_to_fpgas)
        total += one.group_s + one.point_s * points
    return total


@cache
def _members(
    inner: tuple[tuple[tuple[str, ...], tuple[tuple[object, ...], ...]], ...],
) -> dict[tuple[int, str], int]:
    """(FPGAs, partitioner) -> points, without making the product of blocks that have neither."""
    others, named = 1, []
    for axes, rows in inner:
        if "fpgas" in axes or "partitioner" in axes:
            named.append((axes, rows))
        else:
            others *= len(rows)
    found: Counter[tuple[int, str]] = Counter({(0, ""): others})
    for axes, rows in named:
        grown: Counter[tuple[int, str]] = Counter()
        parts = Counter(
            (
                int(str(row[axes.index("fpgas")])) if "fpgas" in axes else 0,
                str(row[axes.index("partitioner")][0]) if "partitioner" in axes else "",  # type: ignore[index]
            )
            for row in rows
        )
        for (fpgas, reference), count in found.items():
            for (more, other), times in parts.items():
                grown[fpgas or more, reference or other] += count * times
        found = grown
    assert sum(found.values()) == prod(len(rows) for _, rows in inner)
    return dict(found)
