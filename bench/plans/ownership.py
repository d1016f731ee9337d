"""An index of a plan: who holds which block and vector range, and who needs which vector.

Matrices cut alike, vectors shared alike, and vectors needed alike each have one value here, which is
its own identity. So what follows from it is found once: for the gates of a layer, for layers of one
shape, and for the plans that a search compares.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bench.hardware.topology import Topology
from bench.plans.outline import Outline, Shape, overlap, producer_rows
from bench.plans.plan import Plan, Range
from bench.workloads.model import Input

CACHED = 512
"""Values of a kind that are kept."""


class Tile(NamedTuple):
    """A block of a matrix on a device; ``holders``: all devices that hold the same one, ascending."""

    rows: Range
    cols: Range
    device: int
    holders: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tiling:
    """The blocks of a matrix, by device.

    ``columns``: devices, each with a column range that it multiplies; each pair once.
    """

    tiles: tuple[Tile, ...]
    columns: tuple[tuple[int, Range], ...]


@dataclass(frozen=True, eq=False)
class Shards:
    """The row ranges of a vector, ascending, and the devices that compute each."""

    owners: dict[Range, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Needs:
    """Devices, ascending, and the row ranges of a vector that each must hold."""

    rows: dict[int, tuple[Range, ...]]


@dataclass(frozen=True)
class Owned:
    """What a plan says of one layer: by matrix in program order, and by stage.

    ``needs``: what other layers need of it included.
    """

    tilings: tuple[Tiling, ...]
    shards: tuple[Shards, ...]
    needs: tuple[Needs, ...]

    @property
    def output(self) -> Shards:
        """Who computes h, the last stage."""
        return self.shards[-1]

    @property
    def devices(self) -> set[int]:
        """Devices that hold blocks of its matrices."""
        return {device for tiling in set(self.tilings) for device, _ in tiling.columns}


@lru_cache(maxsize=CACHED)
def consumers(shards: Shards, needs: Needs, topology: Topology) -> list[tuple[Range, int, list[int]]]:
    """Row ranges, an owner of each, and the devices that need any of it and have it from that owner.

    That is the nearest one; owners and devices ascend. Owners themselves need no message.
    """
    found = []
    for rows, owners in shards.owners.items():
        by_owner: dict[int, list[int]] = defaultdict(list)
        for device, ranges in needs.rows.items():
            if device not in owners and any(overlap(rows, wanted) for wanted in ranges):
                by_owner[topology.nearest(owners, device)].append(device)
        found += [(rows, owner, by_owner[owner]) for owner in sorted(by_owner)]
    return found


def index_plan(plan: Plan, of: Outline) -> dict[str, Owned]:
    """Index ``plan`` by layer; it must be valid for the workload that ``of`` outlines."""
    blocks: dict[tuple[str, str], list[tuple[Range, Range, int]]] = defaultdict(list)
    for block in plan.blocks:
        blocks[block[:2]].append(block[2:])
    vectors: dict[tuple[str, str], list[tuple[Range, int]]] = defaultdict(list)
    for vector in plan.vectors:
        vectors[vector[:2]].append(vector[2:])
    tilings, shards = {}, {}
    for name, shape in of.shapes.items():
        program = shape.program
        tilings[name] = tuple(_tiling(tuple(blocks[name, product.matrix])) for product in program.products)
        shards[name] = tuple(_shards(tuple(vectors[name, stage.name])) for stage in program.stages)
    owned = {}
    for name, shape in of.shapes.items():
        fed = tuple(
            (feed, offset, _of_operand(of.shapes[reader], tilings[reader], "x"))
            for reader, feed, offset in of.readers.get(name, ())
        )
        wanted = (tilings[name], shards[name], fed, name not in plan.software_pipelined)
        owned[name] = Owned(
            tilings[name],
            shards[name],
            tuple(_needs(shape, stage.name, *wanted) for stage in shape.program.stages),
        )
    return owned


def _of_operand(shape: Shape, tilings: tuple[Tiling, ...], operand: str) -> tuple[Tiling, ...]:
    """The tilings of the matrices that ``operand`` is multiplied with, each once."""
    products = zip(shape.program.products, tilings, strict=True)
    return tuple(dict.fromkeys(tiling for product, tiling in products if product.operand == operand))


@lru_cache(maxsize=CACHED)
def _tiling(blocks: tuple[tuple[Range, Range, int], ...]) -> Tiling:
    """The tiling that consists of ``blocks``: rows, columns and device of each."""
    holders: dict[tuple[Range, Range], list[int]] = defaultdict(list)
    for rows, cols, device in blocks:
        holders[rows, cols].append(device)
    alike = {place: tuple(sorted(devices)) for place, devices in holders.items()}
    tiles = [Tile(rows, cols, device, alike[rows, cols]) for rows, cols, device in blocks]
    tiles.sort(key=lambda tile: (tile.device, tile.rows, tile.cols))
    return Tiling(tuple(tiles), tuple(dict.fromkeys((tile.device, tile.cols) for tile in tiles)))


@lru_cache(maxsize=CACHED)
def _shards(vectors: tuple[tuple[Range, int], ...]) -> Shards:
    """The shards that consist of ``vectors``: rows and device of each."""
    owners: dict[Range, list[int]] = defaultdict(list)
    for rows, device in sorted(vectors):
        owners[rows].append(device)
    return Shards({rows: tuple(devices) for rows, devices in owners.items()})


@lru_cache(maxsize=CACHED)
def _needs(
    shape: Shape,
    vector: str,
    tilings: tuple[Tiling, ...],
    shards: tuple[Shards, ...],
    fed: tuple[tuple[Input, int, tuple[Tiling, ...]], ...],
    told: bool,
) -> Needs:
    """Who needs which rows of a stage's ``vector``.

    ``fed``: how h feeds layers, with their input matrices. ``told``: whether devices that hold nothing
    but input products receive h, so that they know that a step has ended.
    """
    needs: dict[int, set[Range]] = defaultdict(set)
    for tiling in _of_operand(shape, tilings, vector):
        for device, cols in tiling.columns:
            needs[device].add(cols)
    for stage, made in zip(shape.program.stages, shards, strict=True):
        if vector in stage.state:
            for rows, devices in made.owners.items():
                for device in devices:
                    needs[device].add(rows)
    if vector == "h":
        for feed, offset, matrices in fed:
            for tiling in matrices:
                for device, cols in tiling.columns:
                    needs[device].update(producer_rows(feed, offset, cols))
        for device in _input_devices(shape, tilings, shards) if told else ():
            needs[device].add((0, shape.layer.output_size))
    return Needs({device: tuple(sorted(ranges)) for device, ranges in sorted(needs.items()) if ranges})


def _input_devices(shape: Shape, tilings: tuple[Tiling, ...], shards: tuple[Shards, ...]) -> set[int]:
    """Devices that hold nothing of the layer but input products."""
    sides: dict[bool, set[int]] = {True: set(), False: set()}
    for product, tiling in zip(shape.program.products, tilings, strict=True):
        sides[product.operand == "x"].update(device for device, _ in tiling.columns)
    for made in shards:
        sides[False].update(*made.owners.values())
    return sides[True] - sides[False]
