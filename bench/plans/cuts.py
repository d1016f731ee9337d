"""Where products are cut by columns, so that they begin with what a device has first."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from bench.plans.cells import Product
from bench.plans.outline import feeds, overlap
from bench.plans.ownership import CACHED, Shards, Tile
from bench.plans.plan import Range
from bench.plans.setting import Setting

Columns = tuple[Range, ...]


class Cuts:
    """The parts that one layer's blocks are multiplied in, nearest columns first.

    What layers of earlier phases have made is there, and an operand that is known long before it is
    multiplied needs no cut. ``parts``: so many at most.
    """

    def __init__(self, setting: Setting) -> None:
        self.parts = setting.streaming[0] if setting.streaming else 1
        self._setting = setting
        self._known: dict[tuple[str, int, Range], list[Columns]] = {}

    def of(self, product: Product, tile: Tile) -> list[Columns]:
        """The column ranges of each part, in the order in which they are multiplied."""
        if self.parts == 1 or product.operand == self._setting.known_early:
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
        setting = self._setting
        if operand != "x":
            yield from self._shards(setting.shards[operand], tile.device, tile.cols, 0)
            return
        for (feed, offset), source in zip(feeds(setting.layer), setting.sources, strict=True):
            inside = overlap(tile.cols, (offset, offset + feed.size))
            if inside is None:
                continue
            if source and setting.layer.input_terms == 1:
                rows = inside[0] - offset, inside[1] - offset
                yield from self._shards(source, tile.device, rows, offset)
            else:
                yield inside, 0

    def _shards(self, shards: Shards, device: int, rows: Range, offset: int) -> Iterator[tuple[Range, int]]:
        topology = self._setting.topology
        for shard, makers in shards.owners.items():
            if part := overlap(shard, rows):
                nearest = topology.nearest(makers, device)
                yield (part[0] + offset, part[1] + offset), topology.hops(nearest, device)


def most_parts(setting: Setting) -> int:
    """Parts that some product has at most, however many are allowed."""
    return _most_parts(replace(setting, streaming=(sys.maxsize, 0)))


@lru_cache(maxsize=CACHED)
def _most_parts(setting: Setting) -> int:
    cuts = Cuts(setting)
    found = [
        (cuts.of(product, tile), tile)
        for product in setting.program.products
        for tile in setting.tiles(product)
    ]
    whole = all(parts == [(tile.cols,)] for parts, tile in found)
    return 1 if whole else max([2, *(len(parts) for parts, _ in found)])


def _joined(ranges: list[Range]) -> Columns:
    """The ranges in order, neighbours joined; a range that is there twice counts once."""
    joined: list[Range] = []
    for start, stop in sorted(set(ranges)):
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)
