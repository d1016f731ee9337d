"""Topologies: which links a cluster has, and the route of every message.

A route is a deterministic list of links; `Topology.multicast_tree` is the union of the
routes to several destinations. A link has one server (the physical channel that a message
occupies); two links share a server where the wire is shared.

The rule of `ring`, in one place. The cards are cabled as the plan's device groups need:

1. Every group of more than one device is closed to a ring of its own, in the group's order.
2. The devices of equal rank in consecutive groups are joined to a second ring, across the
   groups (rank modulo the group's size where sizes differ). If every group has one member
   this is simply the ring of all devices. With groups of equal size each card has four
   neighbours at most, as many as it has ports (`PORTS` of `bench/hardware/cables.py`); a plan that
   needs more is refused.
3. A message within a group goes around the group's ring. A message to another group goes
   along the cross ring of its source's rank first, then around the destination's group.
4. Links carry traffic in one direction, the group's order, as the DAC 2020 paper's cost
   model has it: an all-gather among p devices takes p - 1 hops (its Figs. 7, 10, 11, all
   with one group). The exception: where two groups or more have more than two members,
   their rings carry traffic both ways and a message takes the shorter one, because the
   paper's points with several groups (Fig. 8, BLSTM-4 on 8 FPGAs; Fig. 9, Encoder-8 on
   32 and 64) imply ceil((p - 1) / 2) hops. The cross rings stay in one direction.

`ring-bidirectional` has the same cables with both directions of every ring in use, and a
message takes the shortest way over them; of several, the one that crosses to other groups
first. Where cards of a smaller group would need more ports than they have, cross rings of higher
ranks lack a cable there. In all topologies a tie between two directions goes to the ascending one.

A device outside the plan's groups owns nothing and is not cabled. Without any group every
device is a group of its own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from bench.errors import InvalidPlan
from bench.hardware.cables import Groups, Pair, cabled_hops, torus_shape, two_way_rings
from bench.hardware.profile import Cluster

HUB = -1
"""The id of the switch, or of the host, at an end of a link."""


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a connection between two devices (or a device and the `HUB`).

    ``server`` numbers the physical channel. The link's latency is the profile's times
    ``latency_factor``: 0 on the hop that leads to a hub, since a profile states latency
    from card to card.
    """

    source: int
    destination: int
    server: int
    latency_factor: int = 1


class Hop(NamedTuple):
    """One hop of a multicast tree: an index into the topology's links, and its place in the tree."""

    link: int
    before: int
    """Position in the tree of the hop before it; -1: the source sends."""
    level: int
    """Hops before it."""
    inside: bool
    """Whether it is on the way to a destination in the source's own device group."""


Tree = tuple[Hop, ...]


@dataclass(frozen=True, eq=False)
class Topology:
    """The links of a cluster and the routes over them; made by `routes`, one for equal clusters."""

    name: str
    fpgas: int
    groups: Groups
    links: tuple[Link, ...]

    def route(self, src: int, dst: int) -> tuple[int, ...]:
        """Indexes into ``links``, hop by hop, from device ``src`` to ``dst`` (empty if equal).

        Raises InvalidPlan if one of them is in none of the groups that a ring cables.
        """
        entries = self._entries(src, dst)
        hops = []
        while dst != src:
            hops.append(entries[dst][0])
            dst = self.links[hops[-1]].source
        return tuple(reversed(hops))

    def hops(self, src: int, dst: int) -> int:
        """The length of the route."""
        return self._entries(src, dst)[dst][1]

    def nearest(self, devices: Sequence[int], to: int) -> int:
        """The one of ``devices`` with the fewest hops to ``to``; of several, the first by number."""
        if len(devices) == 1:
            return devices[0]
        return min(devices, key=lambda device: (self.hops(device, to), device))

    def _entries(self, src: int, dst: int) -> dict[int, Pair]:
        """Device -> the last link of the route to it from ``src``, and the length of the route.

        All devices on the way to ``dst`` are in it: routes to them are the first part of that way.
        """
        entries = self._entered.setdefault(src, {src: (-1, 0)})
        if dst not in entries:
            for hops, hop in enumerate(pairwise(_WAYS[self.name](self, src, dst)), start=1):
                entries.setdefault(hop[1], (self._index[hop], hops))
        return entries

    def multicast_tree(self, src: int, dsts: Sequence[int]) -> Tree:
        """The union of the routes from ``src`` to ``dsts``, each hop once, in forwarding order.

        Hops nearer to the source come first; equals keep the order of ``dsts``.
        """
        key = (src, tuple(dsts))
        if key not in self._trees:
            self._trees[key] = self._tree(src, key[1])
        return self._trees[key]

    def _tree(self, src: int, dsts: tuple[int, ...]) -> Tree:
        """Routes are walked from their ends until they meet a hop that is there already."""
        home = self.group_of.get(src)
        order: dict[int, Pair] = {}
        inside: set[int] = set()
        for number, dst in enumerate(dsts):
            entries = self._entries(src, dst)
            known = inside if self.group_of.get(dst) == home else order
            node = dst
            while node != src and (link := entries[node][0]) not in known:
                order.setdefault(link, (entries[node][1] - 1, number))
                if known is inside:
                    inside.add(link)
                node = self.links[link].source
        position = {src: -1}
        tree = []
        for link in sorted(order, key=order.__getitem__):
            ends = self.links[link]
            tree.append(Hop(link, position[ends.source], order[link][0], link in inside))
            position[ends.destination] = len(position) - 1
        return tuple(tree)

    @cached_property
    def both_ways(self) -> bool:
        """Whether rings inside groups carry traffic in both directions (module text, point 4)."""
        return two_way_rings(self.name, self.groups)

    @cached_property
    def place(self) -> dict[int, Pair]:
        """Device -> (index of its group, its rank in the group)."""
        return {
            device: (number, rank)
            for number, group in enumerate(self.groups)
            for rank, device in enumerate(group)
        }

    @cached_property
    def neighbours(self) -> dict[int, list[int]]:
        """Device -> those that it has a cable to, in the order in which ways over them are tried."""
        found: dict[int, list[int]] = {}
        for link in self.links:
            found.setdefault(link.source, []).append(link.destination)
            found.setdefault(link.destination, [])
        # links inside groups come first in the list, those across groups are tried first
        place = self.place
        return {
            device: sorted(others, key=lambda other: place[other][0] == place[device][0])
            for device, others in found.items()
        }

    def before(self, src: int, dst: int) -> dict[int, int]:
        """Device -> the one before it on the shortest way from ``src``, over links in both directions.

        It has those no farther than ``dst``.
        """
        found, reached = self._spread.setdefault(src, ({src: src}, deque([src])))
        while dst not in found:
            device = reached.popleft()
            for other in self.neighbours[device]:
                if other not in found:
                    found[other] = device
                    reached.append(other)
        return found

    @cached_property
    def _spread(self) -> dict[int, tuple[dict[int, int], deque[int]]]:
        return {}

    @cached_property
    def servers(self) -> int:
        """Physical channels, at least one."""
        return 1 + max((link.server for link in self.links), default=0)

    @cached_property
    def group_of(self) -> dict[int, int]:
        """Device -> index of its group."""
        return {device: number for device, (number, _) in self.place.items()}

    @cached_property
    def _index(self) -> dict[Pair, int]:
        return {(link.source, link.destination): number for number, link in enumerate(self.links)}

    @cached_property
    def _entered(self) -> dict[int, dict[int, Pair]]:
        return {}

    @cached_property
    def _trees(self) -> dict[tuple[int, tuple[int, ...]], Tree]:
        return {}


def routes(cluster: Cluster, groups: Groups) -> Topology:
    """The topology of ``cluster`` with the device ``groups`` of a plan (which only rings use).

    Raises InvalidPlan if a group is empty, names a device twice or one the cluster lacks, and on
    rings if a card would need more cables than it has ports.
    """
    return _cabled(cluster.topology, cluster.fpgas, groups)


@lru_cache(maxsize=256)
def _cabled(name: str, fpgas: int, groups: Groups) -> Topology:
    """`routes`; the last ones are kept, with the ways found on them, for searches that compare plans."""
    _check(groups, fpgas)
    if not groups:
        groups = tuple((device,) for device in range(fpgas))
    if name == "host-star":
        # The host copies a message in and out again over the device's one PCIe slot.
        links = _hub_links(fpgas, shared=True)
    elif name == "switch":
        links = _hub_links(fpgas, shared=False)
    else:
        links = [Link(*hop, server) for server, hop in enumerate(cabled_hops(name, fpgas, groups))]
    return Topology(name, fpgas, groups, tuple(links))


def _check(groups: Groups, fpgas: int) -> None:
    members = Counter(device for group in groups for device in group)
    if not all(groups):
        raise InvalidPlan("a device group is empty")
    for device, times in members.items():
        if not 0 <= device < fpgas:
            raise InvalidPlan(f"device {device} is in a group, but the cluster has devices 0 to {fpgas - 1}")
        if times > 1:
            raise InvalidPlan(f"device {device} is in more than one group, or twice in one")


# --- links -----------------------------------------------------------------------------


def _hub_links(fpgas: int, *, shared: bool) -> list[Link]:
    """An up and a down link for each device; ``shared`` lets both use one server."""
    links = []
    for device in range(fpgas):
        up, down = (device, device) if shared else (2 * device, 2 * device + 1)
        links += [Link(device, HUB, up, 0), Link(HUB, device, down)]
    return links


# --- routes: the devices on the way ------------------------------------------------------


def _around(ring: Sequence[int], start: int, end: int, both_ways: bool) -> tuple[int, ...]:
    """The members of ``ring`` from index ``start`` to ``end``, both included."""
    size = len(ring)
    ahead = (end - start) % size
    step, hops = (-1, size - ahead) if both_ways and size - ahead < ahead else (1, ahead)
    return tuple(ring[(start + step * hop) % size] for hop in range(hops + 1))


def _ring_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    for device in (src, dst):
        if device not in topology.place:
            raise InvalidPlan(f"device {device} sends or receives, but is in none of the plan's groups")
    if topology.name == "ring-bidirectional":
        return _shortest_way(topology, src, dst)
    (first, rank), (last, goal) = topology.place[src], topology.place[dst]
    cross = tuple(group[rank % len(group)] for group in topology.groups)
    across = _around(cross, first, last, False)
    group = topology.groups[last]
    return across[:-1] + _around(group, topology.place[across[-1]][1], goal, topology.both_ways)


def _shortest_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    before = topology.before(src, dst)
    way = [dst]
    while way[-1] != src:
        way.append(before[way[-1]])
    return tuple(reversed(way))


def _chain_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    step = 1 if src < dst else -1
    return tuple(range(src, dst + step, step))


def _torus_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    """Along the row to the destination's column, then along the column."""
    _, columns = torus_shape(topology.fpgas)
    row, column = divmod(src, columns)
    end_row, end_column = divmod(dst, columns)
    along = _around(range(row * columns, (row + 1) * columns), column, end_column, True)
    up = _around(range(end_column, topology.fpgas, columns), row, end_row, True)
    return along[:-1] + up


def _direct_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    return (src, dst)


def _hub_way(topology: Topology, src: int, dst: int) -> tuple[int, ...]:
    return (src, HUB, dst)


_WAYS: dict[str, Callable[[Topology, int, int], tuple[int, ...]]] = {
    "ring": _ring_way,
    "ring-bidirectional": _ring_way,
    "chain": _chain_way,
    "torus-2d": _torus_way,
    "fully-connected": _direct_way,
    "switch": _hub_way,
    "host-star": _hub_way,
}
