"""Where products are cut by columns, so that they begin with what a device has first."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from bench.plans.cells import Product
from bench.plans.outline import feeds, overlap
from bench.plans.ownership import CACHED, Needs, Shards, Tile
from bench.plans.plan import ROUTES, Range
from bench.plans.rounds import row_rounds
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
        by_distance: dict[int, list[Range]] = defaultdict(list)
        for cols, distance in self._sources(operand, tile):
            by_distance[distance].append(cols)
        found = [by_distance[distance] for distance in sorted(by_distance)]
        near = len(found) - self.parts + 1
        if near > 1:
            found = [[cols for ranges in found[:near] for cols in ranges], *found[near:]]
        return [_joined(ranges) for ranges in found]

    def _sources(self, operand: str, tile: Tile) -> Iterator[tuple[Range, int]]:
        """Column ranges of a tile, each with the hops (or rounds) that its operand's rows take to it."""
        setting = self._setting
        if operand != "x":
            needs = setting.needs[operand]
            yield from self._shards(setting.shards[operand], needs, tile.device, tile.cols, 0)
            return
        for number, (feed, offset) in enumerate(feeds(setting.layer)):
            source = setting.sources[number]
            inside = overlap(tile.cols, (offset, offset + feed.size))
            if inside is None:
                continue
            if source and setting.layer.input_terms == 1:
                rows = inside[0] - offset, inside[1] - offset
                wanted = setting.wanted[number] if setting.wanted else None
                yield from self._shards(source, wanted, tile.device, rows, offset)
            else:
                yield inside, 0

    def _shards(
        self, shards: Shards, needs: Needs | None, device: int, rows: Range, offset: int
    ) -> Iterator[tuple[Range, int]]:
        topology, collective = self._setting.topology, self._setting.collective
        rounds = None
        if collective != ROUTES and needs is not None:
            rounds = row_rounds(collective, shards, needs, topology)
        for shard, makers in shards.owners.items():
            if part := overlap(shard, rows):
                if rounds is None:
                    distance = topology.hops(topology.nearest(makers, device), device)
                else:
                    distance = 0 if device in makers else rounds.number[device, shard]
                yield (part[0] + offset, part[1] + offset), distance


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
