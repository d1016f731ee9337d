"""Transfers: messages hop by hop over the topology's routes, and sums made on the way.

A message starts when everything it carries is complete. The hops of one exchange are
collected and appended in the order in which links would see them: those that can start
first, first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology
from bench.plans.program import Instruction, Start, Unit
from bench.plans.stream import Key, Need, Stream
from bench.workloads.model import Layer

NO_GROUP = -1
"""The group of a hop that no device group's time step waits for."""

AddVector = Callable[[Key, int, list[Need]], None]
"""Appends the vector instruction that adds what has arrived: its key, its device, its needs."""


class Exchange:
    """The messages of one layer's exchange; `send` appends them to the stream."""

    def __init__(
        self,
        layer: Layer,
        skew: int,
        cluster: Cluster,
        topology: Topology,
        group_of: dict[int, int],
        stream: Stream,
    ) -> None:
        self._layer = layer
        self._skew = skew
        self._wire = cluster.link
        self._per_ns = cluster.profile.clock_mhz / 1000.0
        self._topology = topology
        self._group_of = group_of
        self._stream = stream
        self._collected: list[tuple[int, Callable[[], None]]] = []

    def multicast(
        self, tag: Key, source: int, targets: tuple[int, ...], needs: list[Need], size_bytes: int, what: str
    ) -> None:
        """One message along the tree of routes to ``targets``; its arrivals get the keys (*tag, device)."""
        links = self._topology.links
        home = self._group_of.get(source)
        inside = {
            links[link].destination
            for target in targets
            if self._group_of.get(target) == home
            for link in self._topology.route(source, target)
        }
        tree = self._topology.multicast_tree(source, targets)
        levels: list[int] = []
        for link, parent in tree:
            before = needs
            if parent >= 0:
                before = [Need((*tag, links[tree[parent][0]].destination), 0)]
            levels.append(levels[parent] + 1 if parent >= 0 else 0)
            here = links[link].destination
            self._hop((*tag, here), link, before, size_bytes, what, levels[-1], inside=here in inside)

    def reduce(
        self,
        tag: Key,
        owner: int,
        senders: list[int],
        needs: dict[int, list[Need]],
        size_bytes: int,
        what: str,
        add: AddVector,
    ) -> list[Key]:
        """Partial sums on their way to ``owner``, each device adding what it receives to its own.

        Returns the keys of the messages that arrive at ``owner``.
        """
        links = self._topology.links
        towards: dict[int, int] = {}
        distance: dict[int, int] = {}
        for sender in senders:
            path = self._topology.route(sender, owner)
            for hop, link in enumerate(path):
                towards[links[link].source] = link
                distance[links[link].source] = len(path) - hop
        arrived: dict[int, list[Key]] = defaultdict(list)
        level: dict[int, int] = defaultdict(int)
        for node in sorted(towards, key=lambda n: (-distance[n], n)):
            wait = [Need(key, 0) for key in arrived[node]]
            if node in senders:
                wait += needs[node]
                if arrived[node]:
                    added = ("added", *tag, node)
                    self._collected.append((level[node], partial(add, added, node, wait)))
                    wait = [Need(added, 0)]
            key = ("reduced", *tag, node)
            self._hop(key, towards[node], wait, size_bytes, what, level[node], inside=True)
            target = links[towards[node]].destination
            arrived[target].append(key)
            level[target] = max(level[target], level[node] + 1)
        return arrived[owner]

    def send(self) -> None:
        """Append what was collected to the stream."""
        for _, append in sorted(self._collected, key=lambda item: item[0]):
            append()
        self._collected.clear()

    def _hop(
        self, key: Key, link: int, needs: list[Need], size_bytes: int, what: str, level: int, *, inside: bool
    ) -> None:
        """One hop; ``inside``: for the layer's own group, whose time step ends with it.

        A message to another group holds the sender's step up until it has arrived one hop on.
        """
        hop = self._topology.links[link]
        padded = math.ceil(size_bytes / self._wire.beat_bytes) * self._wire.beat_bytes
        sender = self._group_of.get(hop.source, NO_GROUP)
        receiver = self._group_of.get(hop.destination, NO_GROUP)
        instruction = Instruction(
            unit=Unit.LINK,
            server=hop.server,
            blocks=1,
            interval=math.ceil(padded * self._wire.ns_per_byte * self._per_ns),
            latency=math.ceil(self._wire.latency_ns * hop.latency_factor * self._per_ns),
            first=self._skew,
            count=self._layer.steps,
            group=sender if inside or not level else NO_GROUP,
            to_group=receiver if inside else NO_GROUP,
            starts_step=Start.NOT_FIRST,
            waits=(),
            layer=self._layer.name,
            what=f"send {what}",
            device=hop.source,
            to_device=hop.destination,
            size_bytes=size_bytes,
        )
        self._collected.append((level, partial(self._stream.append, key, self._skew, needs, instruction)))
