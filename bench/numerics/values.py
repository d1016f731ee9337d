"""The numbers in the devices' memories, step by step, in the cells that `bench.numerics.memory` gives out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.numerics.cells import join
from bench.numerics.memory import Memories
from bench.numerics.numbers import Numbers
from bench.numerics.tasks import Back, Earlier, Joined, Read, Rows, Source
from bench.workloads.model import Combine, Layer

Array = NDArray[Any]
Cells = NDArray[np.intp]


class Values:
    """What the devices hold of one phase: of each time step all vectors and all registers, (batch, cells).

    Those of ``window`` steps ago are dropped, but for the vectors if they are ``kept`` for later phases.
    Vectors of the steps before the first hold the layers' initial states.
    """

    def __init__(
        self,
        memories: Memories,
        layers: dict[str, Layer],
        numbers: Numbers,
        batch: int,
        window: int,
        *,
        kept: bool,
    ) -> None:
        self._sums_shape = batch, memories.accumulators
        self._window, self._kept = window, kept
        self._initial = np.zeros((batch, memories.cells), numbers.vector_dtype)
        self._sum_dtype = numbers.sum_dtype
        states: dict[tuple[str, str], Array] = {}
        for (_, (layer, name)), held in memories.vectors.items():
            if name in ("h", "c"):
                if (layer, name) not in states:
                    states[layer, name] = numbers.initial(layers[layer], name)
                self._initial[:, held.first : held.first + held.size] = states[layer, name]
        self._vectors: dict[int, Array] = {}
        self._sums: dict[int, Array] = {}

    def vectors(self, step: int) -> Array:
        """All vectors of a time step."""
        if step < 0:
            return self._initial
        found = self._vectors.get(step)
        if found is None:
            found = self._vectors[step] = np.zeros_like(self._initial)
            if not self._kept:
                self._vectors.pop(step - self._window, None)
        return found

    def sums(self, step: int) -> Array:
        """All registers of a time step."""
        found = self._sums.get(step)
        if found is None:
            found = self._sums[step] = np.zeros(self._sums_shape, self._sum_dtype)
            self._sums.pop(step - self._window, None)
        return found

    def forget_sums(self) -> None:
        """Drop the registers of a phase that has ended."""
        self._sums.clear()


@dataclass(frozen=True, eq=False, slots=True)
class Picked:
    """Cells of a source, (number, width): vectors of equal width."""

    source: Source
    cells: Cells


@dataclass(frozen=True, eq=False, slots=True)
class Together:
    """Several of them, joined as the layer's input is."""

    how: Combine
    parts: list[Picks]


Picks = Picked | Together


def pick(reads: Sequence[Read]) -> Picks:
    """Reads that are alike but for the rows (`form`), as one."""
    first = reads[0]
    if isinstance(first, Joined):
        parts = zip(*(read.parts for read in reads if isinstance(read, Joined)), strict=True)
        return Together(first.how, [pick(part) for part in parts])
    rows = [(read.first, read.rows[1] - read.rows[0]) for read in reads if isinstance(read, Rows)]
    return Picked(first.source, runs([start for start, _ in rows], rows[0][1]))


def form(read: Read) -> tuple[object, ...]:
    """What reads have in common that `pick` makes one of."""
    if isinstance(read, Joined):
        return read.how, *map(form, read.parts)
    return read.source, read.rows[1] - read.rows[0]


def runs(starts: Sequence[int], width: int) -> Cells:
    """The cells of ranges of equal width: (number, width)."""
    return np.array(starts, dtype=np.intp)[:, np.newaxis] + np.arange(width)


class State:
    """All numbers of a run: data from outside, and the phases so far, the last of which is under way."""

    def __init__(self, numbers: Numbers, external: dict[str, Array]) -> None:
        self.numbers = numbers
        self.phases: list[Values] = []
        self._external = external

    @property
    def now(self) -> Values:
        """Those of the phase under way."""
        return self.phases[-1]

    def read(self, picks: Picks, step: int) -> Array:
        """The vectors that ``picks`` names, (batch, number, width)."""
        if isinstance(picks, Together):
            return join(self.numbers, picks.how, [self.read(part, step) for part in picks.parts])
        source = picks.source
        at = source.step(step)
        if isinstance(source, Back):
            values = self.now.vectors(at)
        elif isinstance(source, Earlier):
            values = self.phases[source.phase].vectors(at)
        else:
            values = self._external[source.layer.name][at]
        return values.take(picks.cells, axis=1)
