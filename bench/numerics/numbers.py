"""The arithmetic of one run: parameters in a number format, and the operations on them.

Integer sums are exact across any partition. Every operand of a layer (x, h, rh, m, mem) has one
activation scale, s = (largest magnitude in a float32 run) / 127. Row r of a sum has one unit for
its accumulator, S[r] = the largest, over the products that add to it, of max|W[r, :]| / 127 * s; with
one scale per tensor, the largest S of all rows. Weights are rounded to W / (S[r] / s), within
+-127 by that choice. So an integer product of x and one of h count in the same unit, and partial
sums from any devices add exactly, in any order. They saturate when a product is written and at each
addition; the order matters only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.numerics.formats import NumberFormat
from bench.numerics.matrices import (
    INT8_MAX,
    by_rows,
    multiply,
    multiply_int8,
    round_bfp,
    round_int8,
    saturate,
)
from bench.numerics.random import state_sizes
from bench.numerics.vectors import VectorUnit, round_float
from bench.plans.cells import Product, cell_program
from bench.plans.plan import Range
from bench.workloads.model import Layer, Workload
from bench.workloads.parameters import Parameters

Array = NDArray[Any]
Ranges = Mapping[tuple[str, str], float]
"""(layer, operand) -> largest magnitude in a float32 run."""


class Numbers:
    """A workload's parameters in the arithmetic of a number format.

    Vectors and accumulators are (batch, elements), matrices (rows, columns). ``ranges`` are those
    of `bench.numerics.whole.calibrate`; integer formats need them (ValueError without).
    """

    def __init__(
        self, fmt: NumberFormat, workload: Workload, parameters: Parameters, ranges: Ranges | None = None
    ) -> None:
        if fmt.is_integer and ranges is None:
            raise ValueError(f"{fmt.name} needs the ranges of operands: bench.numerics.whole.calibrate")
        self.fmt = fmt
        self.is_integer = fmt.is_integer
        self.vector = VectorUnit(fmt)
        self._batch = workload.batch
        self._parameters = parameters
        self._ranges = ranges or {}
        self._matrices: dict[tuple[str, str], Array] = {}
        self._biases: dict[tuple[str, str], Array | None] = {}
        self._units: dict[tuple[str, str], NDArray[np.float64]] = {}
        self.vector_dtype = self.vector.round(np.zeros(1, np.float32)).dtype
        """Of vectors."""
        self.sum_dtype = np.dtype(np.int64 if fmt.is_integer else np.float32)
        """Of accumulators."""

    def weights(self, layer: Layer, product: Product, rows: Range, cols: Range) -> Array:
        """The block as a device's matrix memory holds it, native vectors counted from its first column."""
        return self._weights(layer, product, slice(*rows), slice(*cols))

    def block(self, layer: Layer, product: Product, rows: Range, cols: Range) -> Array:
        """The same, for one of many blocks: where elements are rounded each by itself, the matrix is once."""
        if self.fmt.magnitude_bits is not None:
            return self.weights(layer, product, rows, cols)
        key = (layer.name, product.matrix)
        if key not in self._matrices:
            self._matrices[key] = self._weights(layer, product, slice(None), slice(None))
        return self._matrices[key][slice(*rows), slice(*cols)]

    def _weights(self, layer: Layer, product: Product, rows: slice, cols: slice) -> Array:
        block = self._parameters.weights[layer.name, product.matrix][rows, cols]
        if self.is_integer:
            unit = self.unit(layer, product.sum)[rows]
            scale = self._scale(layer, product.operand)
            factor = np.divide(scale, unit, out=np.zeros_like(unit), where=unit > 0)
            return round_int8(block, factor.astype(np.float32)[:, np.newaxis])
        return block if self.fmt.matrix == "float32" else by_rows(self._rounded, block, np.float64)

    def operand(self, layer: Layer, product: Product, values: Array) -> Array:
        """The vector ``values`` (the block's columns of it) as the matrix unit reads it."""
        if self.is_integer:
            return round_int8(values, self.operand_factor(layer, product.operand))
        return self._rounded(values)

    def product(self, weights: Array, operand: Array) -> Array:
        """The accumulators: int64 of `NumberFormat.accumulator_bits`, or float32.

        Of many products of one shape at once, there is one dimension more in front of all three.
        """
        if self.is_integer:
            return saturate(multiply_int8(weights, operand), self.fmt.accumulator_bits)
        return multiply(weights, operand).astype(np.float32, copy=False)

    def add(self, a: Array, b: Array) -> Array:
        """The sum of two partial sums."""
        return saturate(a + b, self.fmt.accumulator_bits) if self.is_integer else a + b

    def agree(self, a: Array, b: Array) -> bool:
        """Whether two devices' values of the same elements agree.

        Integer formats in every bit, float32 within 1e-5 of 1 or of the largest magnitude, since
        devices add in different orders. Lower float formats round that further: not compared.
        """
        if self.is_integer:
            return bool(np.array_equal(a, b))
        largest = max(1.0, float(np.max(np.abs(b))))
        return self.fmt.matrix != "float32" or bool(np.max(np.abs(a - b)) <= 1e-5 * largest)

    def gate_sum(
        self, layer: Layer, sum_name: str, rows: Range | NDArray[np.intp], accumulators: Array
    ) -> Array:
        """Accumulators of ``rows``, a range or row by row, in the vector format, with the bias added."""
        index = slice(*rows) if isinstance(rows, tuple) else rows
        if self.is_integer:
            accumulators = accumulators * self.unit(layer, sum_name)[index]
        total = self.vector.round(accumulators)
        bias = self.bias(layer, sum_name)
        return total if bias is None else self.vector.plus(total, bias[index])

    def bias(self, layer: Layer, sum_name: str) -> Array | None:
        """What is added to a sum, (rows,) in the vector format; None: nothing."""
        key = (layer.name, sum_name)
        if key not in self._biases:
            bias = self._parameters.biases.get(key)
            self._biases[key] = None if bias is None else self.vector.round(bias)
        return self._biases[key]

    def initial(self, layer: Layer, state: str) -> Array:
        """The state ``h`` or ``c`` before the first step, in the vector format."""
        values = self._parameters.initial.get((layer.name, state))
        if values is None:
            values = np.zeros((self._batch, state_sizes(layer)[state]), dtype=np.float32)
        return self.vector.round(values)

    def external(self, values: Array) -> Array:
        """Data from outside, in the vector format."""
        return self.vector.round(values)

    def _rounded(self, values: Array) -> Array:
        """Values of a float format, float64 where products are summed exactly."""
        bits = self.fmt.magnitude_bits
        if bits is not None:
            return round_bfp(values, bits, self.fmt.native)
        values = np.asarray(values, dtype=np.float32)
        if self.fmt.matrix == "float32":
            return values
        return round_float(values, self.fmt.matrix).astype(np.float64)

    def operand_factor(self, layer: Layer, operand: str) -> float:
        """What an integer format multiplies an operand by, to round it to int8."""
        scale = self._scale(layer, operand)
        return 1 / scale if scale else 0.0

    def _scale(self, layer: Layer, operand: str) -> float:
        return self._ranges[layer.name, operand] / INT8_MAX

    def unit(self, layer: Layer, sum_name: str) -> NDArray[np.float64]:
        """What one count of a sum's accumulator stands for, for each of its rows."""
        key = (layer.name, sum_name)
        if key not in self._units:
            largest = [
                _row_maxima(self._parameters.weights[layer.name, product.matrix])
                * (self._scale(layer, product.operand) / INT8_MAX)
                for product in cell_program(layer).products
                if product.sum == sum_name
            ]
            unit = np.max(largest, axis=0)
            self._units[key] = np.full_like(unit, unit.max()) if self.fmt.matrix == "int8-tensor" else unit
        return self._units[key]


def _row_maxima(matrix: Array) -> NDArray[np.float64]:
    """max|W[r, :]| of each row, without a copy of the matrix."""
    maxima: Array = np.maximum(matrix.max(axis=1), -matrix.min(axis=1))
    return maxima.astype(np.float64)
