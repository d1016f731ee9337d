"""Sigmoid and tanh as overlays compute them: exact, from a table, or piecewise linear.

All are elementwise and computed in float64, so that a value's result does not depend on where
in an array it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Activation = Literal["exact", "table", "table-linear", "piecewise"]

TABLE_RANGE = 8.0
"""Tables span -8 to 8; beyond it their last entry holds."""
TABLE_SIZES = {"table": 1024, "table-linear": 256}
"""Intervals of a table: more of them where nothing is interpolated."""

MAX_ERROR = {
    ("exact", "sigmoid"): 0.0,
    ("exact", "tanh"): 0.0,
    ("table", "sigmoid"): 1.96e-3,
    ("table", "tanh"): 7.82e-3,
    ("table-linear", "sigmoid"): 3.36e-4,
    ("table-linear", "tanh"): 3.8e-4,
    ("piecewise", "sigmoid"): 1.9e-2,
    ("piecewise", "tanh"): 3.8e-2,
}
"""(activation, function) -> largest distance from the exact function, over all arguments.

Table: half an interval (1/128) times the largest slope, 1/4 and 1. Interpolated: interval^2 / 8
times the largest second derivative for tanh; for the sigmoid what is cut off at 8.
"""

PLAN = ((0.0, 0.25, 0.5), (1.0, 0.125, 0.625), (2.375, 0.03125, 0.84375), (5.0, 0.0, 1.0))
"""From |x|, slope, offset of the sigmoid in slopes that are powers of two.

Amin, Curtis, Hayes-Gill, IEE Proceedings Circuits, Devices and Systems 144 (6), 1997.
"""


def sigmoid(values: NDArray[np.floating], activation: Activation = "exact") -> Doubles:
    """1 / (1 + exp(-x)), elementwise."""
    x = np.array(values, dtype=np.float64, order="C")
    if activation == "exact":
        return _exact_sigmoid(x)
    if activation == "piecewise":
        return _piecewise(x)
    return _look_up(x, "sigmoid", activation)


def tanh(values: NDArray[np.floating], activation: Activation = "exact") -> Doubles:
    """Hyperbolic tangent, elementwise; piecewise linear by 2 sigmoid(2 x) - 1."""
    x = np.array(values, dtype=np.float64, order="C")
    if activation == "exact":
        return np.tanh(x)
    if activation == "piecewise":
        return 2.0 * _piecewise(2.0 * x) - 1.0
    return _look_up(x, "tanh", activation)


def _exact_sigmoid(x: Doubles) -> Doubles:
    return 1.0 / (1.0 + np.exp(-np.maximum(x, -700.0)))


def _exact_tanh(x: Doubles) -> Doubles:
    return np.tanh(x)


FUNCTIONS: dict[str, Callable[[Doubles], Doubles]] = {"sigmoid": _exact_sigmoid, "tanh": _exact_tanh}


@lru_cache
def _table(function: str, intervals: int) -> Doubles:
    """The function at the ends of all intervals, ``intervals`` + 1 entries."""
    return FUNCTIONS[function](np.linspace(-TABLE_RANGE, TABLE_RANGE, intervals + 1))


def _look_up(x: Doubles, function: str, activation: Activation) -> Doubles:
    intervals = TABLE_SIZES[activation]
    table = _table(function, intervals)
    place = (np.clip(x, -TABLE_RANGE, TABLE_RANGE) + TABLE_RANGE) * (intervals / (2 * TABLE_RANGE))
    if activation == "table":
        return table[np.rint(place).astype(np.intp)]
    left = np.minimum(np.floor(place), intervals - 1).astype(np.intp)
    return table[left] + (place - left) * (table[left + 1] - table[left])


def _piecewise(x: Doubles) -> Doubles:
    size = np.abs(x)
    result = np.empty_like(size)
    for start, slope, offset in PLAN:
        inside = size >= start
        result[inside] = slope * size[inside] + offset
    return np.where(x < 0, 1.0 - result, result)
