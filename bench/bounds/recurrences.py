"""The recurrences of a phase, as the bound for plans that are split by rows sees them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.bounds.limits import Limits
from bench.plans.cells import cell_program
from bench.workloads.model import Layer, Workload, feedback_layers


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A vector that depends on itself, product by product, in each of ``rounds`` and once before.

    ``size``: its elements. ``columns`` of the matrices. ``passages``: for each product of the series,
    rows an element and cycles behind it. ``rows``: of all recurrent products of a round, rows an
    element for each operand. ``chained``: passages that end in vector instructions of their own.
    ``first``: the earliest cycle in which an element is there. ``tail``: cycles behind the last one.
    """

    size: int
    columns: int
    passages: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    chained: int
    rounds: int
    first: int
    tail: int


def recurrences(layers: tuple[Layer, ...], workload: Workload, limits: Limits) -> list[Recurrence]:
    """The recurrences of a phase; of several that are alike, the one with the most around it."""
    inputs = {layer.name: limits.passage(layer, "x") for layer in layers}
    firsts, _ = limits.heads(layers, inputs)
    tails = limits.tails(layers, inputs)
    loops = feedback_layers(workload)
    found: dict[tuple[object, ...], Recurrence] = {}
    around = [layer for layer in layers if layer.name in loops]
    if len(loops) > 1 and _alike(around):
        shape = _shape(around[0], "x", limits)
        first, last = around[0], around[-1]
        rounds = len(around) * first.steps - 1
        made = Recurrence(*shape, rounds, firsts[first.name], tails[last.name])
        found["loop",] = made
    for layer in layers:
        if (layer.name in loops and len(loops) > 1) or layer.cell == "linear" or layer.projection_size:
            continue
        shape = _shape(layer, "h", limits)
        made = Recurrence(*shape, layer.steps - 1, firsts[layer.name], tails[layer.name])
        key = (shape, layer.steps)
        if key not in found or found[key].first + found[key].tail < made.first + made.tail:
            found[key] = made
    return list(found.values())


def _alike(loop: list[Layer]) -> bool:
    """Whether layers follow each other around a loop, with one product from x to h each, all alike."""
    shapes = {(layer.cell, layer.input_size, layer.hidden_size, layer.steps) for layer in loop}
    if len(shapes) != 1 or len(loop) < 2:
        return False
    names = {layer.name for layer in loop}
    for before, layer in zip([loop[-1], *loop], loop, strict=False):
        feeds = [feed for feed in layer.inputs if feed.producer in names]
        plain = layer.input_terms == 1 and not layer.skip_input and not layer.projection_size
        if not plain or len(cell_program(layer).stages) > 1 or layer.cell == "linear":
            return False
        if [feed.producer for feed in feeds] != [before.name] or feeds[0].size != layer.hidden_size:
            return False
        if feeds[0].delay != (layer is loop[0]):
            return False
    return True


def _shape(
    layer: Layer, operand: str, limits: Limits
) -> tuple[int, int, tuple[tuple[int, int], ...], tuple[int, ...], int]:
    """Size, columns, passages, rows and chained passages of the recurrence from ``operand`` to h."""
    program = cell_program(layer)
    passages = []
    chained = 0
    source = operand
    for stage in program.stages:
        rows = sum(p.stage == stage.name and p.operand == source for p in program.products)
        if rows:
            passages.append((rows, limits.drain + stage.chain * limits.vectors))
            source = stage.name
            chained += stage.chain > 0
    counted: dict[str, int] = {}
    for product in program.products:
        if product.operand == operand or (operand == "h" and product.operand != "x"):
            counted[product.operand] = counted.get(product.operand, 0) + 1
    columns = layer.input_size if operand == "x" else layer.output_size
    return layer.output_size, columns, tuple(passages), tuple(counted.values()), chained
