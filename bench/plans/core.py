"""What differs in a core with tensor blocks: sizes, instruction words, and what a dependence waits for.

The structure is that of the open NPU overlay for the Stratix 10 NX (intel/fpga-npu, commit
6fead51: compiler, performance simulator and RTL).
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cached_property

from bench.plans.cells import Product, Stage, matrix_shape
from bench.plans.plan import Range
from bench.plans.program import Results, Wait
from bench.plans.setting import Setting
from bench.plans.stream import Key, Need, Stream
from bench.workloads.model import EXTERNAL


class CoreRules:
    """The rules of an overlay for one layer; without a batch core, those of any other overlay."""

    def __init__(self, setting: Setting, stream: Stream) -> None:
        self._setting = setting
        self._stream = stream
        self.overlay = setting.machine.overlay
        self.core = self.overlay.batch_core
        """The batch core, if the overlay has one."""
        self.vectors = self.overlay.vectors_per_pass if self.core else 1
        """Cycles that a row block takes in the multifunction units."""

    # -- sizes -------------------------------------------------------------------------

    def padded_blocks(self, rows: int) -> int:
        """Row blocks of a matrix, those that only pad it included."""
        least = self.core.accumulators if self.core else 1
        return max(math.ceil(rows / self.overlay.engines), least)

    def results(self, rows: int, words: int) -> Results | None:
        """When the row blocks of a product leave the matrix unit; None: one by one, as they are issued.

        ``words``: matrix words of a row block. ``accumulators`` blocks go through their words side
        by side, so their results come in one burst at the end; what is left joins the last group.
        """
        if self.core is None:
            return None
        padded, real = self.padded_blocks(rows), math.ceil(rows / self.overlay.engines)
        size, passes = self.core.accumulators, self._setting.machine.passes
        groups = [size] * (padded // size - 1)
        groups.append(padded - sum(groups))
        idle = self.core.output_cycles - self.overlay.vectors_per_pass
        start = last = 0
        for n, blocks in enumerate(groups):
            burst = start + (words - 1) * blocks + 1
            wanted = max(min(blocks, real - size * n), 1)
            last = max(last, burst + wanted * self.core.output_cycles - idle - 1)
            start += blocks * words
        return Results(
            first=(words - 1) * groups[0] + 1,
            last=(passes - 1) * padded * words + last,
            cycles=real * self.core.output_cycles * passes,
            idle=idle,
        )

    @cached_property
    def loads(self) -> list[tuple[int, int]]:
        """Devices that load inputs by instructions, and in how many cycles: a vector word in each.

        All tiles' vector files are filled to the same depth.
        """
        if self.core is None or all(feed.producer != EXTERNAL for feed in self._setting.layer.inputs):
            return []
        columns: dict[int, set[Range]] = defaultdict(set)
        for product in self._setting.shape.products("x"):
            for device, cols in self._setting.tilings[product.matrix].columns:
                columns[device].add(cols)
        vectors = self.overlay.tiles * self.overlay.vectors_per_pass * self._setting.machine.passes
        width = self.overlay.tiles * self.overlay.lanes
        return [
            (device, vectors * math.ceil(sum(stop - start for start, stop in ranges) / width))
            for device, ranges in sorted(columns.items())
        ]

    # -- instruction words -------------------------------------------------------------

    def write_words(self, rows: int) -> int:
        """Instruction words that write a vector into the matrix unit: one for each tile that gets a part."""
        if self.core is None:
            return 0
        each = math.ceil(rows / (self.overlay.tiles * self.overlay.lanes))
        return math.ceil(math.ceil(rows / self.overlay.lanes) / each)

    def words_after(self, product: Product, rows: int) -> int:
        """The same for a stage that is a product's own result, behind the last product; else 0."""
        if self.core is None:
            return 0
        program = self._setting.program
        last = [p for p in program.products if p.stage == product.stage][-1]
        ends = product == last and not program.stage(product.stage).chain
        return self.write_words(rows) if ends else 0

    def run_ahead(self, product: Product) -> list[tuple[int, Range]]:
        """Where an instruction of the stage's chain comes right behind this product: device, rows.

        Owners of the stage that make the gate's sum alone, from all columns.
        """
        if self.core is None or product.operand == "x":
            return []
        setting = self._setting
        stage = setting.program.stage(product.stage)
        if product.gate != stage.ahead:
            return []
        matrices = [p for p in setting.program.products if p.gate == product.gate]
        return [
            (device, rows)
            for rows, owners in setting.shards[stage.name].owners.items()
            for device in owners
            if all(
                any(
                    (tile.rows, tile.cols, tile.device)
                    == (rows, (0, matrix_shape(setting.layer, p)[1]), device)
                    for tile in setting.tiles(p)
                )
                for p in matrices
            )
        ]

    # -- dependences -------------------------------------------------------------------

    def addend(self, key: Key, same_rows: bool) -> Need:
        """The wait of a product for the sum that it adds to, in the first multifunction unit."""
        if self.core:
            return self.operand(key)
        return self._stream.need(key, 0, Wait.BLOCKS if same_rows else Wait.ALL)

    def operand(self, key: Key) -> Need:
        """The wait for a vector that the first multifunction unit reads (batch core)."""
        return self._stream.need(key, 0, Wait.UNITS, self.core.first_unit_cycles if self.core else 0)

    def newest(self, key: Key, same_rows: bool, stage: Stage) -> Need:
        """The wait of a stage's chain for a gate's sum."""
        if self.core is None:
            return self._chained(key, same_rows)
        return self._stream.need(key, 0, Wait.UNITS, self.core.second_unit_cycles if stage.second_unit else 0)

    def link(self, key: Key) -> Need:
        """The wait of a chain's instruction for the one before it."""
        return self._stream.need(key, 0, Wait.UNITS) if self.core else self._chained(key, True)

    def _chained(self, key: Key, same_rows: bool) -> Need:
        return self._stream.need(key, 0, Wait.BLOCKS if same_rows else Wait.ALL)
