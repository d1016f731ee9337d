"""What an instruction does to data: the part of a program that the interpreter carries out.

The timing engine needs none of it. Each operation names what it reads and what it writes in
the memory of one device, so that a program can be run with numbers, and a read of something
that the device does not hold is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from bench.plans.plan import Range

Holders = tuple[int, ...]
"""Devices that hold the same blocks: their sums of these blocks are equal."""


@dataclass(frozen=True, slots=True)
class Register:
    """Where a device keeps a sum: products of ``layer`` that add up to ``sum``.

    ``origins`` says whose products are in it: one tuple of holders while a device adds up its
    own, several after partial sums have been added on the way. The same register has the same
    value wherever it is.
    """

    layer: str
    sum: str
    origins: tuple[Holders, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the hash once: registers are looked up often."""
        object.__setattr__(self, "_hash", hash((self.layer, self.sum, self.origins)))

    def __hash__(self) -> int:
        return self._hash


register = lru_cache(maxsize=4096)(Register)
"""A register; one value for those asked for lately."""


@dataclass(frozen=True, slots=True)
class SumRows:
    """A row range of a register."""

    register: Register
    rows: Range


@dataclass(frozen=True, slots=True)
class StageRows:
    """A row range of a stage's vector."""

    layer: str
    stage: str
    rows: Range


@dataclass(frozen=True, slots=True)
class Multiply:
    """Multiply a block of a matrix that the device owns; add the result to ``into``.

    ``parts``: the columns of the block that this instruction multiplies.
    """

    layer: str
    matrix: str
    rows: Range
    cols: Range
    parts: tuple[Range, ...]
    into: Register


@dataclass(frozen=True, slots=True)
class SumInputs:
    """Add up the vectors that the layer's input is the sum of, over the given columns."""

    layer: str
    cols: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class AddSums:
    """Add partial sums: ``terms`` over the same rows, into a register whose origins are all of theirs."""

    terms: tuple[SumRows, ...]
    into: Register


@dataclass(frozen=True, slots=True)
class Finish:
    """Make a row range of a stage from its sums: add what is partial, then the elementwise operations."""

    layer: str
    stage: str
    rows: Range
    terms: tuple[SumRows, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Copy what a message carries from the sending device's memory to the receiving one's."""

    carries: tuple[SumRows | StageRows, ...]


Operation = Multiply | SumInputs | AddSums | Finish | Move
