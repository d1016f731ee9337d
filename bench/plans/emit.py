"""The instructions of one layer, with sizes and cycles from the overlay, appended to a phase's stream."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from bench.hardware.profile import Cluster
from bench.plans.cells import Product
from bench.plans.core import CoreRules
from bench.plans.cuts import Columns
from bench.plans.operations import Multiply, Register
from bench.plans.ownership import Tile
from bench.plans.program import Describe, Description, Operations, Results, Start, Unit, timing
from bench.plans.stream import Key, Need, Stream
from bench.workloads.model import Layer


class Emitter:
    """Appends a layer's matrix, vector and load instructions."""

    def __init__(
        self,
        layer: Layer,
        batch: int,
        cluster: Cluster,
        rules: CoreRules,
        stalls: dict[int, float],
        group_of: dict[int, int],
        stream: Stream,
        skew: int,
        *,
        pipelined: bool,
    ) -> None:
        self._layer = layer
        self._batch = batch
        self._overlay = cluster.profile.overlay
        self._rules = rules
        self._stalls = stalls
        self._group_of = group_of
        self._stream = stream
        self._skew = skew
        self._start = Start.FREE if pipelined or self._overlay.steps_overlap else Start.LOCK_STEP
        self._started: set[int] = set()
        # (device, operand, columns) -> rows multiplied so far: row blocks are packed across gates
        self._packed: dict[tuple[int, str, Columns], int] = defaultdict(int)

    def matrix(
        self, key: Key, product: Product, tile: Tile, parts: Columns, needs: Sequence[Need], lead: int
    ) -> None:
        """A matrix-vector product with a tile, or with the columns ``parts`` of it."""
        overlay, device = self._overlay, tile.device
        rows, cols = tile.rows[1] - tile.rows[0], sum([stop - start for start, stop in parts])
        interval = -(-cols // (overlay.tiles * overlay.lanes)) + overlay.row_block_overhead_cycles
        if device in self._stalls:
            interval = math.ceil(interval * self._stalls[device])
        blocks = self._packed_blocks((device, product.operand, parts), rows)
        results = self._rules.results(rows, interval)
        self._append(
            key,
            Unit.MATRIX,
            device,
            (blocks, interval, overlay.matrix_latency_cycles),
            needs,
            lead,
            vectors=self.blocks(rows),
            words=1 + self._rules.words_after(product, rows),
            results=results,
            describe=partial(
                _product, self._layer.name, product, tile, parts, rows * cols * self._batch, results
            ),
        )

    def vector(
        self,
        key: Key,
        device: int,
        elements: int,
        needs: Sequence[Need],
        what: str,
        does: Operations = tuple,
        lead: int = 0,
        words: int = 1,
    ) -> None:
        """An elementwise instruction on so many elements."""
        blocks = self.blocks(elements)
        describe = partial(_elementwise, self._layer.name, what, device, does)
        self._append(key, Unit.VECTOR, device, (blocks, 1, 0), needs, lead, blocks, words, describe)

    def load(self, what: str, device: int, cycles: int, lead: int, words: int, count: int) -> None:
        """A load that runs in ``count`` steps; what is loaded once only counts before the first."""
        key = self._stream.keys["load", self._layer.name, device, what]
        describe = partial(_elementwise, self._layer.name, f"load {what}", device)
        self._append(key, Unit.LOAD, device, (1, cycles, 0), (), lead, 1, words, describe, count=count)

    def blocks(self, rows: int) -> int:
        """Native vectors of so many rows, for the whole batch."""
        return -(-rows // self._overlay.engines) * self._rules.passes * self._rules.vectors

    def _packed_blocks(self, key: tuple[int, str, Columns], rows: int) -> int:
        """Row blocks that this product adds: the gates of one operand are stacked, then cut into blocks.

        A batch core has each matrix by itself.
        """
        if self._rules.core:
            return self._rules.padded_blocks(rows) * self._rules.passes
        before, engines = self._packed[key], self._overlay.engines
        self._packed[key] = before + rows
        whole = -(-(before + rows) // engines) + (-before // engines)
        return max(whole, 1) * self._rules.passes

    def _append(
        self,
        key: Key,
        unit: Unit,
        device: int,
        cycles: tuple[int, int, int],
        needs: Sequence[Need],
        lead: int,
        vectors: int,
        words: int,
        describe: Describe,
        results: Results | None = None,
        count: int | None = None,
    ) -> None:
        """``cycles``: the instruction's blocks, interval and latency."""
        start = Start.NOT_FIRST
        if device not in self._started:
            start = self._start
            self._started.add(device)
        first, group = self._skew - lead, self._group_of[device]
        steps = self._layer.steps if count is None else count
        blocks, interval, _ = cycles
        fields = (
            unit, device, *cycles, first, steps, group, group, start, vectors, words,
            *timing(blocks, interval, results),
        )  # fmt: skip
        self._stream.append(key, first, needs, fields, describe)


def _product(
    layer: str, product: Product, tile: Tile, parts: Columns, macs: int, results: Results | None
) -> Description:
    register = Register(layer, product.sum, (tile.holders,))
    does = Multiply(layer, product.matrix, tile.rows, tile.cols, parts, register)
    return Description(layer, product.matrix, tile.device, tile.device, macs, 0, results, (does,))


def _elementwise(layer: str, what: str, device: int, does: Operations = tuple) -> Description:
    return Description(layer, what, device, device, does=does())
