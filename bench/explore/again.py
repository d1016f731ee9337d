"""A break-even narrowed down: both sides timed again at link latencies between the swept ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.errors import UserError
from bench.experiments import Point
from bench.explore.break_even import SEPARATOR, Sample, Verdict, judge
from bench.sweeps.evaluate import evaluate_group
from bench.sweeps.group import Group, shares

PIECES, PIECES_OF_A_SEARCH = 32, 2
"""That a bracket is cut into; fewer where a partitioner looks at the links, so that each is a new search."""


def narrow(row: dict[str, Any]) -> Verdict:
    """What timing says between ``below_ns`` and ``above_ns`` of a row of `break_even`.

    Both sides are planned and emulated by the partitioners that are fastest at the swept latencies. Raises
    UserError where one of them has no result, as one that is not on this machine.
    """
    names = [text.partition(" ")[0] for side in ("by", "over_by") for text in row[side].split(SEPARATOR)]
    pieces = PIECES if all(shares(name) for name in names) else PIECES_OF_A_SEARCH
    latencies = np.linspace(row["below_ns"], row["above_ns"], pieces + 1).tolist()
    many = _fastest_s(row, row["fpgas"], row["by"], latencies)
    few = _fastest_s(row, row["over"], row["over_by"], latencies)
    return judge([Sample(*one) for one in zip(latencies, many, few, strict=True)])


def _fastest_s(row: dict[str, Any], fpgas: int, partitioners: str, latencies: list[float]) -> list[float]:
    """The least latency in s at each of ``latencies`` (ns)."""
    found = []
    for text in partitioners.split(SEPARATOR):
        name, _, parameters = text.partition(" ")
        points = tuple(
            Point(
                row["workload"],
                row["profile"],
                row["topology"],
                row["link"],
                at,
                fpgas,
                name,
                parameters or "{}",
            )
            for at in latencies
        )
        outcomes = evaluate_group(Group(points, tuple(range(len(points))), check=False))["rows"]
        for outcome in outcomes:
            if outcome["latency_s"] is None:
                raise UserError(f"{text} on {fpgas} FPGAs cannot be timed again: {outcome['reason']}")
        found.append([float(outcome["latency_s"]) for outcome in outcomes])
    return [min(each) for each in zip(*found, strict=True)]
