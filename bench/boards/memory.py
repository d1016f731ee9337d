"""Where everything is in a device's memory while its image is made."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.boards.words import Place
from bench.numerics.formats import FRACTION_BITS

Array = NDArray[Any]


class Layout:
    """The vector memory and the table of units of one device, filled from the front.

    Vectors are (slots, batch, elements) of 32-bit integers, given by name and made at first use.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._size = 0
        self._filled: list[tuple[int, Array]] = []
        self._places: dict[Hashable, Place] = {}
        self._units: list[Array] = []
        self._unit_count = 0
        self._unit_places: dict[Hashable, int] = {}
        self._temporaries = 0

    def vector(
        self,
        name: Hashable,
        size: int,
        slots: int,
        initial: Array | None = None,
        sequence: Array | None = None,
    ) -> Place:
        """A vector of ``size`` elements of which ``slots`` steps are kept.

        ``initial``: (batch, size), its value before the first step. ``sequence``: (slots - 1, batch, size),
        its values at all steps.
        """
        if name not in self._places:
            base = self._reserve(slots * self._batch * size)
            self._places[name] = Place(base, 1, 0, slots, self._batch * size, size)
            if initial is not None:
                self._filled.append((base, to_fixed(initial)))
            if sequence is not None:
                self._filled.append((base + self._batch * size, to_fixed(sequence)))
        return self._places[name]

    def constant(self, name: Hashable, values: Array) -> Place:
        """A vector that all batch items share and no step changes."""
        key = ("constant", name)
        if key not in self._places:
            self._places[key] = Place(self._reserve(values.size))
            self._filled.append((self._places[key].base, to_fixed(values)))
        return self._places[key]

    def fixed(self, size: int) -> Place:
        """A new vector of one slot."""
        return Place(self._reserve(self._batch * size), pitch=size)

    def temporary(self, size: int) -> Place:
        """A vector of one slot that nothing else uses until `release`."""
        key = ("temporary", self._temporaries, size)
        self._temporaries += 1
        if key not in self._places:
            self._places[key] = self.fixed(size)
        return self._places[key]

    def release(self) -> None:
        """Let temporaries be used anew."""
        self._temporaries = 0

    def units(self, name: Hashable, values: Array) -> int:
        """Index of the first of ``values`` in the table of units."""
        if name not in self._unit_places:
            self._unit_places[name] = self._unit_count
            self._units.append(np.asarray(values, np.float64).ravel())
            self._unit_count += self._units[-1].size
        return self._unit_places[name]

    def contents(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The memory before the first step, and the units; neither is empty."""
        memory = np.zeros(max(1, self._size), np.int32)
        for base, values in self._filled:
            memory[base : base + values.size] = values.ravel()
        return memory, np.concatenate(self._units or [np.zeros(1)])

    def _reserve(self, size: int) -> int:
        base = self._size
        self._size += size
        return base


def to_fixed(values: Array) -> NDArray[np.int32]:
    """Values of a fixed-point vector format as integers of its last place."""
    return np.asarray(values * 2.0**FRACTION_BITS, np.float64).astype(np.int32)


def from_fixed(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """The reverse."""
    return values.astype(np.float64) * 2.0**-FRACTION_BITS
