"""What the devices' memories hold: which rows of which vector, who has written them, what sums are made of.

No numbers: those are in `bench.numerics.values`, in the cells that a `Held` names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.plans.operations import Register
from bench.plans.plan import Range


class Writer(NamedTuple):
    """The instruction that wrote something, in which iteration, and all rows that it wrote then."""

    instruction: int
    iteration: int
    rows: Range


Contents = frozenset[tuple[str, Range]]
"""What a sum is made of: (matrix, columns)."""

NOTHING: Contents = frozenset()


class Piece(NamedTuple):
    """A row range of a vector.

    ``writers``: who wrote its present value; several, if it has been received, or added up, more than once.
    ``contents``: what it is the sum of (of a vector: nothing).
    """

    start: int
    stop: int
    writers: tuple[Writer, ...]
    contents: Contents = NOTHING

    def part(self, start: int, stop: int) -> Piece:
        """What of it is within a range."""
        if self.start >= start and self.stop <= stop:
            return self
        return Piece(max(self.start, start), min(self.stop, stop), self.writers, self.contents)


Vector = tuple[str, str]
"""A vector's name: (layer, stage), ``x`` for the sum of the layer's inputs, ``c`` for its cell state."""


@dataclass(slots=True, eq=False)
class Held:
    """A vector or a register on one device: its cells, ``size`` of them from ``first`` on.

    ``steps``: of each time step, the pieces that the device holds, in order; they do not overlap.
    """

    name: Vector | Register
    first: int
    size: int
    steps: dict[int, list[Piece]] = field(default_factory=dict)

    def over(self, step: int, rows: Range) -> list[Piece]:
        """The pieces, or parts of them, within ``rows``, in order."""
        pieces = self.steps.get(step)
        if not pieces:
            return []
        start, stop = rows
        if len(pieces) == 1 and pieces[0][:2] == rows:
            return pieces
        return [p.part(start, stop) for p in pieces if p.start < stop and p.stop > start]

    def write(self, step: int, pieces: list[Piece]) -> None:
        """Put adjoining ``pieces`` here in place of what was."""
        old = self.steps.get(step)
        start, stop = pieces[0].start, pieces[-1].stop
        if not old:
            self.steps[step] = pieces
        elif old[-1].stop <= start:
            self.steps[step] = [*old, *pieces]
        else:
            left = [p.part(p.start, start) for p in old if p.start < start]
            right = [p.part(stop, p.stop) for p in old if p.stop > stop]
            self.steps[step] = [*left, *pieces, *right]

    def receive(self, step: int, pieces: list[Piece], writer: Writer) -> None:
        """Put what a message or an addition brings here; what is here already now has one writer more."""
        if not self.steps.get(step):
            only = (writer,)
            self.steps[step] = [Piece(start, stop, only, contents) for start, stop, _, contents in pieces]
            return
        arrived = []
        for piece in pieces:
            reached = piece.start
            for old in self.over(step, (piece.start, piece.stop)):
                if old.start > reached:
                    arrived.append(Piece(reached, old.start, (writer,), piece.contents))
                arrived.append(Piece(old.start, old.stop, (*old.writers, writer), piece.contents))
                reached = old.stop
            if reached < piece.stop:
                arrived.append(Piece(reached, piece.stop, (writer,), piece.contents))
        self.write(step, arrived)


def missing(parts: Sequence[Piece] | Sequence[Range], rows: Range) -> Range | None:
    """The first of ``rows`` that ``parts``, in order, leave out."""
    reached = rows[0]
    for part in parts:
        if part[0] > reached:
            return reached, part[0]
        reached = part[1]
    return (reached, rows[1]) if reached < rows[1] else None


class Memories:
    """The memories of all devices, as far as the layers of one phase use them."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[int, Vector], Held] = {}
        self.sums: dict[tuple[int, Register], Held] = {}
        self.cells = 0
        """Cells of vectors; of accumulators there are ``accumulators``."""
        self.accumulators = 0

    def vector(self, device: int, name: Vector, size: int) -> Held:
        """Where ``device`` keeps a vector of ``size`` elements."""
        held = self.vectors.get((device, name))
        if held is None:
            held = self.vectors[device, name] = Held(name, self.cells, size)
            self.cells += size
        return held

    def sum(self, device: int, register: Register, size: int) -> Held:
        """Where ``device`` keeps a register of ``size`` accumulators."""
        held = self.sums.get((device, register))
        if held is None:
            held = self.sums[device, register] = Held(register, self.accumulators, size)
            self.accumulators += size
        return held
