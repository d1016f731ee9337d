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
from bench.plans.operations import AddSums, Move, Operation, Register, SumRows
from bench.plans.program import Instruction, Start, Unit
from bench.plans.stream import Key, Name, Need, Stream
from bench.plans.sums import Parts
from bench.workloads.model import Layer

NO_GROUP = -1
"""The group of a hop that no device group's time step waits for."""

AddVector = Callable[[Key, int, list[Need], tuple[Operation, ...]], None]
"""Appends the vector instruction that adds what has arrived: its key, device, needs and what it does."""


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
        self,
        tag: Key,
        source: int,
        targets: tuple[int, ...],
        needs: list[Need],
        size_bytes: int,
        what: str,
        does: Move,
        lead: int = 0,
    ) -> None:
        """One message along the tree of routes to ``targets``; `arrival` gives their keys.

        It is for the time step ``lead`` steps ahead.
        """
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
                before = [Need(self.arrival(tag, links[tree[parent][0]].destination), 0)]
            levels.append(levels[parent] + 1 if parent >= 0 else 0)
            here = links[link].destination
            inner = here in inside
            key = self.arrival(tag, here)
            self._hop(key, link, before, size_bytes, what, levels[-1], does, lead, inside=inner)

    def arrival(self, tag: Key, device: int) -> Key:
        """The key of a message's arrival at ``device``."""
        return self._stream.key("arrival", tag, device)

    def reduce(
        self,
        tag: Name,
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
            for hop, link in enumerate(path):
                towards[links[link].source] = link
                distance[links[link].source] = len(path) - hop
        arrived: dict[int, list[tuple[Key, Parts]]] = defaultdict(list)
        level: dict[int, int] = defaultdict(int)
        for node in sorted(towards, key=lambda n: (-distance[n], n)):
            own = [(needs[node], senders[node])] if node in senders else []
            out = own + [([Need(key, 0)], parts) for key, parts in arrived[node]]
            if len(out) > 1 and node in self._group_of:
                added, total = self._stream.key("added", *tag, node), _total([parts for _, parts in out])
                does = tuple(
                    AddSums(tuple(parts[n] for _, parts in out), part.register)
                    for n, part in enumerate(total)
                )
                wait = [need for waits, _ in reversed(out) for need in waits]
                self._collected.append((level[node], partial(add, added, node, wait, does)))
                out = [([Need(added, 0)], total)]
            target = links[towards[node]].destination
            for n, (wait, parts) in enumerate(out):
                key = self._stream.key("reduced", *tag, node, n)
                self._hop(
                    key, towards[node], wait, size_bytes, what, level[node], Move(parts), 0, inside=True
                )
                arrived[target].append((key, parts))
            level[target] = max(level[target], level[node] + 1)
        return arrived[owner]

    def send(self) -> None:
        """Append what was collected to the stream."""
        for _, append in sorted(self._collected, key=lambda item: item[0]):
            append()
        self._collected.clear()

    def _hop(
        self,
        key: Key,
        link: int,
        needs: list[Need],
        size_bytes: int,
        what: str,
        level: int,
        does: Move,
        lead: int,
        *,
        inside: bool,
    ) -> None:
        """One hop; ``inside``: for the layer's own group, whose time step ends with it.

        A message to another group holds the sender's step up until it has arrived one hop on.
        """
        hop = self._topology.links[link]
        padded = math.ceil(size_bytes / self._wire.beat_bytes) * self._wire.beat_bytes
        sender = self._group_of.get(hop.source, NO_GROUP)
        receiver = self._group_of.get(hop.destination, NO_GROUP)
        make = partial(
            Instruction,
            unit=Unit.LINK,
            server=hop.server,
            blocks=1,
            interval=math.ceil(padded * self._wire.ns_per_byte * self._per_ns),
            latency=math.ceil(self._wire.latency_ns * hop.latency_factor * self._per_ns),
            first=self._skew - lead,
            count=self._layer.steps,
            group=sender if inside or not level else NO_GROUP,
            to_group=receiver if inside else NO_GROUP,
            starts_step=Start.NOT_FIRST,
            layer=self._layer.name,
            what=f"send {what}",
            device=hop.source,
            to_device=hop.destination,
            size_bytes=size_bytes,
        )
        self._collected.append(
            (level, partial(self._stream.append, key, self._skew - lead, needs, make, (does,)))
        )


def _total(terms: list[Parts]) -> Parts:
    """The sums that adding ``terms``, which are alike, makes."""
    return tuple(
        SumRows(
            Register(
                same[0].register.layer,
                same[0].register.sum,
                tuple(sorted(origin for part in same for origin in part.register.origins)),
            ),
            same[0].rows,
        )
        for same in zip(*terms, strict=True)
    )
