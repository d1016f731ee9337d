"""The Program value: one instruction stream per device, in time-step form.

A program is a sequence of phases (layers that advance through time together). A phase is
one loop body that runs ``iterations`` times; an instruction runs in ``count`` of them,
from iteration ``first`` on, so prologue and epilogue are the iterations in which some
instructions are not active. Dependences name an instruction and how many iterations back.

The body is in program order: every dependence within an iteration points backwards, and
each device, multifunction pipeline and link serves its instructions in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.plans.operations import Operation

Ints = NDArray[np.int64]

Fields = tuple[int, ...]
"""The numbers of an instruction, as `PhaseArrays.fields` has them."""

UNIT, SERVER, BLOCKS, INTERVAL, LATENCY, FIRST, COUNT, GROUP, TO_GROUP, STARTS, VECTORS = range(11)
WORDS, RESULT, LAST_RESULT, LEAVING, IDLE = range(11, 16)


class Unit(IntEnum):
    """What executes an instruction."""

    MATRIX = 0
    """The matrix unit, then the multifunction units and the loader, row block by row block."""
    VECTOR = 1
    """The multifunction units and the loader."""
    LINK = 2
    """One hop over one link."""
    LOAD = 3
    """The loader alone: an input vector from outside (overlays with a batch core)."""


class Start(IntEnum):
    """Whether an instruction is the first of its layer's time step on its device."""

    NOT_FIRST = 0
    FREE = 1
    """The first; the step before may still be under way (software pipelining)."""
    LOCK_STEP = 2
    """The first; waits for the end of the group's step before."""


class Wait(IntEnum):
    """What a dependence waits for."""

    ALL = 0
    """The whole result, before the instruction starts."""
    BLOCKS = 1
    """Vector by vector, at the multifunction units (chaining); both have equally many vectors."""
    UNITS = 2
    """The whole result, before the multifunction unit that reads it starts (tags)."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """Wait for instruction ``on`` of the iteration ``back`` iterations earlier."""

    on: int
    back: int
    wait: Wait = Wait.ALL
    early: int = 0
    """UNITS: cycles in the vector pipeline before the unit that reads the result."""


@dataclass(frozen=True, slots=True)
class Results:
    """When a product's row blocks leave the matrix unit, where that is not one an interval.

    ``first``, ``last``: cycles from the product's start to its first and its last vector, before
    the matrix latency. ``cycles``: how long they take to leave, at least; the last ``idle`` of
    them come after the last vector.
    """

    first: int
    last: int
    cycles: int
    idle: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a loop body.

    ``blocks`` row blocks, one every ``interval`` cycles (LINK: one block, ``interval`` its
    time on the wire), and ``vectors`` native vectors through the multifunction units: row
    blocks are packed across gates, vectors are not, so there may be fewer blocks. ``latency``
    cycles follow: the matrix pipeline (MATRIX), nothing (VECTOR), the flight (LINK).
    ``server`` is the link (LINK) or the device. ``group`` and ``to_group`` are the device
    groups of sender and receiver. ``starts_step``: the first of its layer's step on its
    device, and whether it waits until all of its group's instructions of the previous
    iteration are complete.
    """

    unit: Unit
    server: int
    blocks: int
    interval: int
    latency: int
    first: int
    count: int
    group: int
    to_group: int
    starts_step: Start
    waits: tuple[Dependence, ...]
    layer: str
    what: str
    device: int
    to_device: int
    vectors: int = 0
    macs: int = 0
    size_bytes: int = 0
    words: int = 1
    """Instruction words: more than one where a result goes to several vector files."""
    results: Results | None = None
    """MATRIX: set for a batch core."""
    does: tuple[Operation, ...] = ()
    """What it does to data; empty where another instruction of the same chain does it."""


@dataclass(frozen=True)
class Phase:
    """A loop body and how many times it runs."""

    instructions: tuple[Instruction, ...]
    iterations: int

    @cached_property
    def arrays(self) -> PhaseArrays:
        """The phase as the timing engine reads it; made once, because it costs more than most runs."""
        return to_arrays(self)


@dataclass(frozen=True)
class Program:
    """What every device does, phase by phase."""

    phases: tuple[Phase, ...]
    devices: int
    links: int
    groups: int


@dataclass(frozen=True)
class PhaseArrays:
    """A phase as the timing engine reads it: one column per instruction field."""

    fields: Ints
    """Shape (instructions, 16): unit, server, blocks, interval, latency, first, count, group,
    to_group, starts_step, vectors, words, and the four of `Results`."""
    wait_start: Ints
    """Shape (instructions + 1,): where each instruction's dependences begin in ``waits``."""
    waits: Ints
    """Shape (dependences, 4): on, back, wait, early."""
    iterations: int


def to_arrays(phase: Phase) -> PhaseArrays:
    """The phase as integer arrays."""
    rows = [_FIELDS(i) + timing(i.blocks, i.interval, i.results) for i in phase.instructions]
    waits = [_WAIT(wait) for i in phase.instructions for wait in i.waits]
    return PhaseArrays(
        fields=matrix(rows, 16),
        wait_start=_offsets(len(i.waits) for i in phase.instructions),
        waits=matrix(waits, 4),
        iterations=phase.iterations,
    )


_FIELDS = attrgetter(
    "unit", "server", "blocks", "interval", "latency", "first", "count", "group", "to_group", "starts_step",
    "vectors", "words",
)  # fmt: skip
_WAIT = attrgetter("on", "back", "wait", "early")


def matrix(rows: Sequence[tuple[int, ...]], columns: int) -> Ints:
    """The rows as an array; number by number, which is faster than row by row."""
    return np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * columns).reshape(len(rows), columns)


def timing(blocks: int, interval: int, results: Results | None) -> tuple[int, int, int, int]:
    """The last four of `Fields`."""
    if results is None:
        return interval, blocks * interval, blocks, 0
    return results.first, results.last, results.cycles, results.idle


def _offsets(lengths: Iterable[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(list(lengths), dtype=np.int64)]).astype(np.int64)


class Description(NamedTuple):
    """What an `Instruction` says beside its numbers and its layer."""

    what: str
    device: int
    to_device: int
    macs: int = 0
    size_bytes: int = 0
    results: Results | None = None
    does: tuple[Operation, ...] = ()


Describe = Callable[[str], Description]
"""Describes an instruction of the layer with this name."""

Operations = Callable[[str], tuple[Operation, ...]]
"""What an instruction of the layer with this name does."""
