"""A program with numbers to images: for each device, memory, weights and instruction words.

Every device gets its part of the program in program order, so that sends and receives of all
devices are in one order, and none can wait for another in a circle. What an instruction means is
`bench.plans.operations`'; the elementwise operations come from `bench.numerics.cells`, followed with
places in memory in place of numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.boards.hops import Hop, find_hops
from bench.boards.image import Image, Output, PhaseCode
from bench.boards.places import Piece, Places, Vectors, at_step, find_product
from bench.boards.sums import Added, Stamp, already_there, cover, split
from bench.boards.words import WORDS, Op, Part, Place
from bench.errors import Unsupported
from bench.numerics.cells import finish, needs_cell_state, needs_input
from bench.numerics.formats import FRACTION_BITS
from bench.numerics.numbers import Numbers
from bench.plans.cells import Product, cell_program, stage_size
from bench.plans.operations import (
    AddSums,
    Finish,
    Move,
    Multiply,
    Operation,
    SumInputs,
    SumRows,
)
from bench.plans.plan import Block, Plan, Range
from bench.plans.program import Instruction, Phase, Program
from bench.workloads.model import Layer, Workload
from bench.workloads.parameters import Sequences

MOST_BITS = 32
"""Of an accumulator and of a vector element: what the kernel's integers hold."""


def assemble(
    program: Program, plan: Plan, workload: Workload, numbers: Numbers, inputs: Sequences
) -> tuple[Image, ...]:
    """One image a device of ``program``, which is lowered from ``plan``.

    Raises Unsupported for a format that is not an integer one of `MOST_BITS` bits at most.
    """
    fmt = numbers.fmt
    if not fmt.is_integer or fmt.accumulator_bits > MOST_BITS:
        raise Unsupported(
            f"boards compute in int8 with sums of {MOST_BITS} bits at most; the format is {fmt.name}, "
            f"with sums of {fmt.accumulator_bits} bits"
        )
    return tuple(
        _Device(device, program, plan, workload, numbers, inputs).image() for device in range(program.devices)
    )


class _Device:
    """One device's image under construction."""

    def __init__(
        self,
        device: int,
        program: Program,
        plan: Plan,
        workload: Workload,
        numbers: Numbers,
        inputs: Sequences,
    ) -> None:
        self.device = device
        self.program = program
        self.numbers = numbers
        self.batch = workload.batch
        self.layers = {layer.name: layer for layer in workload.layers}
        self.places = Places(program, self.layers, workload.batch, numbers, inputs)
        self.pieces: list[NDArray[np.int8]] = []
        self.blocks: dict[Block, int] = {}
        self.weight_bytes = 0
        for block in plan.blocks:
            if block.device == device:
                self._load(block)
        self.parts: list[Part] = []
        self.outputs: list[Output] = []
        self.operands: dict[tuple[str, str, Range, int, int], int] = {}
        self.reached = self.vector_file = 0
        self.there: Added = {}
        self.hops: dict[Stamp, list[Hop]] = {}

    def _load(self, block: Block) -> None:
        layer = self.layers[block.layer]
        product = find_product(layer, block.matrix)
        weights = self.numbers.weights(layer, product, block.rows, block.cols).astype(np.int8)
        self.blocks[block] = self.weight_bytes
        self.pieces.append(weights)
        self.weight_bytes += weights.size

    def image(self) -> Image:
        """Assemble all phases."""
        phases = tuple(self._phase(phase) for phase in self.program.phases)
        weights = np.concatenate([piece.ravel() for piece in self.pieces] or [np.zeros(0, np.int8)])
        memory, units = self.places.layout.contents()
        parts = [(part.column, part.operand, part.columns) for part in self.parts]
        return Image(
            device=self.device,
            fmt=self.numbers.fmt,
            batch=self.batch,
            phases=phases,
            memory=memory,
            weights=weights,
            units=units,
            parts=np.array(parts, np.int32).reshape(-1, 3),
            vector_file=self.vector_file,
            outputs=tuple(self.outputs),
        )

    def _phase(self, phase: Phase) -> PhaseCode:
        # what is not kept whole is read within as many steps as instructions lie apart, or a step later
        self.places.slots = 2 + max((i.first for i in phase.instructions), default=0)
        self.operands.clear()
        self.reached = 0
        self.there = already_there(phase, self.device)
        self.hops = find_hops(phase)
        rows: list[tuple[int, ...]] = []
        for number, now in enumerate(phase.instructions):
            self.places.words = []
            self.places.layout.release()
            for place, does in enumerate(now.does):
                self._operation(now, does, (now.first, number, place))
            for word in self.places.words:
                rows.append(word.encode(now.first, now.count, len(self.parts)))
                self.parts += word.parts
        return PhaseCode(np.array(rows, np.int32).reshape(-1, WORDS), phase.iterations)

    def _operation(self, now: Instruction, does: Operation, stamp: Stamp) -> None:
        if isinstance(does, Move):
            self._move(stamp)
        elif now.device == self.device:
            match does:
                case Multiply():
                    self._multiply(now, does, stamp)
                case Finish():
                    self._finish(does)
                case AddSums():
                    self._add_sums(does)
                case SumInputs():
                    self._sum_inputs(does)

    # -- operations --------------------------------------------------------------------

    def _move(self, stamp: Stamp) -> None:
        for hop in self.hops[stamp]:
            length = hop.what.rows[1] - hop.what.rows[0]
            if hop.source == self.device:
                box = self.places.layout.fixed(length)
                self.places.emit(Op.SEND, length, to=box, a=self.places.rows(hop.what), peer=hop.target)
            elif hop.target == self.device:
                box = self.places.layout.fixed(length)
                self.places.emit(Op.RECEIVE, length, to=self.places.rows(hop.what), a=box, peer=hop.source)

    def _multiply(self, now: Instruction, does: Multiply, stamp: Stamp) -> None:
        layer = self.layers[does.layer]
        product = find_product(layer, does.matrix)
        start = self.blocks[Block(does.layer, does.matrix, does.rows, does.cols, self.device)]
        parts = tuple(
            Part(cols[0] - does.cols[0], self._operand(now, layer, product, cols), cols[1] - cols[0])
            for cols in does.parts
        )
        pitch = does.cols[1] - does.cols[0]
        into = self.places.register(does.into)
        for rows, added in split(does.rows, self.there[stamp, does.into]):
            self.places.emit(
                Op.MULTIPLY,
                rows[1] - rows[0],
                to=into.from_row(rows[0]),
                offset=start + (rows[0] - does.rows[0]) * pitch,
                pitch=pitch,
                parts=parts,
                flag=int(added),
            )

    def _operand(self, now: Instruction, layer: Layer, product: Product, cols: Range) -> int:
        """Where the matrix unit has the operand's columns; they are read once for all gates of a layer."""
        key = (layer.name, product.operand, cols, now.first, now.count)
        if key not in self.operands:
            reached = self.operands[key] = self.reached
            self.reached += cols[1] - cols[0]
            self.vector_file = max(self.vector_file, self.reached)
            factor = self.numbers.operand_factor(layer, product.operand) * 2.0**-FRACTION_BITS
            flag = self.places.layout.units(("factor", factor), np.array([factor]))
            for place, length in self._operand_places(layer, product.operand, cols):
                self.places.emit(Op.OPERAND, length, a=place, offset=reached, flag=flag)
                reached += length
        return self.operands[key]

    def _operand_places(self, layer: Layer, operand: str, cols: Range) -> list[Piece]:
        if operand == "x" and layer.input_terms == 1:
            return self.places.input(layer, cols)
        length = cols[1] - cols[0]
        if operand == "h":
            return [(self.places.hidden(layer, 1, -1).from_row(cols[0]), length)]
        size = layer.input_size if operand == "x" else stage_size(layer, operand)
        return [(self.places.recent((layer.name, operand), size).from_row(cols[0]), length)]

    def _sum_inputs(self, does: SumInputs) -> None:
        layer = self.layers[does.layer]
        x = self.places.recent((layer.name, "x"), layer.input_size)
        for cols in does.cols:
            reached = cols[0]
            for place, length in self.places.input(layer, cols):
                self.places.emit(Op.COPY, length, to=x.from_row(reached), a=place)
                reached += length

    def _add_sums(self, does: AddSums) -> None:
        rows = does.terms[0].rows
        into = self.places.register(does.into).from_row(rows[0])
        total = self.places.rows(does.terms[0])
        for term in does.terms[1:]:
            self.places.emit(Op.ADD, rows[1] - rows[0], to=into, a=total, b=self.places.rows(term))
            total = into
        if len(does.terms) == 1:
            self.places.emit(Op.COPY, rows[1] - rows[0], to=into, a=total)

    def _finish(self, does: Finish) -> None:
        layer = self.layers[does.layer]
        program = cell_program(layer)
        stage = program.stage(does.stage)
        length = does.rows[1] - does.rows[0]
        vectors = Vectors(self.places, length)
        sums = {}
        for name in program.sums(does.stage):
            terms = [term for term in does.terms if term.register.sum == name]
            sums[name] = self._gate_sum(layer, name, does.rows, self._total(does.rows, terms), vectors)
        state = {operand: self.places.hidden(layer, 1, -1).from_row(does.rows[0]) for operand in stage.state}
        size = stage_size(layer, does.stage)
        if needs_cell_state(layer, stage):
            initial = self.numbers.initial(layer, "c")
            c = self.places.recent((layer.name, "c"), size, initial)
            state["c"] = at_step(c, 1, -1).from_row(does.rows[0])
        x = vectors.joined(self.places.input(layer, does.rows)) if needs_input(layer, stage) else None
        for name, value in finish(vectors, layer, stage, sums, state, x).items():
            to = (
                self.places.hidden(layer, 1, 0)
                if name == "h"
                else self.places.recent((layer.name, name), size)
            )
            self.places.emit(Op.COPY, length, to=to.from_row(does.rows[0]), a=value)
            if name == "h":
                first = to.base + to.stride + does.rows[0]
                self.outputs.append(Output(layer.name, does.rows, first, to.stride, to.pitch))

    def _total(self, rows: Range, terms: list[SumRows]) -> Place:
        """The place of a sum over ``rows``: of its register, or of what the registers add up to."""
        if len(terms) == 1 and terms[0].rows == rows:
            return self.places.rows(terms[0])
        total = self.places.layout.temporary(rows[1] - rows[0])
        for span, covered in cover(rows, terms):
            here = total.from_row(span[0] - rows[0])
            length = span[1] - span[0]
            for number, term in enumerate(covered):
                value = self.places.register(term.register).from_row(span[0])
                if number == 0:
                    self.places.emit(Op.COPY, length, to=here, a=value)
                else:
                    self.places.emit(Op.ADD, length, to=here, a=here, b=value)
        return total

    def _gate_sum(self, layer: Layer, name: str, rows: Range, total: Place, vectors: Vectors) -> Place:
        units = self.places.layout.units(
            (layer.name, name), self.numbers.unit(layer, name) * 2.0**FRACTION_BITS
        )
        value = self.places.layout.temporary(vectors.length)
        self.places.emit(Op.GATE, vectors.length, to=value, a=total, offset=units + rows[0])
        bias = self.numbers.bias(layer, name)
        if bias is None:
            return value
        return vectors.plus(value, self.places.layout.constant((layer.name, name), bias).from_row(rows[0]))
