"""Which plans are split by rows: the class that the tighter bound holds for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bench.plans.cells import Stage, cell_program, matrix_shape
from bench.plans.plan import ROUTES, Plan, Range
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
    around = [_owners(plan, layer) for layer in layers if layer.name in loop]
    alike = {len(owners): owners for owners in around}
    return all(alike[len(owners)] == owners for owners in around) and all(
        _by_rows(plan, layer, stage, known="h" if layer.name in loop else "x")
        for layer in layers
        for stage in cell_program(layer).stages
    )


def _owners(plan: Plan, layer: Layer) -> dict[int, int]:
    """Element of h -> its owner; of several, the last one."""
    return {
        row: owned.device
        for owned in plan.vectors
        if (owned.layer, owned.stage) == (layer.name, "h")
        for row in range(*owned.rows)
    }


def _by_rows(plan: Plan, layer: Layer, stage: Stage, *, known: str) -> bool:
    """For one stage; ``known``: the operand that the recurrence does not wait for."""
    widths = {
        product.matrix: matrix_shape(layer, product)[1]
        for product in cell_program(layer).products
        if product.stage == stage.name and product.operand != known
    }
    blocks = [block for block in plan.blocks if block.layer == layer.name and block.matrix in widths]
    pieces = [(block.matrix, block.rows, block.device) for block in blocks]
    pieces += [("", v.rows, v.device) for v in plan.vectors if (v.layer, v.stage) == (layer.name, stage.name)]
    owners = _owners(plan, layer)
    if any(block.cols != (0, widths[block.matrix]) for block in blocks):
        return False
    alone = all(owners[row] == device for _, rows, device in pieces for row in range(*rows))
    return alone or (stage.name != "h" and _everywhere(pieces, set(owners.values())))


def _everywhere(pieces: Iterable[Piece], devices: set[int]) -> bool:
    holders: dict[tuple[str, Range], set[int]] = defaultdict(set)
    for what, rows, device in pieces:
        holders[what, rows].add(device)
    return all(those == devices for those in holders.values())
