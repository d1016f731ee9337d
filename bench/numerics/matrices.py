"""What the matrix unit reads and computes: rounding to matrix formats, exact products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INT8_MAX = 127
EXACT_COLUMNS = 1040
"""Products of two int8 whose sum float32 holds exactly: 127 * 127 * 1040 < 2**24."""

LEAST_EXPONENT = -15
GREATEST_EXPONENT = 16
"""Exponents of 5 bits, of the first magnitude bit; no code is reserved."""


AT_ONCE = 2**18
"""Elements of a large matrix that are rounded at once: so many stay in a processor's cache."""


def by_rows(rounded: Callable[[Array], Array], matrix: Array, dtype: type[np.floating]) -> Array:
    """``rounded`` of all rows of ``matrix``, some at a time; the result's elements are ``dtype``."""
    result = np.empty(matrix.shape, dtype)
    rows = max(1, AT_ONCE // matrix.shape[1])
    for start in range(0, len(matrix), rows):
        result[start : start + rows] = rounded(matrix[start : start + rows])
    return result


def round_int8(values: Array, factor: Array | float) -> NDArray[np.float32]:
    """``values * factor`` as integers of -127 to 127, in float32."""
    scaled = np.asarray(values * factor, dtype=np.float32)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, INT8_MAX, out=scaled)  # np.clip takes longer than both on few numbers
    return np.maximum(scaled, -INT8_MAX, out=scaled)


def round_bfp(values: Array, magnitude_bits: int, native: int) -> NDArray[np.float64]:
    """``values`` (rows, columns) in block floating point, ``native`` columns to an exponent.

    The exponent is that of the largest magnitude among them, so each error is at most half a unit
    of 2**(exponent + 1 - magnitude_bits), and below a whole one where an element saturates.
    """
    result = np.empty(values.shape, dtype=np.float64)
    for start in range(0, values.shape[1], native):
        part = values[:, start : start + native]
        largest = np.max(np.abs(part), axis=1, keepdims=True)
        exponent = np.frexp(largest)[1] - 1
        exponent = np.maximum(np.minimum(exponent, GREATEST_EXPONENT), LEAST_EXPONENT)
        unit = np.ldexp(np.ones((), part.dtype), exponent + 1 - magnitude_bits)
        most = 2.0**magnitude_bits - 1
        scaled = part / unit  # exact in any float format, as is the product: a power of two
        np.rint(scaled, out=scaled)
        np.minimum(scaled, most, out=scaled)
        np.maximum(scaled, -most, out=scaled)
        np.multiply(scaled, unit, out=result[:, start : start + native])
    return result


def multiply(weights: Array, operand: Array) -> Array:
    """``operand`` (batch, columns) times the transpose of ``weights`` (rows, columns); or many of them."""
    if operand.ndim > 2:
        result: Array = operand @ weights.swapaxes(-1, -2)
    elif operand.shape[0] == 1:
        result = (weights @ operand[0])[np.newaxis]
    else:
        result = operand @ weights.T
    return result


def multiply_int8(weights: Array, operand: Array) -> NDArray[np.int64]:
    """The same for integers of -127 to 127 in float32, exact: BLAS on columns few enough."""
    if weights.shape[-1] <= EXACT_COLUMNS:
        return multiply(weights, operand).astype(np.int64)
    parts = [slice(start, start + EXACT_COLUMNS) for start in range(0, weights.shape[-1], EXACT_COLUMNS)]
    total = multiply(weights[..., parts[0]], operand[..., parts[0]]).astype(np.int64)
    for columns in parts[1:]:
        total += multiply(weights[..., columns], operand[..., columns]).astype(np.int64)
    return total


def saturate(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """``values`` within what a signed integer of ``bits`` bits holds."""
    # np.clip takes three times as long on the few numbers that are added at once
    result: NDArray[np.int64] = np.minimum(np.maximum(values, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
    return result
