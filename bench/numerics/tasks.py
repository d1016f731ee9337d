"""Operations of a program with all that they read and write found: rows of what a device holds.

An operation does the same in every time step, so its task is made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bench.numerics.memory import Contents, Held
from bench.numerics.whole import time_of
from bench.plans.cells import CellProgram, Product, Stage, cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Range
from bench.plans.program import Instruction
from bench.workloads.model import Combine, Layer


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """What is asked of a layer again and again.

    ``products``: by matrix. ``sums``: of each stage. ``columns``: of each sum, its matrices and their
    columns. ``sizes``: elements of each stage, of ``x`` and of ``c``. ``accumulators``: of each sum.
    """

    layer: Layer
    program: CellProgram
    products: dict[str, Product]
    sums: dict[str, tuple[str, ...]]
    columns: dict[str, list[tuple[str, int]]]
    sizes: dict[str, int]
    accumulators: dict[str, int]


@dataclass(frozen=True, eq=False, slots=True)
class Back:
    """A source of vectors: what a device holds of the same phase, ``steps`` time steps back."""

    steps: int

    def step(self, step: int) -> int:
        """The time step that ``step`` reads; below 0, before the first, initial values are there."""
        return step - self.steps


@dataclass(frozen=True, eq=False, slots=True)
class Earlier:
    """A source: what a device holds of an earlier phase's ``producer``, at one place in time of several."""

    phase: int
    reader: Layer
    producer: Layer
    times: int
    place: int

    def step(self, step: int) -> int:
        """The producer's time step that ``step`` of the reader reads."""
        return time_of(self.producer, time_of(self.reader, step) * self.times + self.place)


@dataclass(frozen=True, eq=False, slots=True)
class Outside:
    """A source: the data that a layer takes from outside the network."""

    layer: Layer

    def step(self, step: int) -> int:
        """The place in time that ``step`` reads."""
        return time_of(self.layer, step)


Source = Back | Earlier | Outside


class Rows(NamedTuple):
    """Rows of a source; ``held``: of what (from outside: None)."""

    source: Source
    held: Held | None
    rows: Range

    @property
    def first(self) -> int:
        """The cell with the first of the rows."""
        return self.rows[0] + (self.held.first if self.held else 0)


class Joined(NamedTuple):
    """Several vectors as one, side by side or added."""

    how: Combine
    parts: tuple[Read, ...]


Read = Rows | Joined


class Term(NamedTuple):
    """Rows of a register."""

    held: Held
    rows: Range


@dataclass(slots=True, eq=False)
class Task:
    """What all tasks have: the instruction, and its number in the phase."""

    n: int
    now: Instruction


@dataclass(slots=True, eq=False)
class Multiplied(Task):
    """The product of a block, made of the columns in ``reads``, each part with the vector it multiplies."""

    facts: Facts
    product: Product
    block: Block
    reads: list[tuple[Range, Read]]
    into: Held
    contents: Contents


@dataclass(slots=True, eq=False)
class Summed(Task):
    """Input vectors added up: rows of x, and what makes them."""

    into: Held
    reads: list[tuple[Range, Read]]


@dataclass(slots=True, eq=False)
class Added(Task):
    """Rows of registers added into another, all of the sum ``name``."""

    terms: list[Term]
    into: Held
    name: str


@dataclass(slots=True, eq=False)
class Finished(Task):
    """A stage's rows made of sums, each with its terms.

    ``state``: what it reads of the step before. ``x``: the layer's input, if it reads that. ``into``: where
    the stage goes, and ``c`` if it is made.
    """

    facts: Facts
    stage: Stage
    rows: Range
    sums: dict[str, list[Term]]
    state: dict[str, Held]
    x: Read | None
    into: dict[str, Held]


@dataclass(slots=True, eq=False)
class Copied(Task):
    """Rows of a register or of a vector that a message brings elsewhere."""

    what: Held
    rows: Range
    into: Held


@lru_cache(maxsize=256)
def facts(layer: Layer) -> Facts:
    """The facts of ``layer``."""
    program = cell_program(layer)
    columns: dict[str, list[tuple[str, int]]] = {}
    for product in program.products:
        width = matrix_shape(layer, product)[1]
        columns.setdefault(product.sum, []).append((product.matrix, width))
    sizes = {stage.name: stage_size(layer, stage.name) for stage in program.stages}
    return Facts(
        layer=layer,
        program=program,
        products={product.matrix: product for product in program.products},
        sums={stage.name: program.sums(stage.name) for stage in program.stages},
        columns=columns,
        sizes=sizes | {"x": layer.input_size, "c": layer.hidden_size},
        accumulators={product.sum: sizes[product.stage] for product in program.products},
    )
