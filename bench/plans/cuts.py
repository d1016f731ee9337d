"""Where products are cut by columns, so that they begin with what a device has first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bench.hardware.topology import Topology
from bench.plans.cells import Product
from bench.plans.ownership import Ownership, Tile, feeds, overlap
from bench.plans.plan import Range
from bench.workloads.model import Layer

Columns = tuple[Range, ...]


class Cuts:
    """The parts that one layer's blocks are multiplied in, nearest columns first.

    ``parts``: so many at most. ``together``: layers that advance through time with this one; what
    others have made is there. ``early``: an operand that is known long before it is multiplied, and
    needs no cut.
    """

    def __init__(
        self,
        layer: Layer,
        parts: int,
        owned: Ownership,
        together: frozenset[str],
        topology: Topology,
        early: str,
    ) -> None:
        self.parts = parts
        self._layer = layer
        self._owned = owned
        self._together = together
        self._topology = topology
        self._early = early
        self._known: dict[tuple[str, int, Range], list[Columns]] = {}

    def of(self, product: Product, tile: Tile) -> list[Columns]:
        """The column ranges of each part, in the order in which they are multiplied."""
        if self.parts == 1 or product.operand == self._early:
            return [(tile.cols,)]
        key = (product.operand, tile.device, tile.cols)
        if key not in self._known:
            self._known[key] = self._cut(product.operand, tile)
        return self._known[key]

    def _cut(self, operand: str, tile: Tile) -> list[Columns]:
        by_hops: dict[int, list[Range]] = defaultdict(list)
        for cols, hops in self._sources(operand, tile):
            by_hops[hops].append(cols)
        found = [by_hops[hops] for hops in sorted(by_hops)]
        near = len(found) - self.parts + 1
        if near > 1:
            found = [[cols for ranges in found[:near] for cols in ranges], *found[near:]]
        return [_joined(ranges) for ranges in found]

    def _sources(self, operand: str, tile: Tile) -> Iterator[tuple[Range, int]]:
        """Column ranges of a tile, each with the hops that its operand's rows travel to the device."""
        if operand != "x":
            yield from self._shards(self._layer.name, operand, tile.device, tile.cols, 0)
            return
        for feed, offset in feeds(self._layer):
            inside = overlap(tile.cols, (offset, offset + feed.size))
            if inside is None:
                continue
            if feed.producer in self._together and self._layer.input_terms == 1:
                rows = inside[0] - offset, inside[1] - offset
                yield from self._shards(feed.producer, "h", tile.device, rows, offset)
            else:
                yield inside, 0

    def _shards(
        self, layer: str, stage: str, device: int, rows: Range, offset: int
    ) -> Iterator[tuple[Range, int]]:
        for shard, owners in self._owned.owners[layer, stage].items():
            if part := overlap(shard, rows):
                nearest = self._topology.nearest(owners, device)
                yield (part[0] + offset, part[1] + offset), len(self._topology.route(nearest, device))


def _joined(ranges: list[Range]) -> Columns:
    """The ranges in order, neighbours joined; a range that is there twice counts once."""
    joined: list[Range] = []
    for start, stop in sorted(set(ranges)):
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)
