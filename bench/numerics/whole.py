"""A whole workload computed without a plan, matrix by matrix: what one device would compute.

In float32 it is the reference for every plan; in a low format it is what a partitioned run in that
format is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.numerics.cells import finish, join, needs_input
from bench.numerics.formats import FLOAT32, NumberFormat
from bench.numerics.numbers import Numbers, Ranges
from bench.plans.cells import CellProgram, Product, cell_program, matrix_shape
from bench.workloads.model import EXTERNAL, Input, Layer, Workload, phases
from bench.workloads.parameters import Parameters, Sequences

Array = NDArray[Any]


def run_whole(
    workload: Workload,
    parameters: Parameters,
    inputs: Sequences,
    fmt: NumberFormat = FLOAT32,
    ranges: Ranges | None = None,
) -> dict[str, Array]:
    """Every layer's h: (steps, batch, output_size), in order of time.

    ``ranges``: of `calibrate`, for integer formats (ValueError without).
    """
    return _Run(workload, Numbers(fmt, workload, parameters, ranges), inputs).outputs()


def calibrate(workload: Workload, parameters: Parameters, inputs: Sequences) -> dict[tuple[str, str], float]:
    """(layer, operand) -> largest magnitude that the matrix unit reads in a float32 run."""
    run = _Run(workload, Numbers(FLOAT32, workload, parameters), inputs)
    run.largest = {}
    run.outputs()
    return run.largest


def time_of(layer: Layer, step: int) -> int:
    """The place in time that ``step`` of ``layer`` works on: a backward layer begins at the end."""
    return step if layer.direction == "forward" else layer.steps - 1 - step


class _Run:
    """A run under way: outputs so far, weights and states of the layers at work."""

    def __init__(self, workload: Workload, numbers: Numbers, inputs: Sequences) -> None:
        self.workload = workload
        self.numbers = numbers
        self.largest: dict[tuple[str, str], float] | None = None
        """Of each operand that is multiplied, if it is asked for."""
        self._external = {name: numbers.external(values) for name, values in inputs.items()}
        self._outputs: dict[str, Array] = {}

    def outputs(self) -> dict[str, Array]:
        """Run all layers, each as soon as its input is known; those on a loop together."""
        for phase in phases(self.workload):
            waiting = list(phase)
            while waiting:
                names = {layer.name for layer in waiting}
                ready = [layer for layer in waiting if not names & {f.producer for f in layer.inputs}]
                for group in [[layer] for layer in ready] or [waiting]:
                    self._advance(group)
                waiting = [layer for layer in waiting if layer not in ready] if ready else []
        return self._outputs

    def _advance(self, layers: list[Layer]) -> None:
        """All steps of ``layers``, one step of each at a time."""
        at_work = [_AtWork(self, layer) for layer in layers]
        for one in at_work:
            shape = (one.layer.steps, self.workload.batch, one.layer.output_size)
            self._outputs[one.layer.name] = np.empty(shape, dtype=one.state["h"].dtype)
        # Products of all steps at once give the same bits where sums are exact; in float32 the
        # rounding differs, as it does between any two ways to add.
        fmt = self.numbers.fmt
        at_once = fmt.is_integer or fmt.matrix == "float32" or fmt.magnitude_bits is not None
        fed_back = any(feed.producer == layers[0].name for feed in layers[0].inputs)
        if at_once and len(layers) == 1 and not fed_back:
            at_work[0].precompute()
        for step in range(max(layer.steps for layer in layers)):
            for one in at_work:
                if step < one.layer.steps:
                    self._outputs[one.layer.name][time_of(one.layer, step)] = one.step(step)

    def input(self, layer: Layer, step: int) -> Array:
        """The layer's x, (batch, input_size)."""
        time, parts, column = time_of(layer, step), [], 0
        for feed in layer.inputs:
            if feed.producer == EXTERNAL:
                parts.append(self._external[layer.name][time][:, column : column + feed.size])
                column += feed.size
            else:
                parts.append(self._fed(layer, feed, step))
        return join(self.numbers, layer.combine, parts)

    def _fed(self, layer: Layer, feed: Input, step: int) -> Array:
        """What ``feed`` brings to ``step`` of ``layer``."""
        if feed.delay and step == 0:
            return self.numbers.initial(self.workload.layer(feed.producer), "h")
        first = time_of(layer, step - feed.delay) * feed.time_reduction
        steps = range(first, first + feed.time_reduction)
        return join(self.numbers, feed.reduction, [self._outputs[feed.producer][time] for time in steps])

    def note(self, layer: Layer, operand: str, values: Array) -> None:
        """Remember the largest magnitude of an operand, if it is asked for."""
        if self.largest is None:
            return
        largest = float(np.max(np.abs(values)))
        self.largest[layer.name, operand] = max(largest, self.largest.get((layer.name, operand), 0.0))


class _AtWork:
    """A layer at work: its weights as a device holds them, its state, known input products."""

    def __init__(self, run: _Run, layer: Layer) -> None:
        self.run = run
        self.layer = layer
        self.program: CellProgram = cell_program(layer)
        numbers = run.numbers
        self.state = {"h": numbers.initial(layer, "h")}
        if layer.cell in ("lstm", "mlstm"):
            self.state["c"] = numbers.initial(layer, "c")
        self.weights = {product.matrix: self._whole(product) for product in self.program.products}
        self.known: dict[str, Array] = {}
        self.inputs: Array | None = None

    def _whole(self, product: Product) -> Array:
        rows, cols = matrix_shape(self.layer, product)
        return self.run.numbers.weights(self.layer, product, (0, rows), (0, cols))

    def precompute(self) -> None:
        """The input products of all steps at once, for a layer whose input is known."""
        steps, batch = self.layer.steps, self.run.workload.batch
        self.inputs = np.stack([self.run.input(self.layer, step) for step in range(steps)])
        flat = self.inputs.reshape(steps * batch, -1)
        for product in self.program.products:
            if product.operand == "x":
                self.known[product.matrix] = self._multiply(product, flat).reshape(steps, batch, -1)

    def step(self, step: int) -> Array:
        """One step; returns h."""
        layer, numbers = self.layer, self.run.numbers
        x = self.run.input(layer, step) if self.inputs is None else self.inputs[step]
        vectors: Mapping[str, Array] = {"x": x, "h": self.state["h"]}
        made: dict[str, Array] = {}
        for stage in self.program.stages:
            sums: dict[str, Array] = {}
            for product in self.program.products:
                if product.stage != stage.name:
                    continue
                if product.matrix in self.known:
                    part = self.known[product.matrix][step]
                else:
                    part = self._multiply(product, {**vectors, **made}[product.operand])
                sums[product.sum] = numbers.add(sums[product.sum], part) if product.sum in sums else part
            done = {
                name: numbers.gate_sum(layer, name, (0, value.shape[1]), value)
                for name, value in sums.items()
            }
            skipped = x if needs_input(layer, stage) else None
            made.update(finish(numbers.vector, layer, stage, done, self.state, skipped))
        self.state = {name: made[name] for name in self.state}
        return self.state["h"]

    def _multiply(self, product: Product, values: Array) -> Array:
        numbers = self.run.numbers
        self.run.note(self.layer, product.operand, values)
        return numbers.product(self.weights[product.matrix], numbers.operand(self.layer, product, values))
