"""Which cards are cabled to which, and in which directions: the rule is in `bench.hardware.topology`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import isqrt

from bench.errors import InvalidPlan

PORTS = 4
"""Cables that a card has room for: as many as a BittWare 520N."""

Groups = tuple[tuple[int, ...], ...]
Pair = tuple[int, int]


def cabled_hops(name: str, fpgas: int, groups: Groups) -> list[Pair]:
    """The hops (from, to) that a topology's cables carry, each once; those inside groups come first.

    Raises InvalidPlan if a one-way ring needs more cables at a card than it has ports.
    """
    if name in ("ring", "ring-bidirectional"):
        hops = _rings(name, groups)
    else:
        hops = {"chain": _chain, "torus-2d": _torus, "fully-connected": _each_to_each}[name](fpgas)
    return list(dict.fromkeys(hops))


def two_way_rings(name: str, groups: Groups) -> bool:
    """Whether rings inside groups carry traffic in both directions (the rule's point 4)."""
    return name == "ring-bidirectional" or sum(len(group) > 2 for group in groups) > 1


def torus_shape(fpgas: int) -> Pair:
    """The most square factorisation (rows, columns) of ``fpgas``, rows <= columns.

    >>> torus_shape(8), torus_shape(16), torus_shape(7)
    ((2, 4), (4, 4), (1, 7))
    """
    rows = next(rows for rows in range(isqrt(fpgas), 0, -1) if fpgas % rows == 0)
    return rows, fpgas // rows


def _rings(name: str, groups: Groups) -> list[Pair]:
    two_way = two_way_rings(name, groups)
    inside = [pair for group in groups for pair in _closed(group, two_way and len(group) > 2)]
    across: list[Pair] = []
    for rank in range(max(map(len, groups))):
        across += _closed(tuple(group[rank % len(group)] for group in groups), False)
    if name == "ring":
        _check_ports(inside + across)
        return inside + across
    return inside + _as_ports_allow(inside, across)


def _as_ports_allow(cabled: Sequence[Pair], wanted: Sequence[Pair]) -> list[Pair]:
    """Both directions of the cables that are wanted, in order, until their cards have no port left."""
    cables = _cables(cabled)
    added: list[Pair] = []
    for a, b in wanted:
        if b in cables[a] or max(len(cables[a]), len(cables[b])) < PORTS:
            added += [(a, b), (b, a)]
            cables[a].add(b)
            cables[b].add(a)
    return added


def _closed(ring: Sequence[int], both_ways: bool) -> list[Pair]:
    """The hops around ``ring`` and, if ``both_ways``, back."""
    if len(ring) < 2:
        return []
    ahead = list(zip(ring, (*ring[1:], ring[0]), strict=True))
    return ahead + [(b, a) for a, b in ahead] if both_ways else ahead


def _chain(fpgas: int) -> list[Pair]:
    ahead = [(device, device + 1) for device in range(fpgas - 1)]
    return ahead + [(b, a) for a, b in ahead]


def _torus(fpgas: int) -> list[Pair]:
    rows, columns = torus_shape(fpgas)
    rings = [range(row * columns, (row + 1) * columns) for row in range(rows)]
    rings += [range(column, fpgas, columns) for column in range(columns)]
    return [pair for ring in rings for pair in _closed(ring, True)]


def _each_to_each(fpgas: int) -> list[Pair]:
    devices = range(fpgas)
    return [(a, b) for a in devices for b in devices if a != b]


def _check_ports(pairs: Iterable[Pair]) -> None:
    for device, others in sorted(_cables(pairs).items()):
        if len(others) > PORTS:
            raise InvalidPlan(
                f"the plan's groups need {len(others)} cables at device {device}; a card has {PORTS} ports"
            )


def _cables(pairs: Iterable[Pair]) -> dict[int, set[int]]:
    """Card -> those that it has a cable to, whichever way it carries traffic."""
    cables: dict[int, set[int]] = defaultdict(set)
    for a, b in pairs:
        cables[a].add(b)
        cables[b].add(a)
    return cables
