"""What one time step of each cell computes: matrix products, vector stages, program order.

A *stage* is a vector that elementwise operations produce from gate sums: the output h,
and whatever must be complete before another product can use it (the GRU's reset hidden
vector ``rh``, the mLSTM's ``m``, the unprojected hidden vector ``mem``). Each product
multiplies a matrix, named ``gate.operand``, with an operand: the input ``x``, the output
of the step before ``h``, or a stage of this step.

Program order follows the NPU programs of Intel's overlay: input products first, then
recurrent products, then the vector chains (FCCM 2019; `docs/architecture.md`). A GRU
computes its reset gate last before the exchange, as DAC 2020's timings imply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from bench.workloads.model import Layer


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix-vector product; its sum goes to the elementwise operations of ``stage``.

    Products of one gate add up, but for one that is ``apart``: an elementwise operation comes
    between (the reset-after GRU's r * (U h), the mLSTM's (W x) * (W h)).
    """

    gate: str
    operand: str
    stage: str
    apart: bool = False
    matrix: str = field(init=False)
    """The matrix's name."""
    sum: str = field(init=False)
    """Name of the sum that the product adds to: the gate's, or one of its own."""

    def __post_init__(self) -> None:
        """Make the names once: they are asked for often."""
        object.__setattr__(self, "matrix", f"{self.gate}.{self.operand}")
        object.__setattr__(self, "sum", self.matrix if self.apart else self.gate)


@dataclass(frozen=True, slots=True)
class Stage:
    """A vector made of gate sums.

    ``chain``: dependent vector instructions that follow the last product; the rest of the
    elementwise work rides in the products' own chains. ``state`` names operands whose same
    rows the elementwise operations read (h for r * h). For overlays with a batch core:
    ``ahead``, the gate behind whose last product one instruction of the chain goes, and
    ``second_unit``, whether the chain reads its newest sum in the second multifunction unit
    or at its beginning.
    """

    name: str
    gates: tuple[str, ...]
    chain: int
    state: tuple[str, ...] = ()
    ahead: str = ""
    second_unit: bool = False


@dataclass(frozen=True, slots=True)
class CellProgram:
    """A layer's step: products and stages in program order."""

    products: tuple[Product, ...]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """The stage called ``name``; KeyError if there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def sums(self, stage: str) -> tuple[str, ...]:
        """The sums that a stage is made of."""
        return tuple(dict.fromkeys(product.sum for product in self.products if product.stage == stage))


def _products(stage: str, *matrices: str, apart: bool = False) -> tuple[Product, ...]:
    return tuple(Product(gate, operand, stage, apart) for gate, operand in (m.split(".") for m in matrices))


@lru_cache(maxsize=4096)
def cell_program(layer: Layer) -> CellProgram:
    """The products and stages of one step of ``layer``, in program order."""
    output = "mem" if layer.projection_size else "h"
    if layer.cell == "lstm":
        products = _products(output, "i.x", "f.x", "g.x", "o.x", "i.h", "f.h", "g.h", "o.h")
        stages = [Stage(output, ("i", "f", "g", "o"), chain=2, second_unit=True)]
    elif layer.cell == "mlstm":
        products = (
            _products("m", "m.x")
            + _products(output, "i.x", "f.x", "g.x", "o.x")
            + _products("m", "m.h", apart=True)
            + _products(output, "i.m", "f.m", "g.m", "o.m")
        )
        stages = [Stage("m", ("m",), chain=0), Stage(output, ("i", "f", "g", "o"), chain=2, second_unit=True)]
    elif layer.cell == "gru" and layer.reset == "before":
        products = (
            _products(output, "z.x")
            + _products("rh", "r.x")
            + _products(output, "n.x", "z.h")
            + _products("rh", "r.h")
            + _products(output, "n.rh")
        )
        stages = [
            Stage("rh", ("r",), chain=0, state=("h",)),
            Stage(output, ("z", "n"), chain=2, state=("h",), ahead="z"),
        ]
    elif layer.cell == "gru":
        products = _products(output, "z.x", "r.x", "n.x", "z.h", "r.h")
        products += _products(output, "n.h", apart=True)
        stages = [Stage(output, ("z", "r", "n"), chain=3, state=("h",))]
    elif layer.cell == "linear":
        products = _products(output, "h.x")
        stages = [Stage(output, ("h",), chain=0)]
    else:
        products = _products(output, "h.x", "h.h")
        stages = [Stage(output, ("h",), chain=0)]
    if layer.projection_size:
        products += _products("h", "p.mem")
        stages.append(Stage("h", ("p",), chain=0))
    if layer.skip_input:
        products = tuple(product for product in products if product.operand != "x")
    return CellProgram(products, tuple(stages))


def stage_size(layer: Layer, stage: str) -> int:
    """Elements of a stage's vector."""
    return layer.output_size if stage == "h" else layer.hidden_size


def matrix_shape(layer: Layer, product: Product) -> tuple[int, int]:
    """(rows, columns) of a product's matrix."""
    rows = stage_size(layer, product.stage)
    if product.operand == "x":
        return rows, layer.input_size
    return rows, stage_size(layer, product.operand)
