"""The interpreter: a program with numbers, on devices that have nothing but their own memories.

Each device is given the blocks of the matrices that its plan says it owns, the data from outside
and the states before the first step. Everything else it must compute itself or be sent. The
instructions run in program order, iteration by iteration. What an instruction reads must be in
its device's memory, and the instruction must wait for whoever has put it there; a sum must be made of
each column once. So a run that ends proves that lowering has derived every message, that no
dependence is missing from what the emulator times, and gives the numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BrokenProgram
from bench.numerics.cells import finish, join, needs_cell_state, needs_input
from bench.numerics.complete import check_complete, check_done, disjoint, show, spell
from bench.numerics.memory import Contents, Held, Memory, Piece, Writer, missing
from bench.numerics.numbers import Numbers
from bench.numerics.order import Order
from bench.numerics.whole import time_of
from bench.plans.cells import Product, cell_program, stage_size
from bench.plans.operations import AddSums, Finish, Move, Multiply, SumInputs, SumRows
from bench.plans.outline import feeds, overlap
from bench.plans.plan import Block, Plan, Range, VectorRange
from bench.plans.program import Instruction, Phase, Program
from bench.workloads.model import EXTERNAL, Input, Layer, Workload
from bench.workloads.parameters import Sequences

Array = NDArray[Any]

CHECKED_STEPS = 3
"""Steps of an instruction in which its waits and sums are checked; after them they repeat."""


def interpret(
    program: Program, plan: Plan, workload: Workload, numbers: Numbers, inputs: Sequences
) -> dict[str, Array]:
    """Run ``program``, lowered from ``plan``; every layer's h, (steps, batch, output_size), in order of time.

    Raises BrokenProgram, naming instruction, device and range, if it reads what its device does not
    hold or does not wait for what it reads, or if a sum lacks columns or has some twice.
    """
    return _Run(program, plan, workload, numbers, inputs).outputs()


class _Run:
    """A run under way: all devices' memories, and where in the program it is."""

    def __init__(
        self, program: Program, plan: Plan, workload: Workload, numbers: Numbers, inputs: Sequences
    ) -> None:
        self.program = program
        self.plan = plan
        self.numbers = numbers
        self.batch = workload.batch
        self.layers = {layer.name: layer for layer in workload.layers}
        self.products = {
            (layer.name, product.matrix): product
            for layer in workload.layers
            for product in cell_program(layer).products
        }
        self.external = {name: numbers.external(values) for name, values in inputs.items()}
        self.initial = {layer.name: numbers.initial(layer, "h") for layer in workload.layers}
        self.memories: dict[int, Memory] = {}
        self.weights = self._load()
        self.done: dict[Block | VectorRange, int] = defaultdict(int)
        self.read_operands: dict[Hashable, tuple[int, Array]] = {}
        self.results: dict[str, Array] = {}
        self.made = {
            layer.name: np.zeros((layer.steps, layer.output_size), bool) for layer in workload.layers
        }
        self.phase_of: dict[str, int] = {}
        for number, phase in enumerate(program.phases):
            self.phase_of |= dict.fromkeys((i.layer for i in phase.instructions), number)
        self.kept = {  # layers that later phases read, whole
            feed.producer
            for layer in workload.layers
            for feed in layer.inputs
            if feed.producer != EXTERNAL and self.phase_of[feed.producer] != self.phase_of[layer.name]
        }
        self.order: Order
        self.phase = self.n = self.iteration = self.step = self.window = 0
        self.now: Instruction

    def _load(self) -> dict[Block, Array]:
        """The matrix memories: each device's own blocks (equal ones share the array)."""
        blocks: dict[tuple[str, str, Range, Range], Array] = {}
        weights = {}
        for block in self.plan.blocks:
            name = (block.layer, block.matrix, block.rows, block.cols)
            if name not in blocks:
                product = self.products[block.layer, block.matrix]
                blocks[name] = self.numbers.weights(self.layers[block.layer], product, block.rows, block.cols)
            weights[block] = blocks[name]
        return weights

    def outputs(self) -> dict[str, Array]:
        """Run all phases."""
        for number, phase in enumerate(self.program.phases):
            self.phase = number
            self.order = Order(phase)
            # a layer may read what another made as many steps ago as it lags behind it
            self.window = CHECKED_STEPS + max((i.first for i in phase.instructions), default=0)
            self._run_phase(phase)
        for name, made in self.made.items():
            if not made.all():
                time, row = map(int, np.argwhere(~made)[0])
                raise BrokenProgram(f"layer {name!r}: no device makes row {row} of h at time {time}")
        check_done(self.plan, self.layers, self.done)
        return self.results

    def _run_phase(self, phase: Phase) -> None:
        for self.iteration in range(phase.iterations):
            for self.n, self.now in enumerate(phase.instructions):
                self.step = self.iteration - self.now.first
                if 0 <= self.step < self.now.count:
                    for operation in self.now.does:
                        match operation:
                            case Multiply():
                                self._multiply(operation)
                            case Finish():
                                self._finish(operation)
                            case Move():
                                self._move(operation)
                            case AddSums():
                                self._add_sums(operation)
                            case SumInputs():
                                self._sum_inputs(operation)

    # -- operations --------------------------------------------------------------------

    def _multiply(self, does: Multiply) -> None:
        layer, product = self.layers[does.layer], self.products[does.layer, does.matrix]
        block = Block(does.layer, does.matrix, does.rows, does.cols, self.now.device)
        weights = self.weights.get(block)
        if weights is None:
            raise self._broken(
                f"multiplies rows {show(*does.rows)} x columns {show(*does.cols)} of {does.matrix}, "
                "which the device does not own"
            )
        if (does.into.layer, does.into.sum) != (does.layer, product.sum):
            raise self._broken(f"multiplies {does.matrix}, which is no part of {spell(does.into)}")
        result = self._product(layer, product, weights, does)
        contents: Contents = frozenset((does.matrix, cols) for cols in does.parts)
        into = self._open(self.now.device, does.into, stage_size(layer, product.stage), result)
        here, start = self._here(does.rows), does.rows[0]
        pieces, reached = [], start
        for old in into.over(does.rows):
            if old.start > reached:
                pieces.append(Piece(reached, old.start, here, contents))
            self._check_waits(does.into, old, does.rows)
            if old.contents & contents:
                raise self._broken(f"adds columns {show(*does.parts[0])} of {does.matrix} twice")
            span = slice(old.start - start, old.stop - start)
            result[:, span] = self.numbers.add(into.values[:, old.start : old.stop], result[:, span])
            pieces.append(Piece(old.start, old.stop, here, old.contents | contents))
            reached = old.stop
        if reached < does.rows[1]:
            pieces.append(Piece(reached, does.rows[1], here, contents))
        into.write(result, pieces)
        self.done[block] += sum(stop - start for start, stop in does.parts)

    def _product(self, layer: Layer, product: Product, weights: Array, does: Multiply) -> Array:
        """The product over all parts of the block's columns, added up."""
        total: Array | None = None
        for start, stop in does.parts:
            columns = weights[:, start - does.cols[0] : stop - does.cols[0]]
            part = self.numbers.product(columns, self._operand(layer, product, (start, stop)))
            total = part if total is None else self.numbers.add(total, part)
        assert total is not None
        return total

    def _operand(self, layer: Layer, product: Product, cols: Range) -> Array:
        """The vector that a product multiplies, as the matrix unit reads it."""
        if product.operand == "x" and layer.input_terms > 1:
            values = self._read((layer.name, "x"), self.step, cols)
        elif product.operand == "x":
            values = self._input(layer, cols)
        elif product.operand == "h":
            values = self._hidden(layer, self.step - 1, cols)
        else:
            values = self._read((layer.name, product.operand), self.step, cols)
        # the gates of a layer multiply the same vector: it is converted once
        key = (self.now.device, layer.name, product.operand, cols)
        known = self.read_operands.get(key)
        if known is None or known[0] != self.step:
            known = (self.step, self.numbers.operand(layer, product, values))
            self.read_operands[key] = known
        return known[1]

    def _sum_inputs(self, does: SumInputs) -> None:
        layer = self.layers[does.layer]
        for cols in does.cols:
            self._write((layer.name, "x"), cols, self._input(layer, cols), layer.input_size)

    def _finish(self, does: Finish) -> None:
        layer = self.layers[does.layer]
        program = cell_program(layer)
        stage = program.stage(does.stage)
        sums = {}
        for name in program.sums(does.stage):
            terms = [term for term in does.terms if term.register.sum == name]
            total = self._total(layer, name, does.rows, terms)
            sums[name] = self.numbers.gate_sum(layer, name, does.rows, total)
        state = {operand: self._hidden(layer, self.step - 1, does.rows) for operand in stage.state}
        if needs_cell_state(layer, stage):
            if self.step:
                c = (layer.name, "c")
                state["c"], pieces = self._find(c, self.step - 1, does.rows)
                self._check_all(c, pieces, does.rows)
            else:
                state["c"] = self.numbers.initial(layer, "c")[:, slice(*does.rows)]
        x = self._input(layer, does.rows) if needs_input(layer, stage) else None
        made = finish(self.numbers.vector, layer, stage, sums, state, x)
        for name, values in made.items():
            self._write((layer.name, name), does.rows, values, stage_size(layer, does.stage))
        self.done[VectorRange(does.layer, does.stage, does.rows, self.now.device)] += 1
        if does.stage == "h":
            self._result(layer, does.rows, made["h"])

    def _total(self, layer: Layer, name: str, rows: Range, terms: list[SumRows]) -> Array:
        """A sum over ``rows``: all that the device holds of it, added."""
        total: Array | None = None
        found: list[Piece] = []
        for term in terms:
            values, pieces = self._sum_rows(term, aligned=rows)
            found += pieces
            span = slice(term.rows[0] - rows[0], term.rows[1] - rows[0])
            if total is None:
                total = np.zeros((self.batch, rows[1] - rows[0]), values.dtype)
            total[:, span] = self.numbers.add(total[:, span], values)
        if self.step < CHECKED_STEPS:
            check_complete(layer, name, rows, found, self._broken)
        assert total is not None
        return total

    def _add_sums(self, does: AddSums) -> None:
        total, contents = None, []
        for term in does.terms:
            values, pieces = self._sum_rows(term)
            total = values if total is None else self.numbers.add(total, values)
            contents.append(pieces)
        assert total is not None
        rows = does.terms[0].rows
        edges = sorted({rows[1], *(piece.start for pieces in contents for piece in pieces)})
        joined = []
        for a, b in pairwise(edges):
            parts = [p for ps in contents for p in ps if p.start <= a < p.stop]
            joined.append(Piece(a, b, self._here(rows), disjoint(does.into.sum, parts, self._broken)))
        layer = self.layers[does.into.layer]
        stage = next(p.stage for p in cell_program(layer).products if p.sum == does.into.sum)
        into = self._open(self.now.device, does.into, stage_size(layer, stage), total)
        into.receive(total, joined, self._here(rows)[0])  # a device may add up the same for several owners

    def _move(self, does: Move) -> None:
        for what in does.carries:
            if isinstance(what, SumRows):
                name: Hashable = what.register
                values, pieces = self._sum_rows(what)
            else:
                name = (what.layer, what.stage)
                values, pieces = self._find(name, self.step, what.rows)
                self._check_all(name, pieces)
            source = self._memory().find(name, self.step)
            assert source is not None
            held = self._open(self.now.to_device, name, source.values.shape[1], values)
            held.receive(values, pieces, self._here(what.rows)[0])

    # -- reading and writing -----------------------------------------------------------

    def _memory(self, device: int | None = None) -> Memory:
        device = self.now.device if device is None else device
        if device not in self.memories:
            self.memories[device] = Memory(self.batch)
        return self.memories[device]

    def _find(self, name: Hashable, step: int, rows: Range) -> tuple[Array, list[Piece]]:
        """Held rows and their pieces; BrokenProgram if the device does not hold all of them."""
        held = self._memory().find(name, step)
        pieces = held.over(rows) if held else []
        gap = missing([(p.start, p.stop) for p in pieces], rows)
        if gap or held is None:
            raise self._broken(
                f"reads {spell(name)}, rows {show(*(gap or rows))}, which the device does not hold"
            )
        return held.values[:, slice(*rows)], pieces

    def _read(self, name: tuple[str, str], step: int, rows: Range) -> Array:
        values, pieces = self._find(name, step, rows)
        if self.phase_of[name[0]] == self.phase:
            self._check_all(name, pieces)
        return values

    def _sum_rows(self, term: SumRows, aligned: Range | None = None) -> tuple[Array, list[Piece]]:
        values, pieces = self._find(term.register, self.step, term.rows)
        self._check_all(term.register, pieces, aligned)
        return values, pieces

    def _hidden(self, layer: Layer, step: int, rows: Range) -> Array:
        """The layer's h of a step; the layer is of this phase."""
        if step < 0:
            return self.initial[layer.name][:, slice(*rows)]
        return self._read((layer.name, "h"), step, rows)

    def _input(self, layer: Layer, cols: Range) -> Array:
        """The layer's x over ``cols``, from what the device holds."""
        parts, column = [], 0
        for feed, offset in feeds(layer):
            part = overlap(cols, (offset, offset + feed.size))
            if part is not None:
                rows = part[0] - offset, part[1] - offset
                if feed.producer == EXTERNAL:
                    values = self.external[layer.name][time_of(layer, self.step)]
                    parts.append(values[:, column + rows[0] : column + rows[1]])
                else:
                    parts.append(self._fed(layer, self.layers[feed.producer], feed, rows))
            column += feed.size if feed.producer == EXTERNAL else 0
        return join(self.numbers, layer.combine, parts)

    def _fed(self, layer: Layer, producer: Layer, feed: Input, rows: Range) -> Array:
        """Rows of what ``feed`` brings, from one step of the producer or several."""
        together = self.phase_of[producer.name] == self.phase
        if together and feed.time_reduction == 1:
            return self._hidden(producer, self.step - feed.delay, rows)
        if together:
            raise self._broken(
                f"takes {feed.time_reduction} steps of layer {producer.name!r} at once, which makes only one "
                "in each iteration of the same phase"
            )
        parts, width = [], producer.output_size
        first = time_of(layer, self.step) * feed.time_reduction
        for place in range(feed.time_reduction):
            start = place * width if feed.reduction == "concat" else 0
            part = overlap(rows, (start, start + width))
            if part is not None:
                step = time_of(producer, first + place)
                parts.append(self._read((producer.name, "h"), step, (part[0] - start, part[1] - start)))
        return join(self.numbers, feed.reduction, parts)

    def _open(self, device: int, name: Hashable, size: int, values: Array) -> Held:
        """A vector of this step in a device's memory, to write ``values`` of it to."""
        whole = isinstance(name, tuple) and name[0] in self.kept and name[1] == "h"
        window = None if whole else self.window
        return self._memory(device).open(name, self.step, size, values.dtype, window)

    def _write(self, name: tuple[str, str], rows: Range, values: Array, size: int) -> None:
        held = self._open(self.now.device, name, size, values)
        held.write(values, [Piece(*rows, self._here(rows))])

    def _result(self, layer: Layer, rows: Range, values: Array) -> None:
        """Note the layer's output; where several devices compute it, they must agree."""
        if layer.name not in self.results:
            self.results[layer.name] = np.empty((layer.steps, self.batch, layer.output_size), values.dtype)
        time, span = time_of(layer, self.step), slice(*rows)
        if not self.made[layer.name][time, span].any():
            self.results[layer.name][time][:, span] = values
            self.made[layer.name][time, span] = True
        elif not self.numbers.agree(values, self.results[layer.name][time][:, span]):
            raise self._broken(f"makes other values of h, rows {show(*rows)}, than another device has made")

    # -- checks ------------------------------------------------------------------------

    def _check_all(self, name: Hashable, pieces: list[Piece], aligned: Range | None = None) -> None:
        for piece in pieces:
            self._check_waits(name, piece, aligned)

    def _check_waits(self, name: Hashable, piece: Piece, aligned: Range | None = None) -> None:
        """Refuse a read that no dependences put behind the write.

        ``aligned``: the rows that the instruction itself goes through, if it can follow a writer
        of the same rows vector by vector.
        """
        if self.step >= CHECKED_STEPS:
            return
        for writer in piece.writers:
            back = self.iteration - writer.iteration
            whole = writer.rows != aligned
            if self.order.follows(self.n, writer.instruction, back, whole=whole):
                return
        raise self._broken(
            f"reads {spell(name)}, rows {show(piece.start, piece.stop)}, without waiting for "
            f"instruction {piece.writers[0].instruction}, which makes them"
        )

    def _here(self, rows: Range) -> tuple[Writer, ...]:
        return (Writer(self.n, self.iteration, rows),)

    def _broken(self, text: str) -> BrokenProgram:
        now = self.now
        return BrokenProgram(
            f"layer {now.layer!r}, step {self.step}, device {now.device}: "
            f"instruction {self.n} ({now.what}) {text}"
        )
