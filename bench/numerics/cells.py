"""The elementwise operations of every cell: gate sums and states to stages.

Any range of rows can be computed alone, and gives the same bits as all rows together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.numerics.numbers import Numbers
from bench.plans.cells import Stage
from bench.workloads.model import Combine, Layer

Array = NDArray[Any]
V = TypeVar("V")

APART = frozenset({"m.h", "n.h"})
"""Sums of recurrent products alone, which the gate's other sum meets in an elementwise operation."""


class Elementwise(Protocol[V]):
    """Elementwise operations on vectors of some kind: numbers (`bench.numerics.vectors`), or their places."""

    def plus(self, a: V, b: V, /) -> V:
        """The sum a + b."""

    def times(self, a: V, b: V, /) -> V:
        """The product a * b."""

    def complement(self, a: V, /) -> V:
        """1 - a."""

    def sigmoid(self, a: V, /) -> V:
        """1 / (1 + exp(-a))."""

    def tanh(self, a: V, /) -> V:
        """Hyperbolic tangent."""

    def relu(self, a: V, /) -> V:
        """max(a, 0)."""


def finish(
    unit: Elementwise[V],
    layer: Layer,
    stage: Stage,
    sums: Mapping[str, V],
    state: Mapping[str, V],
    x: V | None = None,
) -> dict[str, V]:
    """One stage of one step over any range of rows; arrays are (batch, rows).

    ``sums``: the stage's sums, biases added (`Numbers.gate_sum`). ``state``: ``h`` and ``c`` of the step
    before, the same rows, where the stage reads them (``stage.state``, `needs_cell_state`).
    ``x``: the layer's input, the same rows, where it skips the input product (`needs_input`).
    Returns the stage by its name, and the new ``c`` where this stage makes it.
    """
    if needs_input(layer, stage):
        assert x is not None
        sums = _with_input(unit, sums, x)
    if stage.name == "h" and layer.projection_size:
        return {"h": sums["p"]}
    if stage.name == "m":
        return {"m": unit.times(sums["m"], sums["m.h"])}
    if stage.name == "rh":
        return {"rh": unit.times(unit.sigmoid(sums["r"]), state["h"])}
    if layer.cell in ("lstm", "mlstm"):
        return _lstm(unit, stage, sums, state["c"])
    if layer.cell == "gru":
        return {"h": _gru(unit, layer, sums, state["h"])}
    if layer.cell == "linear":
        return {"h": sums["h"]}
    return {"h": unit.tanh(sums["h"]) if layer.cell == "rnn_tanh" else unit.relu(sums["h"])}


def needs_cell_state(layer: Layer, stage: Stage) -> bool:
    """Whether the stage reads ``c`` of the step before, and makes the new one."""
    return layer.cell in ("lstm", "mlstm") and set("ifgo") <= set(stage.gates)


def needs_input(layer: Layer, stage: Stage) -> bool:
    """Whether the stage adds the layer's input to its sums."""
    return layer.skip_input and stage.gates != ("p",)


def join(numbers: Numbers, how: Combine, parts: Sequence[Array]) -> Array:
    """Several vectors as one input: side by side, or added from the first to the last."""
    if how == "concat":
        return np.concatenate(parts, axis=-1)
    total = parts[0]
    for part in parts[1:]:
        total = numbers.vector.plus(total, part)
    return total


def _with_input(unit: Elementwise[V], sums: Mapping[str, V], x: V) -> dict[str, V]:
    """Sums as if the input matrices were identities; a sum that then has no product is x itself."""
    with_input = {name: value if name in APART else unit.plus(value, x) for name, value in sums.items()}
    for name in APART.intersection(sums):
        with_input[name.partition(".")[0]] = x
    return with_input


def _lstm(unit: Elementwise[V], stage: Stage, sums: Mapping[str, V], c: V) -> dict[str, V]:
    i, f, o = (unit.sigmoid(sums[gate]) for gate in "ifo")
    g = unit.tanh(sums["g"])
    c = unit.plus(unit.times(f, c), unit.times(i, g))
    return {stage.name: unit.times(o, unit.tanh(c)), "c": c}


def _gru(unit: Elementwise[V], layer: Layer, sums: Mapping[str, V], h: V) -> V:
    candidate = sums["n"]
    if layer.reset == "after":
        candidate = unit.plus(candidate, unit.times(unit.sigmoid(sums["r"]), sums["n.h"]))
    z = unit.sigmoid(sums["z"])
    return unit.plus(unit.times(unit.complement(z), unit.tanh(candidate)), unit.times(z, h))
