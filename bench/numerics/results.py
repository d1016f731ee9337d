"""The outputs of a program: every layer's h, and whether the devices that make the same rows agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BrokenProgram
from bench.numerics.books import broken
from bench.numerics.complete import show
from bench.numerics.numbers import Numbers
from bench.numerics.tasks import Finished
from bench.numerics.whole import time_of
from bench.workloads.model import Layer, Workload

Array = NDArray[Any]


class Results:
    """The outputs so far: (steps, batch, output_size) of each layer, in order of time."""

    def __init__(self, workload: Workload, numbers: Numbers) -> None:
        self._numbers = numbers
        self._values: dict[str, Array] = {}
        self._made = {
            layer.name: np.zeros((layer.steps, layer.output_size), bool) for layer in workload.layers
        }
        for layer in workload.layers:
            shape = (layer.steps, workload.batch, layer.output_size)
            self._values[layer.name] = np.zeros(shape, numbers.vector_dtype)

    def note(
        self, layer: Layer, step: int, rows: NDArray[np.intp], values: Array, tasks: Sequence[Finished]
    ) -> None:
        """Note ``rows`` of a step, (batch, rows), each once; BrokenProgram if others are there already.

        ``tasks``: what makes them, in order.
        """
        time = time_of(layer, step)
        results, made = self._values[layer.name][time], self._made[layer.name][time]
        known = made[rows]
        results[:, rows[~known]] = values[:, ~known]
        made[rows] = True
        if not known.any():
            return
        first = 0
        for task in tasks:
            span = slice(first, first := first + task.rows[1] - task.rows[0])
            if not self._numbers.agree(values[:, span], results[:, rows[span]]):
                text = f"makes other values of h, rows {show(*task.rows)}, than another device has made"
                raise broken(task.n, task.now, step, text)

    def whole(self) -> dict[str, Array]:
        """All of them; BrokenProgram if any row is missing."""
        for name, made in self._made.items():
            if not made.all():
                time, row = map(int, np.argwhere(~made)[0])
                raise BrokenProgram(f"layer {name!r}: no device makes row {row} of h at time {time}")
        return self._values
