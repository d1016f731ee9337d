"""From the ids of a layer's input to what feeds it: which layers, in which columns, at which time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bench.workloads.model import Combine
from bench.workloads.onnx_import.loops import unrolled
from bench.workloads.onnx_import.recurrent import Recurrent
from bench.workloads.onnx_import.sources import Source, Sources
from bench.workloads.onnx_import.values import TRACE_LIMIT, Ids


@dataclass(frozen=True)
class Link:
    """One input of a layer: a direction of a node, or data from outside (``node`` None).

    ``size`` elements, from ``reduction`` consecutive steps of the producer, ``joined`` side by side
    or by a sum.
    """

    node: int | None
    way: int
    size: int
    reduction: int = 1
    joined: Combine = "concat"


@dataclass(frozen=True)
class Connection:
    """All inputs of a node.

    ``columns``: which column of X stands at each place of the inputs, one after the other.
    ``turned``: X is in reversed order of time, so a forward node works backwards.
    """

    links: tuple[Link, ...]
    combine: Combine
    columns: tuple[int, ...]
    turned: bool = False

    @property
    def outside(self) -> tuple[int, ...]:
        """The columns of X that come from outside, in order."""
        if self.combine == "sum":
            return self.columns if any(link.node is None for link in self.links) else ()
        place, found = 0, list[int]()
        for link in self.links:
            found += self.columns[place : place + link.size] if link.node is None else ()
            place += link.size
        return tuple(found)


@dataclass(frozen=True)
class _Part:
    """The columns that one source fills, in the order in which a layer's feed has them.

    ``phase``: which of several steps that make one they come from, None for all of them.
    """

    link: Link
    columns: tuple[int, ...]
    turned: frozenset[bool]
    phase: int | None = None


_ANY = frozenset({False, True})


def external(recurrent: Recurrent) -> Connection:
    """All of X comes from outside."""
    size = recurrent.input_size
    return Connection((Link(None, 0, size),), "concat", tuple(range(size)))


def connect(
    recurrent: Recurrent, sources: Sources, found: list[Recurrent], turned: list[bool]
) -> Connection | None:
    """What feeds a node, if nothing but data movements and sums are in between; None otherwise.

    ``turned``: for each node found before, whether it works in reversed order of time.
    """
    trace = recurrent.input(0).trace
    steps, batch = recurrent.steps, recurrent.batch
    if trace is None or not isinstance(steps, int) or not isinstance(batch, int):
        return None
    trips = tuple(loop.trips for loop in recurrent.loops if isinstance(loop.trips, int))
    total = steps * math.prod(trips)
    if total * batch * recurrent.input_size > TRACE_LIMIT:
        return None
    terms: list[list[_Part]] = []
    for term in trace:
        ids = unrolled(term, trips)
        if recurrent.layout:
            ids = ids.swapaxes(-3, -2)
        parts = _parts(ids.reshape(total, batch, -1), sources, found, turned, recurrent)
        if parts is None:
            return None
        terms.append(parts)
    whole = _summed(terms)
    return None if whole is None else _joined(whole, recurrent.input_size)


def _summed(terms: list[list[_Part]]) -> list[list[_Part]] | None:
    """The terms, those that are steps of the same producers as one: a sum over time. None if steps lack."""
    groups: dict[tuple[object, ...], list[list[_Part]]] = {}
    for parts in terms:
        alike = tuple((part.link, part.columns, part.turned, part.phase is None) for part in parts)
        groups.setdefault(alike, []).append(parts)
    result: list[list[_Part]] = []
    for members in groups.values():
        phases = [{part.phase for part in parts} for parts in members]
        if phases[0] == {None}:
            result += members
            continue
        seen = sorted(phase for own in phases for phase in own if phase is not None and len(own) == 1)
        links = [part.link for part in members[0]]
        if len(seen) != len(members) or any(seen != list(range(link.reduction)) for link in links):
            return None
        merged = [replace(part, link=replace(part.link, joined="sum"), phase=None) for part in members[0]]
        result.append(merged)
    return result


def _joined(terms: list[list[_Part]], width: int) -> Connection | None:
    """Terms that are sums of whole inputs, or one term of inputs side by side."""
    every = [part for parts in terms for part in parts]
    ways = frozenset(_ANY).intersection(*(part.turned for part in every))
    reductions = {(part.link.reduction, part.link.joined) for part in every if part.link.node is not None}
    if not ways or len(reductions) > 1:
        return None
    back = False not in ways
    if len(terms) == 1:
        columns = tuple(column for part in terms[0] for column in part.columns)
        return Connection(tuple(part.link for part in every), "concat", columns, back)
    whole = tuple(range(width))
    if any(len(parts) != 1 or parts[0].columns != whole for parts in terms):
        return None
    links = [part.link for part in every if part.link.node is not None]
    if len(links) < len(every):  # what comes from outside is added up there
        links.append(Link(None, 0, width))
    return Connection(tuple(links), "sum" if len(links) > 1 else "concat", whole, back)


def _parts(
    ids: Ids, sources: Sources, found: list[Recurrent], turned: list[bool], consumer: Recurrent
) -> list[_Part] | None:
    """The sources of one term, ids as (steps, batch, columns), by their first column."""
    nowhere = ids[0, 0] < 0
    if ((ids < 0) != nowhere).any():
        return None
    numbers = np.where(nowhere, -1, sources.of(np.maximum(ids[0, 0], 0)))
    outside: list[int] = np.flatnonzero(nowhere).tolist()
    ways = _ANY
    parts: list[_Part] = []
    for number in dict.fromkeys(numbers[~nowhere].tolist()):
        source, columns = sources.made[number], np.flatnonzero(numbers == number)
        if source.node is None:
            ways &= _outside_ways(ids[:, :, columns] - source.base, source)
            outside += columns.tolist()
            continue
        producer = found[source.node]
        if producer.used not in (None, producer.steps) and producer.used != consumer.used:
            return None
        part = _part(ids[:, :, columns] - source.base, columns, source, turned[source.node])
        if part is None:
            return None
        parts.append(part)
    if outside:
        parts.append(_Part(Link(None, 0, len(outside)), tuple(sorted(outside)), ways))
    return sorted(parts, key=lambda part: min(part.columns))


def _outside_ways(local: Ids, source: Source) -> frozenset[bool]:
    """Whether data from outside arrives in order of time, or reversed."""
    times = np.arange(len(local))[:, None, None]
    straight = bool((local == times).all())
    back = source.steps == len(local) and bool((local == len(local) - 1 - times).all())
    return frozenset({False} if straight else set()) | frozenset({True} if back else set()) or frozenset(
        {False}
    )


def _part(local: Ids, columns: Ids, source: Source, turned: bool) -> _Part | None:
    """One layer's columns, if they hold all of its h of ``reduction`` steps each."""
    steps, batch, _ = local.shape
    size = source.steps * source.batch * source.hidden
    if (local < 0).any() or (local >= size).any() or source.batch != batch or source.steps % steps:
        return None
    reduction = source.steps // steps
    times, rest = np.divmod(local, batch * source.hidden)
    items, elements = np.divmod(rest, source.hidden)
    if (items != np.arange(batch)[:, None]).any() or (elements != elements[0, 0]).any():
        return None
    ways = set()
    place = times[0, 0]
    for back in (True, False):
        order = np.arange(steps)[::-1] if back else np.arange(steps)
        first = times[-1 if back else 0, 0]
        if (times == order[:, None, None] * reduction + first).all() and (first < reduction).all():
            ways.add(back != turned)
            place = first
    if not ways:
        return None
    place = reduction - 1 - place if turned else place
    wanted = place * source.hidden + elements[0, 0]
    phase = None if len(columns) > source.hidden else int(place[0])
    first = 0 if phase is None else phase * source.hidden
    if sorted(wanted.tolist()) != list(range(first, first + len(columns))) or len(columns) % source.hidden:
        return None
    if phase is None and len(columns) != reduction * source.hidden:
        return None
    link = Link(source.node, source.way, len(columns), reduction)
    kept = None if reduction == 1 else phase
    return _Part(link, tuple(columns[np.argsort(wanted)].tolist()), frozenset(ways), kept)
