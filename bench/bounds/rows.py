"""Which plans are split by rows: the class that the tighter bound holds for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from bench.plans.cells import Stage, cell_program, matrix_shape
from bench.plans.plan import ROUTES, Block, Plan, Range, VectorRange
from bench.plans.program import Ints
from bench.workloads.model import Layer, Workload, feedback_layers

Piece = tuple[str, Range, int]
"""What it is a part of, its rows, and the device that has them."""


def split_by_rows(plan: Plan, workload: Workload) -> bool:
    """Whether each element of a layer has one owner, with whole rows of all that its recurrence waits for.

    The owner makes the element in every stage of the layer. It alone has the element's rows of the
    matrices that multiply h or a stage, each in blocks of all columns; on a feedback loop of several
    layers, of those that multiply x or a stage, and layers of one size have the same owners. A stage
    before h may as well be made whole by each owner, which then has all its rows. All other matrices
    may be anywhere, and so may a layer with a projection. What travels follows the routes, and there
    are no copies. ``plan`` must be valid.
    """
    if plan.collective != ROUTES or plan.copies:
        return False
    loop = feedback_layers(workload)
    loop = loop if len(loop) > 1 else frozenset()
    layers = [layer for layer in workload.layers if layer.projection_size is None]
    blocks: dict[str, list[Block]] = defaultdict(list)
    for block in plan.blocks:
        blocks[block.layer].append(block)
    vectors: dict[str, list[VectorRange]] = defaultdict(list)
    for vector in plan.vectors:
        vectors[vector.layer].append(vector)
    owners = {layer.name: _owners(layer, vectors[layer.name]) for layer in layers}
    around = [owners[layer.name] for layer in layers if layer.name in loop]
    alike = {len(each): each for each in around}
    return all(np.array_equal(alike[len(each)], each) for each in around) and all(
        _by_rows(
            layer,
            stage,
            blocks[layer.name],
            vectors[layer.name],
            owners[layer.name],
            known="h" if layer.name in loop else "x",
        )
        for layer in layers
        for stage in cell_program(layer).stages
    )


def _owners(layer: Layer, vectors: Iterable[VectorRange]) -> Ints:
    """Element of h -> its owner; of several, the last one."""
    owners = np.empty(layer.output_size, dtype=np.int64)
    for vector in vectors:
        if vector.stage == "h":
            owners[slice(*vector.rows)] = vector.device
    return owners


def _by_rows(
    layer: Layer,
    stage: Stage,
    blocks: Iterable[Block],
    vectors: Iterable[VectorRange],
    owners: Ints,
    *,
    known: str,
) -> bool:
    """For one stage of a layer that has ``blocks`` and ``vectors``; ``owners``: `_owners`.

    ``known``: the operand that the recurrence does not wait for.
    """
    widths = {
        product.matrix: matrix_shape(layer, product)[1]
        for product in cell_program(layer).products
        if product.stage == stage.name and product.operand != known
    }
    blocks = [block for block in blocks if block.matrix in widths]
    if any(block.cols != (0, widths[block.matrix]) for block in blocks):
        return False
    pieces = [(block.matrix, block.rows, block.device) for block in blocks]
    pieces += [("", vector.rows, vector.device) for vector in vectors if vector.stage == stage.name]
    alone = all((owners[slice(*rows)] == device).all() for _, rows, device in pieces)
    return alone or (stage.name != "h" and _everywhere(pieces, set(owners.tolist())))


def _everywhere(pieces: Iterable[Piece], devices: set[int]) -> bool:
    holders: dict[tuple[str, Range], set[int]] = defaultdict(set)
    for what, rows, device in pieces:
        holders[what, rows].add(device)
    return all(those == devices for those in holders.values())
