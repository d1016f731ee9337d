"""The instructions of one layer, with sizes and cycles from the overlay, appended to a phase's stream."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial

from bench.hardware.profile import Cluster
from bench.plans.cells import Product
from bench.plans.core import CoreRules
from bench.plans.operations import Multiply, Operation
from bench.plans.plan import Block, Range
from bench.plans.program import Instruction, Results, Start, Unit
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
        self._pipelined = pipelined
        self._started: set[int] = set()
        # (device, operand, columns) -> rows multiplied so far: row blocks are packed across gates
        self._packed: dict[tuple[int, str, tuple[Range, ...]], int] = defaultdict(int)

    def matrix(
        self, key: Key, product: Product, block: Block, needs: list[Need], lead: int, does: Multiply
    ) -> None:
        """A matrix-vector product with ``block``, or with some columns of it."""
        rows, cols = block.rows[1] - block.rows[0], sum(stop - start for start, stop in does.parts)
        words = math.ceil(cols / (self._overlay.tiles * self._overlay.lanes))
        interval = words + self._overlay.row_block_overhead_cycles
        interval = math.ceil(interval * self._stalls.get(block.device, 1.0))
        self._append(
            key=key,
            unit=Unit.MATRIX,
            device=block.device,
            blocks=self._packed_blocks((block.device, product.operand, does.parts), rows),
            interval=interval,
            words=1 + self._rules.words_after(product, rows),
            results=self._rules.results(rows, interval),
            latency=self._overlay.matrix_latency_cycles,
            needs=needs,
            what=product.matrix,
            lead=lead,
            vectors=self.blocks(rows),
            macs=rows * cols * self._batch,
            does=(does,),
        )

    def vector(
        self,
        key: Key,
        device: int,
        elements: int,
        needs: list[Need],
        what: str,
        lead: int = 0,
        words: int = 1,
        does: tuple[Operation, ...] = (),
    ) -> None:
        """An elementwise instruction on so many elements."""
        self._append(
            key=key,
            unit=Unit.VECTOR,
            device=device,
            blocks=self.blocks(elements),
            interval=1,
            latency=0,
            needs=needs,
            what=what,
            lead=lead,
            words=words,
            does=does,
        )

    def load(self, what: str, device: int, cycles: int, lead: int, words: int, count: int) -> None:
        """A load that runs in ``count`` steps; what is loaded once only counts before the first."""
        self._append(
            key=self._stream.key("load", self._layer.name, device, what),
            unit=Unit.LOAD,
            device=device,
            blocks=1,
            interval=cycles,
            latency=0,
            needs=[],
            what=f"load {what}",
            lead=lead,
            words=words,
            count=count,
        )

    def blocks(self, rows: int) -> int:
        """Native vectors of so many rows, for the whole batch."""
        return math.ceil(rows / self._overlay.engines) * self._rules.passes * self._rules.vectors

    def _packed_blocks(self, key: tuple[int, str, tuple[Range, ...]], rows: int) -> int:
        """Row blocks that this product adds: the gates of one operand are stacked, then cut into blocks.

        A batch core has each matrix by itself.
        """
        if self._rules.core:
            return self._rules.padded_blocks(rows) * self._rules.passes
        before = self._packed[key]
        self._packed[key] = before + rows
        whole = math.ceil((before + rows) / self._overlay.engines) - math.ceil(before / self._overlay.engines)
        return max(whole, 1) * self._rules.passes

    def _append(
        self,
        *,
        key: Key,
        unit: Unit,
        device: int,
        blocks: int,
        interval: int,
        latency: int,
        needs: list[Need],
        what: str,
        lead: int,
        vectors: int = 0,
        macs: int = 0,
        words: int = 1,
        results: Results | None = None,
        count: int | None = None,
        does: tuple[Operation, ...] = (),
    ) -> None:
        start = Start.NOT_FIRST
        if device not in self._started:
            start = Start.FREE if self._pipelined or self._overlay.steps_overlap else Start.LOCK_STEP
        self._started.add(device)
        self._stream.append(
            key,
            self._skew - lead,
            needs,
            partial(
                Instruction,
                unit=unit,
                server=device,
                blocks=blocks,
                interval=interval,
                latency=latency,
                first=self._skew - lead,
                count=self._layer.steps if count is None else count,
                group=self._group_of[device],
                to_group=self._group_of[device],
                starts_step=start,
                layer=self._layer.name,
                what=what,
                device=device,
                to_device=device,
                vectors=vectors or blocks,
                macs=macs,
                words=words,
                results=results,
            ),
            does,
        )
