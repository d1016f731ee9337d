"""What lowering asks about a workload, whatever the plan: made once for all plans that a search compares."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache

from bench.plans.cells import CellProgram, Product, cell_program
from bench.plans.plan import Range
from bench.workloads.model import EXTERNAL, Input, Layer, Workload, feedback_layers, phases


@dataclass(frozen=True, eq=False)
class Shape:
    """A layer, of one step, without what tells it from others of its kind, and its program; shared."""

    layer: Layer
    program: CellProgram

    def products(self, operand: str) -> list[Product]:
        """The products with ``operand``, in program order."""
        return [product for product in self.program.products if product.operand == operand]


@dataclass(frozen=True, eq=False)
class Outline:
    """A workload's phases, and by name its layers' shapes and who reads what they make.

    ``readers``: layer -> layers that it feeds, each with the feed and the column where it begins.
    ``loops``: layers on feedback loops.
    """

    phases: tuple[tuple[Layer, ...], ...]
    loops: frozenset[str]
    shapes: dict[str, Shape]
    readers: dict[str, list[tuple[str, Input, int]]]


@lru_cache(maxsize=16)
def outline(workload: Workload) -> Outline:
    """The outline of ``workload``."""
    readers: dict[str, list[tuple[str, Input, int]]] = defaultdict(list)
    for layer in workload.layers:
        for feed, offset in feeds(layer):
            readers[feed.producer].append((layer.name, _anonymous(feed), offset))
    shapes = {}
    for layer in workload.layers:
        inputs = tuple(map(_anonymous, layer.inputs))
        shape = replace(layer, name="", inputs=inputs, steps=1, direction="forward", after=())
        shapes[layer.name] = _shape(shape)
    return Outline(phases(workload), feedback_layers(workload), shapes, readers)


def _anonymous(feed: Input) -> Input:
    return feed if feed.producer == EXTERNAL else replace(feed, producer="")


@lru_cache(maxsize=256)
def _shape(layer: Layer) -> Shape:
    return Shape(layer, cell_program(layer))


def feeds(layer: Layer) -> list[tuple[Input, int]]:
    """The layer's inputs, each with the column of the input matrix where it begins."""
    found, offset = [], 0
    for feed in layer.inputs:
        found.append((feed, offset))
        if layer.combine == "concat":
            offset += feed.size
    return found


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


def overlap(a: Range, b: Range) -> Range | None:
    """The common part of two ranges, or None."""
    start = a[0] if a[0] > b[0] else b[0]  # max and min take thrice as long, and this is called often
    stop = a[1] if a[1] < b[1] else b[1]
    return (start, stop) if start < stop else None
