"""The instructions of one layer, with sizes and cycles from the overlay, appended to its stream."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from bench.plans.cells import Product
from bench.plans.core import CoreRules
from bench.plans.cuts import Columns
from bench.plans.operations import Multiply, register
from bench.plans.ownership import Tile
from bench.plans.program import Description, Fields, Operations, Results, Start, Unit, timing
from bench.plans.setting import Setting
from bench.plans.stream import Key, Need, Stream


class Slot(NamedTuple):
    """A place for products on a device: what those of gates that are cut alike have in common.

    ``cols``: the columns of the tile that they multiply. ``last``: whether no more of the tile follow.
    ``needs``: what the operand waits for. ``packed``: rows multiplied so far, one number.
    """

    number: int
    tile: Tile
    cols: Columns
    last: bool
    needs: tuple[Need, ...]
    rows: int
    width: int
    interval: int
    vectors: int
    results: Results | None
    packed: list[int]


class Emitter:
    """Appends a layer's matrix, vector and load instructions."""

    def __init__(self, setting: Setting, rules: CoreRules, stream: Stream) -> None:
        self._overlay = setting.machine.overlay
        self._passes = setting.machine.passes
        self._batch = setting.machine.batch
        self._group_of = setting.topology.group_of
        self._stalls = dict(setting.stalls)
        self._rules = rules
        self._stream = stream
        free = setting.pipelined or self._overlay.steps_overlap
        self._start = Start.FREE if free else Start.LOCK_STEP
        self._started: set[int] = set()
        self._slots = 0
        # (device, operand, columns) -> rows multiplied so far: row blocks are packed across gates
        self._packed: dict[tuple[int, str, Columns], list[int]] = defaultdict(lambda: [0])

    def slot(self, operand: str, tile: Tile, cols: Columns, needs: tuple[Need, ...], *, last: bool) -> Slot:
        """The slot of products with a tile, or with the columns ``cols`` of it."""
        overlay = self._overlay
        rows, width = tile.rows[1] - tile.rows[0], sum(stop - start for start, stop in cols)
        interval = math.ceil(width / (overlay.tiles * overlay.lanes)) + overlay.row_block_overhead_cycles
        interval = math.ceil(interval * self._stalls.get(tile.device, 1.0))
        results = self._rules.results(rows, interval)
        packed = self._packed[tile.device, operand, cols]
        self._slots += 1
        vectors = self.blocks(rows)
        return Slot(self._slots, tile, cols, last, needs, rows, width, interval, vectors, results, packed)

    def matrix(self, key: Key, product: Product, slot: Slot, needs: Sequence[Need], lead: int) -> None:
        """A matrix-vector product.

        The gates of one operand are stacked, then cut into row blocks; a batch core has each matrix by
        itself.
        """
        rows, words = slot.rows, 1
        if self._rules.core:
            blocks = self._rules.padded_blocks(rows)
            words += self._rules.words_after(product, rows)
        else:
            before, engines = slot.packed[0], self._overlay.engines
            slot.packed[0] = before + rows
            blocks = max(-(-(before + rows) // engines) + -before // engines, 1)
        cycles = (blocks * self._passes, slot.interval, self._overlay.matrix_latency_cycles)
        fields = self._fields(Unit.MATRIX, slot.tile.device, cycles, lead, slot.vectors, words, slot.results)
        self._stream.append(key, needs, fields, _product, product, slot, rows * slot.width * self._batch)

    def vector(
        self,
        key: Key,
        device: int,
        elements: int,
        needs: Sequence[Need],
        what: str,
        does: Operations | None = None,
        lead: int = 0,
        words: int = 1,
    ) -> None:
        """An elementwise instruction on so many elements."""
        blocks = self.blocks(elements)
        fields = self._fields(Unit.VECTOR, device, (blocks, 1, 0), lead, blocks, words)
        self._stream.append(key, needs, fields, _elementwise, what, device, does)

    def load(self, what: str, device: int, cycles: int, lead: int, words: int, skipped: int) -> None:
        """A load, not in the last ``skipped`` steps; what is loaded once, before the first, is in none."""
        key = self._stream.keys["load", device, what]
        fields = self._fields(Unit.LOAD, device, (1, cycles, 0), lead, 1, words, skipped=skipped)
        self._stream.append(key, (), fields, _elementwise, f"load {what}", device, None)

    def blocks(self, rows: int) -> int:
        """Native vectors of so many rows, for the whole batch."""
        return math.ceil(rows / self._overlay.engines) * self._passes * self._rules.vectors

    def _fields(
        self,
        unit: Unit,
        device: int,
        cycles: tuple[int, int, int],
        lead: int,
        vectors: int,
        words: int,
        results: Results | None = None,
        skipped: int = 0,
    ) -> Fields:
        """``cycles``: the instruction's blocks, interval and latency."""
        start = Start.NOT_FIRST
        if device not in self._started:
            start = self._start
            self._started.add(device)
        group = self._group_of[device]
        blocks, interval, latency = cycles
        return (
            unit, device, blocks, interval, latency, -lead, skipped, group, group, start, vectors, words,
            *timing(blocks, interval, results),
        )  # fmt: skip


def _product(product: Product, slot: Slot, macs: int, layer: str) -> Description:
    tile = slot.tile
    into = register(layer, product.sum, (tile.holders,))
    does = Multiply(layer, product.matrix, tile.rows, tile.cols, slot.cols, into)
    return Description(product.matrix, tile.device, tile.device, macs, 0, slot.results, (does,))


def _elementwise(what: str, device: int, does: Operations | None, layer: str) -> Description:
    return Description(what, device, device, does=does(layer) if does else ())
