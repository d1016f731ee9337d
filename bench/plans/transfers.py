"""Transfers: messages hop by hop over the topology's routes, and sums made on the way.

A message starts when everything it carries is complete. The hops of one exchange are
collected and appended in the order in which links would see them: those that can start
first, first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from bench.hardware.topology import Link
from bench.plans.operations import AddSums, Move, StageRows
from bench.plans.plan import Range
from bench.plans.program import Description, Fields, Operations, Start, Unit, timing
from bench.plans.setting import Setting
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import Part, Parts

NO_GROUP = -1
"""The group of a hop that no device group's time step waits for."""

AddVector = Callable[[Key, int, list[Need], Operations], None]
"""Appends the vector instruction that adds what has arrived: its key, device, needs and what it does."""


class Rows(NamedTuple):
    """A row range of one of the layer's stages."""

    stage: str
    rows: Range

    def of(self, layer: str) -> StageRows:
        """The rows as a program names them."""
        return StageRows(layer, self.stage, self.rows)


Carried = tuple[Part | Rows, ...]
"""What a message carries."""


class Exchange:
    """The messages of one layer's exchange; `send` appends them to the stream."""

    def __init__(self, setting: Setting, stream: Stream) -> None:
        self._topology = setting.topology
        self._group_of = setting.topology.group_of
        self._stream = stream
        self._collected: list[tuple[int, Callable[[], None]]] = []

    def multicast(
        self,
        source: int,
        arrivals: dict[int, Key],
        needs: Sequence[Need],
        size_bytes: int,
        what: str,
        does: Operations,
        lead: int = 0,
    ) -> None:
        """One message along the tree of routes to the devices in ``arrivals``, which has their keys.

        It is for the time step ``lead`` steps ahead.
        """
        links, stream = self._topology.links, self._stream
        there: list[Key] = []
        for number, before, level, inside in self._topology.multicast_tree(source, tuple(arrivals)):
            link = links[number]
            key = arrivals.get(link.destination)
            if key is None:
                key = stream.new()
            there.append(key)
            wait = (stream.need(there[before]),) if before >= 0 else needs
            fields = self._fields(link, size_bytes, level, lead, inside)
            append = partial(stream.append, key, wait, fields, _message, link, what, size_bytes, does)
            self._collected.append((level, append))

    def reduce(
        self,
        owner: int,
        senders: dict[int, Parts],
        needs: dict[int, list[Need]],
        size_bytes: int,
        what: str,
        add: AddVector,
    ) -> list[tuple[Key, Parts]]:
        """Partial sums on their way to ``owner``, each device adding what it receives to its own.

        Returns what arrives at ``owner``: keys of messages, with the sums they carry. A node that
        is no device (a switch, a host) adds nothing: it forwards each message.
        """
        links = self._topology.links
        towards: dict[int, int] = {}
        distance: dict[int, int] = {}
        for sender in senders:
            path = self._topology.route(sender, owner)
            for hop, number in enumerate(path):
                towards[links[number].source] = number
                distance[links[number].source] = len(path) - hop
        arrived: dict[int, list[tuple[Key, Parts]]] = defaultdict(list)
        level: dict[int, int] = defaultdict(int)
        for node in sorted(towards, key=lambda n: (-distance[n], n)):
            own = [(needs[node], senders[node])] if node in senders else []
            out = own + [([self._stream.need(key)], parts) for key, parts in arrived[node]]
            if len(out) > 1 and node in self._group_of:
                added, total = self._stream.new(), add_up([parts for _, parts in out])
                does = partial(adds, [parts for _, parts in out], total)
                wait = [need for waits, _ in reversed(out) for need in waits]
                self._collected.append((level[node], partial(add, added, node, wait, does)))
                out = [([self._stream.need(added)], total)]
            link = links[towards[node]]
            for wait, parts in out:
                key = self._stream.new()
                fields = self._fields(link, size_bytes, level[node], 0, True)
                message = (_message, link, what, size_bytes, partial(carried, parts))
                self._collected.append(
                    (level[node], partial(self._stream.append, key, wait, fields, *message))
                )
                arrived[link.destination].append((key, parts))
            level[link.destination] = max(level[link.destination], level[node] + 1)
        return arrived[owner]

    def message(
        self,
        source: int,
        target: int,
        arrival: Key,
        needs: Sequence[Need],
        size_bytes: int,
        what: str,
        does: Operations,
        level: int,
        *,
        inside: bool,
        holds: bool,
    ) -> int:
        """One message along the route to ``target``, where it has the key ``arrival``.

        ``level``: behind how many hops of this exchange it starts; returns that of its arrival.
        ``inside``: as for a hop; ``holds``: for the first one.
        """
        for number in self._topology.route(source, target):
            link = self._topology.links[number]
            key = arrival if link.destination == target else self._stream.new()
            fields = self._fields(link, size_bytes, level, 0, inside, holds=holds)
            message = (_message, link, what, size_bytes, does)
            self.collect(level, partial(self._stream.append, key, needs, fields, *message))
            needs, holds = (self._stream.need(key),), False
            level += 1
        return level

    def collect(self, level: int, append: Callable[[], None]) -> None:
        """Let ``append`` add an instruction when what starts behind ``level`` hops is appended."""
        self._collected.append((level, append))

    def send(self) -> None:
        """Append what was collected to the stream."""
        for _, append in sorted(self._collected, key=lambda item: item[0]):
            append()
        self._collected.clear()

    def _fields(
        self, link: Link, size_bytes: int, level: int, lead: int, inside: bool, *, holds: bool = False
    ) -> Fields:
        """One hop, in bytes and latencies of the link (`bench.plans.wires`).

        ``inside``: for the layer's own group, whose time step ends with it.

        A message to another group holds the sender's step up until it has arrived one hop on: the
        first hop of an exchange, and any other that ``holds``.
        """
        group_of = self._group_of
        sender = group_of.get(link.source, NO_GROUP) if inside or holds or not level else NO_GROUP
        receiver = group_of.get(link.destination, NO_GROUP) if inside else NO_GROUP
        return (
            Unit.LINK, link.server, 1, size_bytes, link.latency_factor, -lead, 0, sender, receiver,
            Start.NOT_FIRST, 0, 1, *timing(1, size_bytes, None),
        )  # fmt: skip


def _message(link: Link, what: str, size_bytes: int, does: Operations, layer: str) -> Description:
    return Description(f"send {what}", link.source, link.destination, 0, size_bytes, None, does(layer))


def carried(what: Carried, layer: str) -> tuple[Move]:
    """What a message does that carries these rows."""
    return (Move(tuple(rows.of(layer) for rows in what)),)


def adds(terms: list[Parts], total: Parts, layer: str) -> tuple[AddSums, ...]:
    """What an instruction does that adds ``terms`` up."""
    return tuple(
        AddSums(tuple(parts[n].of(layer) for parts in terms), part.of(layer).register)
        for n, part in enumerate(total)
    )


def add_up(terms: list[Parts]) -> Parts:
    """The sums that adding ``terms``, which are alike, makes."""
    return tuple(
        Part(same[0].sum, tuple(sorted(origin for part in same for origin in part.origins)), same[0].rows)
        for same in zip(*terms, strict=True)
    )
