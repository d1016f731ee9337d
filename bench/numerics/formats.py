"""Number formats: what the matrix unit multiplies in, what it adds in, what vector operations use.

A `NumberFormat` is a description; `bench.numerics.numbers` computes in it.

Matrix formats
    ``float32``, ``float16``, ``bfloat16``: elements rounded to that format. Products of one
    operand add up in float32 (float32), or exactly (the others, as far as float64 is exact),
    and are then a float32.
    ``int8``, ``int8-tensor``: integers of -127 to 127 with one scale a matrix row, or one for all
    rows; see `bench.numerics.numbers` for the scales. Sums saturate at ``accumulator_bits``.
    ``bfp2`` to ``bfp5``: block floating point, one exponent of 5 bits for ``native`` elements along
    the columns, sign and 2 to 5 bits of magnitude each (Fowers et al., ISCA 2018: 1s.5e.2m). Its
    bias and rounding are not published: here -15 to 16 are the exponents of the first magnitude bit,
    rounding is to nearest, and what rounds beyond the largest magnitude is that.

Vector formats
    ``float32``, ``float16``, ``bfloat16``, and fixed point ``fixed27`` and ``fixed32``. The overlay of
    FCCM 2019 has vector operations on 27-bit integers, the operand width of a DSP block, and the open
    one of FPT 2020 on 32 bits. Both have `FRACTION_BITS` here: the 19 of that open RTL's sigmoid and
    tanh. That leaves +-128 and +-4096, where the arithmetic saturates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, cast

from bench.errors import unknown_name
from bench.hardware.profile import Profile
from bench.numerics.activations import Activation

Matrix = Literal["float32", "float16", "bfloat16", "int8", "int8-tensor", "bfp2", "bfp3", "bfp4", "bfp5"]
Vector = Literal["float32", "float16", "bfloat16", "fixed27", "fixed32"]

FRACTION_BITS = 19
"""Of fixed-point vector formats; intel/fpga-npu, rtl/sigmoid.sv and rtl/tanh.sv."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The arithmetic of an overlay; the module's docstring says what the parts mean.

    ``accumulator_bits`` counts for int8 alone, ``native`` for block floating point alone.
    """

    name: str
    matrix: Matrix = "float32"
    vector: Vector = "float32"
    accumulator_bits: int = 32
    native: int = 400
    activation: Activation = "exact"

    @property
    def is_integer(self) -> bool:
        """Whether products and sums are integers, exact in any order unless they saturate."""
        return self.matrix.startswith("int8")

    @property
    def magnitude_bits(self) -> int | None:
        """Bits beside the sign of a block floating point element; None in other formats."""
        return int(self.matrix[3:]) if self.matrix.startswith("bfp") else None


_BASES = (
    NumberFormat("float32"),
    NumberFormat("float16", "float16", "float16"),
    NumberFormat("bfloat16", "bfloat16", "bfloat16"),
    NumberFormat("int8", "int8", "fixed27", accumulator_bits=27),
    NumberFormat("int8-tensor", "int8-tensor", "fixed27", accumulator_bits=27),
    NumberFormat("int8-wide", "int8", "fixed32", accumulator_bits=32),
    *(NumberFormat(f"bfp{bits}", cast(Matrix, f"bfp{bits}"), "float16") for bits in (2, 3, 4, 5)),
)
_ACTIVATIONS: tuple[Activation, ...] = ("exact", "table", "table-linear", "piecewise")

FORMATS: dict[str, NumberFormat] = {
    fmt.name: fmt
    for fmt in (
        base
        if activation == "exact"
        else replace(base, name=f"{base.name}+{activation}", activation=activation)
        for base, activation in product(_BASES, _ACTIVATIONS)
    )
}
"""Name -> format; ``int8+table`` is ``int8`` with activations from a table."""

FLOAT32 = FORMATS["float32"]


def load_format(name: str) -> NumberFormat:
    """The format called ``name``; UserError, with the nearest names, if there is none."""
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]


def overlay_format(profile: Profile) -> NumberFormat:
    """The format that the overlay of ``profile`` computes in, with exact activations.

    A native vector has as many elements as a tile has engines.
    """
    arithmetic = profile.arithmetic
    base = load_format(arithmetic.matrix)
    return replace(
        base,
        vector=cast(Vector, arithmetic.vector),
        accumulator_bits=arithmetic.accumulator_bits or base.accumulator_bits,
        native=profile.overlay.engines,
    )
