"""Messages from device to device: what goes over a hub goes straight on a machine of boards.

A switch or a host is a place of its own in a program (`bench.hardware.topology.HUB`), where a message
arrives once and leaves to each receiver.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from bench.boards.sums import Stamp
from bench.hardware.topology import HUB
from bench.plans.operations import Move, Register, StageRows, SumRows
from bench.plans.outline import overlap
from bench.plans.plan import Range
from bench.plans.program import Phase

Vector = Register | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Hop:
    """Rows that one device sends to another."""

    source: int
    target: int
    what: SumRows | StageRows


def find_hops(phase: Phase) -> dict[Stamp, list[Hop]]:
    """The hops of every move, under its stamp; none for what goes to a hub: it comes when it leaves there.

    Raises ValueError if something leaves a hub that has not arrived there.
    """
    arrived = _arrivals(phase)
    found: dict[Stamp, list[Hop]] = {}
    for stamp, source, target, does in _moves(phase):
        hops = []
        for what in does.carries:
            if source != HUB:
                hops += [Hop(source, target, what)] if target != HUB else []
                continue
            for rows, device in _sources(what, stamp, arrived[_vector(what)]):
                hops.append(Hop(device, target, replace(what, rows=rows)))
        found[stamp] = [hop for hop in hops if hop.source != hop.target]
    return found


def _moves(phase: Phase) -> list[tuple[Stamp, int, int, Move]]:
    return [
        ((now.first, number, place), now.device, now.to_device, does)
        for number, now in enumerate(phase.instructions)
        for place, does in enumerate(now.does)
        if isinstance(does, Move)
    ]


def _arrivals(phase: Phase) -> dict[Vector, list[tuple[Stamp, Range, int]]]:
    """What has come to a hub: when, which rows, and from which device."""
    found: dict[Vector, list[tuple[Stamp, Range, int]]] = defaultdict(list)
    for stamp, source, target, does in _moves(phase):
        if target == HUB:
            for what in does.carries:
                found[_vector(what)].append((stamp, what.rows, source))
    return {vector: sorted(arrivals) for vector, arrivals in found.items()}


def _sources(
    what: SumRows | StageRows, stamp: Stamp, arrivals: list[tuple[Stamp, Range, int]]
) -> list[tuple[Range, int]]:
    """The rows in pieces, each with the device that it came from last."""
    found: list[tuple[Range, int]] = []
    missing = [what.rows]
    for when, rows, device in reversed(arrivals):
        if when > stamp:
            continue
        left = []
        for piece in missing:
            part = overlap(piece, rows)
            if part is None:
                left.append(piece)
                continue
            found.append((part, device))
            left += [end for end in ((piece[0], part[0]), (part[1], piece[1])) if end[0] < end[1]]
        missing = left
    if missing:
        raise ValueError(f"rows {missing[0]} of {_vector(what)} leave a hub where they have not arrived")
    return sorted(found)


def _vector(what: SumRows | StageRows) -> Vector:
    return what.register if isinstance(what, SumRows) else (what.layer, what.stage)
