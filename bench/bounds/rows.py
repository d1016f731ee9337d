"""Which plans are split by rows: the class that the tighter bound holds for."""

from __future__ import annotations

from bench.plans.cells import cell_program, matrix_shape
from bench.plans.plan import Plan, Range
from bench.workloads.model import Layer, Workload, feedback_layers


def split_by_rows(plan: Plan, workload: Workload) -> bool:
    """Whether each element of a layer has one owner, with whole rows of all that its recurrence waits for.

    The owner makes the element in every stage of the layer. It alone has the element's rows of the
    matrices that multiply h or a stage, each in blocks of all columns; of the input matrices too on a
    feedback loop of several layers, of which those of one size have the same owners. Other input
    matrices may be anywhere, and so may a layer with a projection. ``plan`` must be valid.
    """
    loop = feedback_layers(workload)
    loop = loop if len(loop) > 1 else frozenset()
    around = [_owners(plan, layer) for layer in workload.layers if layer.name in loop]
    alike = {len(owners): owners for owners in around}
    return all(alike[len(owners)] == owners for owners in around) and all(
        _by_rows(plan, layer, inputs=layer.name in loop)
        for layer in workload.layers
        if layer.projection_size is None
    )


def _owners(plan: Plan, layer: Layer) -> dict[int, int]:
    """Element of h -> its owner; of several, the last one."""
    return {
        row: owned.device
        for owned in plan.vectors
        if (owned.layer, owned.stage) == (layer.name, "h")
        for row in range(*owned.rows)
    }


def _by_rows(plan: Plan, layer: Layer, *, inputs: bool) -> bool:
    owners = _owners(plan, layer)

    def alone(rows: Range, device: int) -> bool:
        return all(owners[row] == device for row in range(*rows))

    widths = {
        product.matrix: matrix_shape(layer, product)[1]
        for product in cell_program(layer).products
        if inputs or product.operand != "x"
    }
    blocks = [block for block in plan.blocks if block.layer == layer.name and block.matrix in widths]
    return all(
        alone(owned.rows, owned.device) for owned in plan.vectors if owned.layer == layer.name
    ) and all(block.cols == (0, widths[block.matrix]) and alone(block.rows, block.device) for block in blocks)
