"""Where a program's vectors, sums and inputs are on one device, as places in its memory.

Asking for a vector makes it. Some answers need work first, an input that is a sum for one: it is
emitted, as instruction words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from bench.boards.memory import Layout
from bench.boards.words import NOWHERE, Op, Part, Place, Word
from bench.numerics.numbers import Numbers
from bench.plans.cells import Product, cell_program, stage_size
from bench.plans.operations import Register, StageRows, SumRows
from bench.plans.outline import feeds, overlap
from bench.plans.plan import Range
from bench.plans.program import Program
from bench.workloads.model import EXTERNAL, Input, Layer
from bench.workloads.parameters import Sequences

Piece = tuple[Place, int]
"""A place and how many elements from there on."""


class Places:
    """The places of one device, and the words emitted so far for the present instruction.

    ``slots``: steps that vectors of the present phase are kept for, where not all of them are.
    """

    def __init__(
        self, program: Program, layers: Mapping[str, Layer], batch: int, numbers: Numbers, inputs: Sequences
    ) -> None:
        self.layers = layers
        self.numbers = numbers
        self.layout = Layout(batch)
        self.words: list[Word] = []
        self.slots = 1
        self._inputs = inputs
        self._phases = [{i.layer for i in phase.instructions} for phase in program.phases]

    def emit(self, op: Op, length: int, **fields: Place | int | tuple[Part, ...]) -> None:
        """Append an instruction; ``fields`` are those of `Word`."""
        self.words.append(Word(op, length, **fields))  # type: ignore[arg-type]

    def rows(self, what: SumRows | StageRows) -> Place:
        """The place of rows of this step."""
        if isinstance(what, SumRows):
            return self.register(what.register).from_row(what.rows[0])
        layer = self.layers[what.layer]
        if what.stage == "h":
            return self.hidden(layer, 1, 0).from_row(what.rows[0])
        return self.recent((what.layer, what.stage), stage_size(layer, what.stage)).from_row(what.rows[0])

    def register(self, register: Register) -> Place:
        """The place of a sum of this step."""
        layer = self.layers[register.layer]
        stage = next(p.stage for p in cell_program(layer).products if p.sum == register.sum)
        return self.recent(register, stage_size(layer, stage))

    def recent(self, name: Hashable, size: int, initial: NDArray[Any] | None = None) -> Place:
        """A vector whose last steps alone are kept."""
        return self.layout.vector(name, size, self.slots, initial)

    def hidden(self, layer: Layer, scale: int, shift: int) -> Place:
        """A layer's h of step ``scale * s + shift``; all steps are kept, for later layers and as results."""
        initial = self.numbers.initial(layer, "h")
        place = self.layout.vector((layer.name, "h"), layer.output_size, layer.steps + 1, initial)
        return at_step(place, scale, shift)

    def input(self, layer: Layer, cols: Range) -> list[Piece]:
        """Places and lengths of what the layer's x consists of over ``cols``, side by side.

        Where vectors are added up, the sum has been emitted and is in one place.
        """
        parts: list[list[Piece]] = []
        column = 0
        for feed, offset in feeds(layer):
            part = overlap(cols, (offset, offset + feed.size))
            if part is not None:
                rows = part[0] - offset, part[1] - offset
                if feed.producer == EXTERNAL:
                    place = self._external(layer).from_row(column + rows[0])
                    parts.append([(place, rows[1] - rows[0])])
                else:
                    parts.append(self._fed(layer, self.layers[feed.producer], feed, rows))
            column += feed.size if feed.producer == EXTERNAL else 0
        return self._combined(layer.combine, parts)

    def _external(self, layer: Layer) -> Place:
        values = self.numbers.external(self._inputs[layer.name])
        place = self.layout.vector((layer.name, EXTERNAL), values.shape[2], len(values) + 1, sequence=values)
        return at_step(place, *_line(layer))

    def _fed(self, layer: Layer, producer: Layer, feed: Input, rows: Range) -> list[Piece]:
        if feed.delay or self._together(layer, producer):
            return [(self.hidden(producer, 1, -feed.delay).from_row(rows[0]), rows[1] - rows[0])]
        parts, width = [], producer.output_size
        scale, shift = _line(layer)
        for number in range(feed.time_reduction):
            start = number * width if feed.reduction == "concat" else 0
            part = overlap(rows, (start, start + width))
            if part is not None:
                # the producer's step at time scale * s + shift, `time_reduction` of its steps to one of ours
                a, b = _line(producer)
                times = a * scale * feed.time_reduction, a * (shift * feed.time_reduction + number) + b
                parts.append([(self.hidden(producer, *times).from_row(part[0] - start), part[1] - part[0])])
        return self._combined(feed.reduction, parts)

    def _together(self, layer: Layer, producer: Layer) -> bool:
        """Whether both are in one phase, in which they advance step by step."""
        return any({layer.name, producer.name} <= names for names in self._phases)

    def _combined(self, how: str, parts: list[list[Piece]]) -> list[Piece]:
        if how == "concat":
            return [place for part in parts for place in part]
        length = sum(size for _, size in parts[0])
        vectors = Vectors(self, length)
        total = vectors.joined(parts[0])
        for part in parts[1:]:
            total = vectors.plus(total, vectors.joined(part))
        return [(total, length)]


def find_product(layer: Layer, matrix: str) -> Product:
    """The layer's product with the matrix called so."""
    return next(product for product in cell_program(layer).products if product.matrix == matrix)


def at_step(place: Place, scale: int, shift: int) -> Place:
    """The place of step ``scale * s + shift``."""
    return replace(place, scale=scale, shift=shift)


def _line(layer: Layer) -> tuple[int, int]:
    """Scale and shift from a step to its place in time, and back."""
    return (1, 0) if layer.direction == "forward" else (-1, layer.steps - 1)


class Vectors:
    """Elementwise operations on places: each emits an instruction and gives the place of its result."""

    def __init__(self, places: Places, length: int) -> None:
        self.places = places
        self.length = length

    def _make(self, op: Op, a: Place, b: Place = NOWHERE) -> Place:
        to = self.places.layout.temporary(self.length)
        self.places.emit(op, self.length, to=to, a=a, b=b)
        return to

    def joined(self, parts: list[Piece]) -> Place:
        """One place for what stands side by side."""
        if len(parts) == 1:
            return parts[0][0]
        to, reached = self.places.layout.temporary(self.length), 0
        for place, length in parts:
            self.places.emit(Op.COPY, length, to=to.from_row(reached), a=place)
            reached += length
        return to

    def plus(self, a: Place, b: Place) -> Place:
        """The sum a + b."""
        return self._make(Op.PLUS, a, b)

    def times(self, a: Place, b: Place) -> Place:
        """The product a b."""
        return self._make(Op.TIMES, a, b)

    def complement(self, a: Place) -> Place:
        """1 - a."""
        return self._make(Op.COMPLEMENT, a)

    def sigmoid(self, a: Place) -> Place:
        """1 / (1 + exp(-a))."""
        return self._make(Op.SIGMOID, a)

    def tanh(self, a: Place) -> Place:
        """The hyperbolic tangent."""
        return self._make(Op.TANH, a)

    def relu(self, a: Place) -> Place:
        """max(a, 0)."""
        return self._make(Op.RELU, a)
