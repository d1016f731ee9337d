"""The Image value: what one device is given of a program, and where its results are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.boards.words import OP, PEER, Op
from bench.numerics.formats import NumberFormat
from bench.plans.plan import Range

Ints = NDArray[np.int32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class PhaseCode:
    """A loop body, (instructions, `bench.boards.words.WORDS`), that runs ``iterations`` times."""

    words: Ints
    iterations: int


@dataclass(frozen=True)
class Output:
    """Rows of a layer's h that the device makes: step s begins at ``base + s * stride`` of its memory."""

    layer: str
    rows: Range
    base: int
    stride: int
    pitch: int


@dataclass(frozen=True)
class Image:
    """What one device is given before it runs.

    ``memory``: vectors and sums at the start (inputs, states and biases are in it), one 32-bit integer
    an element. ``weights``: its blocks, row by row. ``units``: factors of gate sums and operands.
    ``parts``: (parts, 3), see `bench.boards.words.Part`. ``vector_file``: bytes that a batch item's
    operands take in the matrix unit.
    """

    device: int
    fmt: NumberFormat
    batch: int
    phases: tuple[PhaseCode, ...]
    memory: Ints
    weights: NDArray[np.int8]
    units: Doubles
    parts: Ints
    vector_file: int
    outputs: tuple[Output, ...]

    @property
    def peers(self) -> frozenset[int]:
        """Devices that it sends to or receives from."""
        return frozenset(
            int(peer)
            for phase in self.phases
            for peer in phase.words[np.isin(phase.words[:, OP], (Op.SEND, Op.RECEIVE)), PEER]
        )

    @property
    def size_bytes(self) -> int:
        """What it takes of the device's memory."""
        code = sum(phase.words.nbytes for phase in self.phases)
        tables = self.units.nbytes + self.parts.nbytes
        return self.memory.nbytes + self.weights.nbytes + tables + code + self.batch * self.vector_file
