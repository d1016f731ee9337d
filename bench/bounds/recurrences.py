"""The recurrences of a phase, as the bound for plans that are split by rows sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.bounds.limits import Limits
from bench.plans.cells import Product, Stage, cell_program
from bench.workloads.model import Layer, Workload, feedback_layers


@dataclass(frozen=True, slots=True)
class Step:
    """A product of a series, between two exchanges or without one before it.

    ``rows``: rows an element of its vector. ``beside``: rows an element of the products with the same
    operand that the series does not wait for. ``after``: cycles behind it. ``chained``: it is fed by
    vector instructions of their own. ``everywhere``: each owner makes all rows. ``local``: each owner
    has the whole operand.
    """

    rows: int
    beside: int
    after: int
    chained: bool
    everywhere: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A vector of ``size`` elements that depends on itself in each of ``rounds`` and once before.

    ``columns``: of the matrices. ``series``: the products of a round. ``first``: the earliest cycle in
    which an element is there. ``tail``: cycles behind the last one.
    """

    size: int
    columns: int
    series: tuple[Step, ...]
    rounds: int
    first: int = 0
    tail: int = 0


def recurrences(layers: tuple[Layer, ...], workload: Workload, limits: Limits) -> list[Recurrence]:
    """The recurrences of a phase; of several that are alike, the one with the most around it."""
    inputs = {layer.name: limits.passage(layer, "x") for layer in layers}
    firsts, _ = limits.heads(layers, inputs)
    tails = limits.tails(layers, inputs)
    loops = feedback_layers(workload)
    around = [layer for layer in layers if layer.name in loops]
    found: dict[Recurrence, Recurrence] = {}
    if len(loops) > 1 and _alike(around):
        low, top = around[0], around[-1]
        rounds = len(around) * low.steps - 1
        made = Recurrence(low.output_size, low.input_size, _series(low, "x", limits), rounds)
        found[made] = replace(made, first=firsts[low.name], tail=tails[top.name])
    for layer in layers:
        looped = layer.name in loops and len(loops) > 1
        if looped or layer.cell == "linear" or layer.projection_size:
            continue
        size = layer.output_size
        made = Recurrence(size, size, _series(layer, "h", limits), layer.steps - 1)
        known = found.get(made, made)
        if made not in found or known.first + known.tail < firsts[layer.name] + tails[layer.name]:
            found[made] = replace(made, first=firsts[layer.name], tail=tails[layer.name])
    return list(found.values())


def with_replicas(recurrence: Recurrence) -> Recurrence | None:
    """The same if each owner makes all of the stage before h; None: there is none."""
    if len(recurrence.series) != 2:
        return None
    before, last = recurrence.series
    return replace(recurrence, series=(replace(before, everywhere=True), replace(last, local=True)))


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


def _series(layer: Layer, operand: str, limits: Limits) -> tuple[Step, ...]:
    """The products from ``operand`` to h, one after the other."""
    products = cell_program(layer).products
    steps = list(_steps(layer, operand))
    chained = [stage.chain > 0 for stage, _ in steps]
    return tuple(
        Step(
            rows=len(made),
            beside=sum(product.operand == made[0].operand for product in products) - len(made),
            after=limits.drain + stage.chain * limits.vectors,
            chained=fed,
        )
        for (stage, made), fed in zip(steps, [chained[-1], *chained], strict=False)
    )


def _steps(layer: Layer, operand: str) -> Iterator[tuple[Stage, list[Product]]]:
    """Stages with the products that they wait for, from ``operand`` on."""
    program = cell_program(layer)
    for stage in program.stages:
        made = [p for p in program.products if (p.stage, p.operand) == (stage.name, operand)]
        if made:
            yield stage, made
            operand = stage.name
