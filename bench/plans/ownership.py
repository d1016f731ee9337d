"""An index of a plan: who holds which block and vector range, and who needs which vector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from bench.plans.cells import cell_program, stage_size
from bench.plans.plan import Block, Plan, Range
from bench.workloads.model import EXTERNAL, Input, Layer, Workload

Vector = tuple[str, str]
"""A vector of the workload: (layer, stage)."""


@dataclass(frozen=True)
class Ownership:
    """The plan by layer, matrix and vector.

    ``blocks``: (layer, matrix) -> its blocks, by device. ``owners``: vector -> row range
    -> devices that compute it. ``needs``: vector -> device, ascending -> row ranges it must hold.
    ``replicas``: (layer, matrix, rows, columns) -> devices that hold the block.
    """

    blocks: dict[tuple[str, str], tuple[Block, ...]]
    owners: dict[Vector, dict[Range, tuple[int, ...]]]
    needs: dict[Vector, dict[int, tuple[Range, ...]]]
    replicas: dict[tuple[str, str, Range, Range], tuple[int, ...]]

    def holders(self, block: Block) -> tuple[int, ...]:
        """Devices that hold the same block, ascending."""
        return self.replicas[block.layer, block.matrix, block.rows, block.cols]

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
    blocks: dict[tuple[str, str], list[Block]] = defaultdict(list)
    replicas: dict[tuple[str, str, Range, Range], list[int]] = defaultdict(list)
    for block in plan.blocks:
        blocks[block.layer, block.matrix].append(block)
        replicas[block.layer, block.matrix, block.rows, block.cols].append(block.device)
    owners: dict[Vector, dict[Range, list[int]]] = defaultdict(lambda: defaultdict(list))
    for owned in plan.vectors:
        owners[owned.layer, owned.stage][owned.rows].append(owned.device)

    needs: dict[Vector, dict[int, set[Range]]] = defaultdict(lambda: defaultdict(set))
    for layer in workload.layers:
        program = cell_program(layer)
        for product in program.products:
            for block in blocks[layer.name, product.matrix]:
                if product.operand != "x":
                    needs[layer.name, product.operand][block.device].add(block.cols)
                    continue
                for feed, offset in feeds(layer):
                    if feed.producer != EXTERNAL:
                        needs[feed.producer, "h"][block.device].update(
                            producer_rows(feed, offset, block.cols)
                        )
        for stage in program.stages:
            for operand in stage.state:
                for rows, devices in owners[layer.name, stage.name].items():
                    for device in devices:
                        needs[layer.name, operand][device].add(rows)
    for layer in workload.layers:
        if layer.name not in plan.software_pipelined:
            _tell_input_devices(layer, blocks, owners, needs)
    return Ownership(
        blocks={key: tuple(sorted(value, key=_block_order)) for key, value in blocks.items()},
        owners={
            vector: {rows: tuple(sorted(devices)) for rows, devices in sorted(ranges.items())}
            for vector, ranges in owners.items()
        },
        needs={
            vector: {device: tuple(sorted(ranges)) for device, ranges in sorted(by_device.items())}
            for vector, by_device in needs.items()
        },
        replicas={block: tuple(sorted(devices)) for block, devices in replicas.items()},
    )


def _tell_input_devices(
    layer: Layer,
    blocks: dict[tuple[str, str], list[Block]],
    owners: dict[Vector, dict[Range, list[int]]],
    needs: dict[Vector, dict[int, set[Range]]],
) -> None:
    """Let devices that hold nothing but input products receive h: so they know that a step has ended."""
    matrices = [(product.operand, product.matrix) for product in cell_program(layer).products]
    inputs = {b.device for operand, m in matrices if operand == "x" for b in blocks[layer.name, m]}
    others = {b.device for operand, m in matrices if operand != "x" for b in blocks[layer.name, m]}
    others |= {
        d
        for stage in cell_program(layer).stages
        for ds in owners[layer.name, stage.name].values()
        for d in ds
    }
    for device in inputs - others:
        needs[layer.name, "h"][device].add((0, layer.output_size))


def _block_order(block: Block) -> tuple[int, Range, Range]:
    return block.device, block.rows, block.cols


def vector_sizes(workload: Workload) -> dict[Vector, int]:
    """Elements of every vector of the workload."""
    return {
        (layer.name, stage.name): stage_size(layer, stage.name)
        for layer in workload.layers
        for stage in cell_program(layer).stages
    }
