"""Elementwise arithmetic in a vector format: every result is rounded to it.

Values are float32 arrays (float64 for fixed point) that hold representable values. An element's
result depends on that element alone, so any split of the rows gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.numerics import activations
from bench.numerics.formats import FRACTION_BITS, NumberFormat

Array = NDArray[Any]

FIXED_BITS = {"fixed27": 27, "fixed32": 32}
"""Bits of a fixed-point format, sign included."""


@dataclass(frozen=True, slots=True)
class VectorUnit:
    """The elementwise operations of a number format.

    Floats are computed in float32 and fixed point in float64, then rounded to the nearest
    representable value (ties to even). For sums and products that is as good as one rounding,
    but for 32-bit products of more than 53 bits.
    """

    fmt: NumberFormat

    def round(self, values: Array) -> Array:
        """The nearest representable values; fixed point saturates, floats overflow to infinity."""
        vector = self.fmt.vector
        if vector in FIXED_BITS:
            most = 2.0 ** (FIXED_BITS[vector] - 1)
            scaled: Array = np.multiply(values, 2.0**FRACTION_BITS, dtype=np.float64)
            np.rint(scaled, out=scaled)
            np.minimum(scaled, most - 1, out=scaled)  # np.clip takes longer than both on few numbers
            np.maximum(scaled, -most, out=scaled)
            scaled *= 2.0**-FRACTION_BITS
            return scaled
        return round_float(np.asarray(values, dtype=np.float32), vector)

    def plus(self, a: Array, b: Array) -> Array:
        """The sum a + b."""
        return self.round(a + b)

    def times(self, a: Array, b: Array) -> Array:
        """The product a * b."""
        return self.round(a * b)

    def complement(self, a: Array) -> Array:
        """1 - a."""
        return self.round(1 - a)

    def sigmoid(self, a: Array) -> Array:
        """1 / (1 + exp(-a))."""
        return self.round(activations.sigmoid(a, self.fmt.activation))

    def tanh(self, a: Array) -> Array:
        """Hyperbolic tangent."""
        return self.round(activations.tanh(a, self.fmt.activation))

    def relu(self, a: Array) -> Array:
        """max(a, 0)."""
        return np.maximum(a, 0)


def round_float(values: Array, name: str) -> Array:
    """float32 ``values`` rounded to the format ``name``, as float32."""
    if name == "float32":
        return values
    with np.errstate(over="ignore"):
        if name == "float16":
            return values.astype(np.float16).astype(np.float32)
        import ml_dtypes

        return values.astype(ml_dtypes.bfloat16).astype(np.float32)
