"""An index of a plan: who holds which block and vector range, and who needs which vector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bench.plans.cells import cell_program
from bench.plans.plan import Plan, Range
from bench.workloads.model import EXTERNAL, Input, Layer, Workload

Vector = tuple[str, str]
"""A vector of the workload: (layer, stage)."""

Owners = dict[Range, tuple[int, ...]]
"""Row ranges of a vector, ascending -> devices that compute them."""


class Tile(NamedTuple):
    """A block of a matrix on a device; ``holders``: all devices that hold the same one, ascending."""

    rows: Range
    cols: Range
    device: int
    holders: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tiling:
    """The blocks of a matrix, by device.

    Matrices cut alike share one value, so it is its own identity: what is found out about it is
    found out once, for the gates of a layer, layers of one shape, and plans that a search compares.
    """

    tiles: tuple[Tile, ...]
    columns: tuple[tuple[int, Range], ...]
    """Devices, each with a column range that it multiplies; each pair once."""


@dataclass(frozen=True)
class Ownership:
    """The plan by layer, matrix and vector.

    ``tilings``: (layer, matrix) -> its blocks. ``owners``: vector -> row range -> devices that
    compute it. ``needs``: vector -> device, ascending -> row ranges it must hold.
    """

    tilings: dict[tuple[str, str], Tiling]
    owners: dict[Vector, Owners]
    needs: dict[Vector, dict[int, tuple[Range, ...]]]

    def devices(self, layer: Layer) -> set[int]:
        """Devices that hold blocks of the layer's matrices."""
        matrices = {product.matrix for product in cell_program(layer).products}
        tilings = {self.tilings[layer.name, matrix] for matrix in matrices}
        return {device for tiling in tilings for device, _ in tiling.columns}

    def consumers(self, vector: Vector, rows: Range) -> tuple[int, ...]:
        """Devices that need any of ``rows`` and do not compute them, ascending."""
        owners = self.owners[vector][rows]
        return tuple(
            device
            for device, ranges in self.needs.get(vector, {}).items()
            if device not in owners and any(overlap(rows, wanted) for wanted in ranges)
        )


def overlap(a: Range, b: Range) -> Range | None:
    """The common part of two ranges, or None."""
    start = a[0] if a[0] > b[0] else b[0]  # max and min take thrice as long, and this is called often
    stop = a[1] if a[1] < b[1] else b[1]
    return (start, stop) if start < stop else None


def feeds(layer: Layer) -> Iterator[tuple[Input, int]]:
    """The layer's inputs, each with the column of the input matrix where it begins."""
    offset = 0
    for feed in layer.inputs:
        yield feed, offset
        if layer.combine == "concat":
            offset += feed.size


def producer_rows(feed: Input, offset: int, cols: Range) -> list[Range]:
    """Rows of the producer's output that the input columns ``cols`` are made of."""
    part = overlap(cols, (offset, offset + feed.size))
    if part is None:
        return []
    start, stop = part[0] - offset, part[1] - offset
    if feed.reduction == "sum" or feed.time_reduction == 1:
        return [(start, stop)]
    width = feed.size // feed.time_reduction
    pieces = [overlap((start, stop), (n * width, (n + 1) * width)) for n in range(feed.time_reduction)]
    shifted = {(p[0] % width, (p[1] - 1) % width + 1) for p in pieces if p is not None}
    return sorted(shifted)


def index_plan(plan: Plan, workload: Workload) -> Ownership:
    """Index ``plan``, which must be valid for ``workload``."""
    blocks: dict[tuple[str, str], list[tuple[Range, Range, int]]] = defaultdict(list)
    for layer_name, matrix, rows, cols, device in plan.blocks:
        blocks[layer_name, matrix].append((rows, cols, device))
    vectors: dict[Vector, list[tuple[Range, int]]] = defaultdict(list)
    for layer_name, stage_name, rows, device in plan.vectors:
        vectors[layer_name, stage_name].append((rows, device))
    tilings = {
        (layer.name, product.matrix): _tiling(tuple(blocks[layer.name, product.matrix]))
        for layer in workload.layers
        for product in cell_program(layer).products
    }
    owners = {vector: _owners(tuple(value)) for vector, value in vectors.items()}
    needs: dict[Vector, dict[int, set[Range]]] = defaultdict(lambda: defaultdict(set))
    for layer in workload.layers:
        program = cell_program(layer)
        columns: dict[str, dict[tuple[int, Range], None]] = defaultdict(dict)
        for product in program.products:
            columns[product.operand].update(dict.fromkeys(tilings[layer.name, product.matrix].columns))
        for operand, wanted in columns.items():
            for device, cols in wanted:
                if operand != "x":
                    needs[layer.name, operand][device].add(cols)
                    continue
                for feed, offset in feeds(layer):
                    if feed.producer != EXTERNAL:
                        needs[feed.producer, "h"][device].update(producer_rows(feed, offset, cols))
        for stage in program.stages:
            for operand in stage.state:
                for rows, devices in owners[layer.name, stage.name].items():
                    for device in devices:
                        needs[layer.name, operand][device].add(rows)
        if layer.name not in plan.software_pipelined:
            for device in _input_devices(layer, tilings, owners):  # so they know that a step has ended
                needs[layer.name, "h"][device].add((0, layer.output_size))
    return Ownership(
        tilings,
        owners,
        {
            vector: {device: tuple(sorted(ranges)) for device, ranges in sorted(by_device.items())}
            for vector, by_device in needs.items()
        },
    )


def _input_devices(
    layer: Layer, tilings: dict[tuple[str, str], Tiling], owners: dict[Vector, Owners]
) -> set[int]:
    """Devices that hold nothing of the layer but input products."""
    inputs: set[int] = set()
    others: set[int] = set()
    for product in cell_program(layer).products:
        side = inputs if product.operand == "x" else others
        side.update(device for device, _ in tilings[layer.name, product.matrix].columns)
    for stage in cell_program(layer).stages:
        others.update(*owners[layer.name, stage.name].values())
    return inputs - others


@lru_cache(maxsize=256)
def _tiling(blocks: tuple[tuple[Range, Range, int], ...]) -> Tiling:
    """The tiling that consists of ``blocks``: rows, columns and device of each."""
    holders: dict[tuple[Range, Range], list[int]] = defaultdict(list)
    for rows, cols, device in blocks:
        holders[rows, cols].append(device)
    alike = {place: tuple(sorted(devices)) for place, devices in holders.items()}
    tiles = [Tile(rows, cols, device, alike[rows, cols]) for rows, cols, device in blocks]
    tiles.sort(key=lambda tile: (tile.device, tile.rows, tile.cols))
    return Tiling(tuple(tiles), tuple(dict.fromkeys((tile.device, tile.cols) for tile in tiles)))


@lru_cache(maxsize=256)
def _owners(vectors: tuple[tuple[Range, int], ...]) -> Owners:
    """Rows -> devices of a vector's ranges."""
    by_rows: dict[Range, list[int]] = defaultdict(list)
    for rows, device in sorted(vectors):
        by_rows[rows].append(device)
    return {rows: tuple(devices) for rows, devices in by_rows.items()}
