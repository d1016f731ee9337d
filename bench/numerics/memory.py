"""The memory of one device: what it has computed and what it has received, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.plans.plan import Range

Array = NDArray[Any]


class Writer(NamedTuple):
    """The instruction that wrote something, in which iteration, and all rows that it wrote then."""

    instruction: int
    iteration: int
    rows: Range


Contents = frozenset[tuple[str, Range]]
"""What a sum is made of: (matrix, columns)."""


class Piece(NamedTuple):
    """A row range of a vector.

    ``writers``: who wrote its present value; several, if it has been received, or added up, more than once.
    ``contents``: what it is the sum of (of a vector: nothing).
    """

    start: int
    stop: int
    writers: tuple[Writer, ...]
    contents: Contents = frozenset()

    def part(self, start: int, stop: int) -> Piece:
        """What of it is within a range."""
        if self.start >= start and self.stop <= stop:
            return self
        return Piece(max(self.start, start), min(self.stop, stop), self.writers, self.contents)


@dataclass(slots=True)
class Held:
    """A vector, (batch, elements), of which a device holds some pieces, in order; they do not overlap."""

    values: Array
    pieces: list[Piece] = field(default_factory=list)

    def over(self, rows: Range) -> list[Piece]:
        """The pieces, or parts of them, within ``rows``, in order."""
        start, stop = rows
        if len(self.pieces) == 1 and self.pieces[0].start == start and self.pieces[0].stop == stop:
            return self.pieces
        return [p.part(start, stop) for p in self.pieces if p.start < stop and p.stop > start]

    def write(self, values: Array, pieces: list[Piece]) -> None:
        """Put adjoining ``pieces`` here in place of what was; ``values`` begin at the first piece's row."""
        start, stop = pieces[0].start, pieces[-1].stop
        self.values[:, start:stop] = values
        if not self.pieces or self.pieces[-1].stop <= start:
            self.pieces = [*self.pieces, *pieces]
            return
        left = [p.part(p.start, start) for p in self.pieces if p.start < start]
        right = [p.part(stop, p.stop) for p in self.pieces if p.stop > stop]
        self.pieces = [*left, *pieces, *right]

    def receive(self, values: Array, pieces: list[Piece], writer: Writer) -> None:
        """Put what a message or an addition brings here; what is here already now has one writer more."""
        arrived = []
        for piece in pieces:
            reached = piece.start
            for old in self.over((piece.start, piece.stop)):
                if old.start > reached:
                    arrived.append(Piece(reached, old.start, (writer,), piece.contents))
                arrived.append(Piece(old.start, old.stop, (*old.writers, writer), piece.contents))
                reached = old.stop
            if reached < piece.stop:
                arrived.append(Piece(reached, piece.stop, (writer,), piece.contents))
        self.write(values, arrived)


def missing(ranges: list[Range], rows: Range) -> Range | None:
    """The first part of ``rows`` that ``ranges``, in order, leave out."""
    reached = rows[0]
    for start, stop in ranges:
        if start > reached:
            return reached, start
        reached = stop
    return (reached, rows[1]) if reached < rows[1] else None


class Memory:
    """Vectors and registers of one device, by name and time step."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._held: dict[Hashable, dict[int, Held]] = {}

    def find(self, name: Hashable, step: int) -> Held | None:
        """What is held of a vector of a time step, if anything."""
        return self._held.get(name, {}).get(step)

    def open(
        self, name: Hashable, step: int, size: int, dtype: np.dtype[Any], window: int | None = None
    ) -> Held:
        """The vector to write to; those of ``window`` steps ago are dropped (None: none is)."""
        steps = self._held.setdefault(name, {})
        if step not in steps:
            steps[step] = Held(np.zeros((self._batch, size), dtype=dtype))
            if window is not None:
                steps.pop(step - window, None)
        return steps[step]
