"""The same plan on a small network: every range that the plan tells apart shrinks to a few elements.

Which device holds, computes, needs and sends what depends only on how the plan's ranges lie to each
other. So a plan can be moved to a network in which each stretch between two of its cuts has at most
`KEPT` elements, and lowers there to the same messages between the same devices. What is right
there is right at full size, at a cost that does not grow with the size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

from bench.plans.cells import cell_program, stage_size
from bench.plans.collectives import pieces
from bench.plans.outline import feeds
from bench.plans.plan import ROUTES, Plan, Range
from bench.workloads.model import EXTERNAL, Input, Layer, Workload

KEPT = 2
"""Elements that a stretch between two cuts keeps, so that mistakes within it show."""

Space = tuple[str, str]
"""What ranges count in: (layer, ``x``, ``hidden`` or ``out``)."""


def scale_down(plan: Plan, workload: Workload) -> tuple[Plan, Workload]:
    """``plan``, which must be valid for ``workload``, on a small network of the same structure."""
    scale = _Scale(_cuts(plan, workload))
    layers = {layer.name: layer for layer in workload.layers}
    products = {
        (layer.name, product.matrix): product
        for layer in workload.layers
        for product in cell_program(layer).products
    }
    blocks = []
    for block in plan.blocks:
        layer, product = layers[block.layer], products[block.layer, block.matrix]
        rows = scale.range(_stage_space(layer, product.stage), block.rows)
        cols = scale.range(_operand_space(layer, product.operand), block.cols)
        blocks.append(block._replace(rows=rows, cols=cols))
    vectors = [
        v._replace(rows=scale.range(_stage_space(layers[v.layer], v.stage), v.rows)) for v in plan.vectors
    ]
    small = replace(workload, layers=tuple(_scaled(layer, scale) for layer in workload.layers))
    return replace(plan, blocks=tuple(blocks), vectors=tuple(vectors)), small


class _Scale:
    """Old places to new ones, for each space."""

    def __init__(self, cuts: dict[Space, set[int]]) -> None:
        self._old = {space: sorted(places) for space, places in cuts.items()}
        self._new = {}
        for space, places in self._old.items():
            new = [0]
            for start, stop in pairwise(places):
                new.append(new[-1] + min(stop - start, KEPT))
            self._new[space] = new

    def place(self, space: Space, old: int) -> int:
        return self._new[space][bisect_left(self._old[space], old)]

    def range(self, space: Space, old: Range) -> Range:
        return self.place(space, old[0]), self.place(space, old[1])


def _stage_space(layer: Layer, stage: str) -> Space:
    return layer.name, "out" if stage == "h" else "hidden"


def _operand_space(layer: Layer, operand: str) -> Space:
    return (layer.name, "x") if operand == "x" else _stage_space(layer, operand)


def _cuts(plan: Plan, workload: Workload) -> dict[Space, set[int]]:
    """The places that must stay apart: edges of the plan's ranges, wherever data carries them."""
    cuts: dict[Space, set[int]] = defaultdict(set)
    layers = {layer.name: layer for layer in workload.layers}
    products = {
        (layer.name, product.matrix): product
        for layer in workload.layers
        for product in cell_program(layer).products
    }
    for layer in workload.layers:
        cuts[layer.name, "x"] |= {0, layer.input_size}
        cuts[layer.name, "hidden"] |= {0, layer.hidden_size}
        cuts[layer.name, "out"] |= {0, stage_size(layer, "h")}
    for block in plan.blocks:
        layer, product = layers[block.layer], products[block.layer, block.matrix]
        cuts[_stage_space(layer, product.stage)].update(block.rows)
        cuts[_operand_space(layer, product.operand)].update(block.cols)
    for vector in plan.vectors:
        cuts[_stage_space(layers[vector.layer], vector.stage)].update(vector.rows)
    owners = Counter((v.layer, v.stage, v.rows) for v in plan.vectors)
    for (name, stage, rows), count in owners.items() if plan.collective != ROUTES else ():
        # several owners add up a piece each
        cuts[_stage_space(layers[name], stage)].update(
            place for piece in pieces(rows, count) for place in piece
        )
    same = [pair for layer in workload.layers for pair in _same_places(layer, layers)]
    before = -1
    while before != (before := sum(map(len, cuts.values()))):
        for a, b, start, stop, shift in same:
            cuts[b].update(place - shift for place in list(cuts[a]) if start <= place <= stop)
            cuts[a].update(place + shift for place in list(cuts[b]) if start <= place + shift <= stop)
    return cuts


def _same_places(layer: Layer, layers: dict[str, Layer]) -> list[tuple[Space, Space, int, int, int]]:
    """Spaces that share places: (a, b, from, to, shift), where a's place p is b's p - shift."""
    x: Space = (layer.name, "x")
    same: list[tuple[Space, Space, int, int, int]] = []
    if not layer.projection_size:
        same.append(((layer.name, "hidden"), (layer.name, "out"), 0, layer.hidden_size, 0))
    if layer.skip_input:
        same.append((x, (layer.name, "hidden"), 0, layer.hidden_size, 0))
    for feed, offset in feeds(layer):
        if feed.producer == EXTERNAL:
            same.append((x, x, offset, offset + feed.size, 0))
            continue
        width = layers[feed.producer].output_size
        for place in range(offset, offset + feed.size, width):
            same.append((x, (feed.producer, "out"), place, place + width, place))
    return same


def _scaled(layer: Layer, scale: _Scale) -> Layer:
    x: Space = (layer.name, "x")

    def size(feed: Input, offset: int) -> Input:
        start, stop = scale.range(x, (offset, offset + feed.size))
        return replace(feed, size=stop - start)

    return replace(
        layer,
        input_size=scale.place(x, layer.input_size),
        hidden_size=scale.place((layer.name, "hidden"), layer.hidden_size),
        projection_size=layer.projection_size and scale.place((layer.name, "out"), layer.output_size),
        inputs=tuple(size(feed, offset) for feed, offset in feeds(layer)),
    )
