"""The instruction words that a device's kernel carries out; `kernels/device.cl` has the other side.

An instruction is `WORDS` 32-bit integers. Vectors and sums are in one memory of 32-bit integers,
in fixed point with `bench.numerics.formats.FRACTION_BITS` or as accumulators; a `Place` says where
a row range is at any time step. Batch items are carried out one after the other.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from enum import IntEnum

WORDS = 32
"""Integers of an instruction."""

FLIT_INTS = 8
"""32-bit integers that cross a link at a time: the 256 bits of a 520N's external channel."""

OP, FIRST, COUNT, LENGTH, TO, A, B = 0, 1, 2, 3, 4, 10, 16
OFFSET, PITCH, PARTS, PART_COUNT, FLAG, PEER = range(22, 28)
"""Positions in an instruction; ``TO``, ``A`` and ``B`` are places of six integers each."""


class Op(IntEnum):
    """What an instruction does; ``t`` stands for its place TO, ``a`` and ``b`` for the others."""

    COPY = 0
    """t = a."""
    PLUS = 1
    """t = a + b, saturated, as all that follows in the vector format."""
    TIMES = 2
    """t = a b."""
    COMPLEMENT = 3
    """t = 1 - a."""
    SIGMOID = 4
    TANH = 5
    RELU = 6
    GATE = 7
    """t = a times the units at OFFSET, from accumulators to the vector format."""
    ADD = 8
    """t = a + b of accumulators, saturated."""
    OPERAND = 9
    """The matrix unit's vector file, from OFFSET on, = a times the factor in the units at FLAG."""
    MULTIPLY = 10
    """t = rows at OFFSET of the weights (PITCH a row) times vectors; added to t if FLAG. Parts: `Part`."""
    SEND = 11
    """a goes to device PEER: over its channel, or to the place TO, where the host fetches it."""
    RECEIVE = 12
    """t comes from device PEER: over its channel, or from the place A, where the host has put it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row range of a vector is: of batch item i, from ``base + slot * stride + i * pitch`` on.

    ``slot`` of step s is (max(scale * s + shift, -1) + 1) mod ``slots``: slot 0 has the state before the
    first step, and a vector of few slots keeps its last steps only.
    """

    base: int = 0
    scale: int = 1
    shift: int = 0
    slots: int = 1
    stride: int = 0
    pitch: int = 0

    def from_row(self, row: int) -> Place:
        """The place of the rows from ``row`` on."""
        return replace(self, base=self.base + row)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a product's columns: where it begins in the block's rows, in the vector file, how many."""

    column: int
    operand: int
    columns: int


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Word:
    """One instruction before it is encoded; fields as the positions of the same names."""

    op: Op
    length: int
    to: Place = NOWHERE
    a: Place = NOWHERE
    b: Place = NOWHERE
    offset: int = 0
    pitch: int = 0
    parts: tuple[Part, ...] = ()
    flag: int = 0
    peer: int = 0

    def encode(self, first: int, count: int, part_start: int) -> tuple[int, ...]:
        """The integers, active in ``count`` iterations from ``first`` on; ``part_start``: of its parts."""
        head = (self.op, first, count, self.length, *astuple(self.to), *astuple(self.a), *astuple(self.b))
        tail = (self.offset, self.pitch, part_start, len(self.parts), self.flag, self.peer)
        return (*head, *tail, *([0] * (WORDS - len(head) - len(tail))))
