"""Helpers that build plans: split ranges, and own a layer's matrices and vectors in one of the usual ways.

Each ``own_*`` function returns the blocks and vector ranges of one layer; a plan is the
sum of those over the layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.plans.cells import Product, cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, Range, VectorRange
from bench.workloads.model import EXTERNAL, Layer, Workload


@dataclass(frozen=True)
class Share:
    """What is owned of one layer."""

    blocks: tuple[Block, ...]
    vectors: tuple[VectorRange, ...]


def split(size: int, parts: int) -> list[Range]:
    """``size`` elements in ``parts`` consecutive ranges that differ by one at most; empty ones left out.

    >>> split(10, 4)
    [(0, 3), (3, 6), (6, 8), (8, 10)]
    """
    each, more = divmod(size, parts)
    ranges = []
    start = 0
    for n in range(parts):
        stop = start + each + (n < more)
        if stop > start:
            ranges.append((start, stop))
        start = stop
    return ranges


def own_rows(layer: Layer, devices: Sequence[int]) -> Share:
    """Row-wise: every matrix and vector in row blocks, one a device."""
    program = cell_program(layer)
    blocks = [
        Block(layer.name, product.matrix, rows, (0, cols), device)
        for product in program.products
        for height, cols in [matrix_shape(layer, product)]
        for rows, device in zip(split(height, len(devices)), devices, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, devices))


def own_columns(layer: Layer, devices: Sequence[int]) -> Share:
    """Column-wise: every matrix in column blocks; the vectors by rows, so sums are scattered."""
    blocks = [
        Block(layer.name, product.matrix, (0, rows), cols, device)
        for product in cell_program(layer).products
        for rows, width in [matrix_shape(layer, product)]
        for cols, device in zip(split(width, len(devices)), devices, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, devices))


def own_sources(layer: Layer, inputs: Sequence[int], recurrent: Sequence[int]) -> Share:
    """Input-wise: the devices ``inputs`` hold the input matrices, ``recurrent`` all the others.

    Each side splits its matrices by rows; the vectors run where the recurrent matrices are.
    """
    blocks = [
        Block(layer.name, product.matrix, rows, (0, cols), device)
        for product in cell_program(layer).products
        for side in [inputs if product.operand == "x" else recurrent]
        for height, cols in [matrix_shape(layer, product)]
        for rows, device in zip(split(height, len(side)), side, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, recurrent))


def own_grid(layer: Layer, grid: Sequence[Sequence[int]]) -> Share:
    """Two-dimensional: ``grid[r][c]`` owns row block r and column block c of every matrix.

    Row block r of a vector runs on its grid row's first device.
    """
    blocks = [
        Block(layer.name, product.matrix, rows, cols, device)
        for product in cell_program(layer).products
        for height, width in [matrix_shape(layer, product)]
        for rows, line in zip(split(height, len(grid)), grid, strict=False)
        for cols, device in zip(split(width, len(line)), line, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, [line[0] for line in grid]))


def own_gates(layer: Layer, gates: Mapping[str, int], halves: Mapping[str, Sequence[int]] | None = None) -> Share:
    """Gate-wise: each gate's matrices on one device, ``gates`` says which.

    The layer's output runs on all those devices alike, each from the gates that it has
    received, so no device waits for h; other stages run where their first gate is.
    ``halves`` gives a gate's (input, recurrent) devices where its two matrices are apart.
    """
    program = cell_program(layer)
    blocks = []
    for product in program.products:
        rows, cols = matrix_shape(layer, product)
        device = gates.get(product.gate, min(gates.values()))
        if halves and product.gate in halves:
            device = halves[product.gate][0 if product.operand == "x" else 1]
        blocks.append(Block(layer.name, product.matrix, (0, rows), (0, cols), device))
    vectors = []
    for stage in program.stages:
        whole = (0, stage_size(layer, stage.name))
        if len(stage.gates) > 1:
            owners: Iterable[int] = sorted({gates.get(gate, min(gates.values())) for gate in gates})
        else:
            owners = [gates.get(stage.gates[0], min(gates.values()))]
        vectors += [VectorRange(layer.name, stage.name, whole, device) for device in owners]
    return Share(tuple(blocks), tuple(vectors))


def _vectors_by_rows(layer: Layer, devices: Sequence[int]) -> tuple[VectorRange, ...]:
    return tuple(
        VectorRange(layer.name, stage.name, rows, device)
        for stage in cell_program(layer).stages
        for rows, device in zip(split(stage_size(layer, stage.name), len(devices)), devices, strict=False)
    )


def pipelinable(workload: Workload) -> frozenset[str]:
    """Layers whose input of the next step can be known early: those on no feedback loop.

    Layers without input products are left out: there is nothing to move.
    """
    feeds_into: dict[str, set[str]] = {layer.name: set() for layer in workload.layers}
    for layer in workload.layers:
        for feed in layer.inputs:
            if feed.producer != EXTERNAL:
                feeds_into[feed.producer].add(layer.name)
    eligible = []
    for layer in workload.layers:
        has_input = any(product.operand == "x" for product in cell_program(layer).products)
        if has_input and not _reaches(feeds_into, layer.name, layer.name):
            eligible.append(layer.name)
    return frozenset(eligible)


def _reaches(edges: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    front = set(edges[start])
    while front:
        if goal in front:
            return True
        seen |= front
        front = {after for node in front for after in edges[node]} - seen
    return False


def assemble(
    name: str,
    workload: Workload,
    shares: Iterable[Share],
    groups: Sequence[Sequence[int]],
    *,
    software_pipelining: bool = False,
    notes: Iterable[str] = (),
) -> Plan:
    """The plan made of the layers' ``shares``."""
    shares = list(shares)
    return Plan(
        partitioner=name,
        blocks=tuple(block for share in shares for block in share.blocks),
        vectors=tuple(vector for share in shares for vector in share.vectors),
        groups=tuple(tuple(group) for group in groups),
        software_pipelined=pipelinable(workload) if software_pipelining else frozenset(),
        notes=tuple(notes),
    )


def products_of(layer: Layer, operand: str) -> list[Product]:
    """The layer's products with ``operand``."""
    return [product for product in cell_program(layer).products if product.operand == operand]
