"""A whole workload on an array library, numpy or PyTorch: the plainest fast program for it.

A layer's input products are made for all steps at once where its input is known, then one step after the
other; layers on a feedback loop advance together. All gates of a layer are one matrix, the two products of a
looped layer two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.numerics.conventions import TORCH_GATES, stack_gates
from bench.numerics.export import loops_in_order
from bench.numerics.random import state_sizes
from bench.workloads.model import EXTERNAL, Layer, Workload
from bench.workloads.parameters import Floats, Parameters, Sequences

Array = Any
"""An array of the library."""

Whole = Callable[[Array], Array]
"""A layer over all its steps, in the order in which it works: (steps, batch, input) to (steps, batch, h)."""


@dataclass(frozen=True)
class Library:
    """What differs between array libraries.

    ``array``: numpy's values as the library's, where it computes. ``layer``: a layer over all its steps, if
    the library has one of its own; None: it is computed step by step.
    """

    array: Callable[[Floats], Array]
    sigmoid: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    relu: Callable[[Array], Array]
    stack: Callable[[Sequence[Array]], Array]
    concat: Callable[[Sequence[Array], int], Array]
    backwards: Callable[[Array], Array]
    zeros: Callable[[tuple[int, ...]], Array]
    layer: Callable[[Layer, Parameters], Whole | None]


def make_network(
    workload: Workload, parameters: Parameters, inputs: Sequences, library: Library
) -> Callable[[], dict[str, Array]]:
    """A function that runs ``workload`` once: each layer's h, (steps, batch, elements), in order of time.

    Weights and inputs are in place when this returns. Raises ValueError for a cell that it does not know:
    linear, mLSTM, and an LSTM with a projection.
    """
    given = {name: library.array(values) for name, values in inputs.items()}
    made = {layer.name: _Made(workload, layer, parameters, library) for layer in workload.layers}
    groups = loops_in_order(workload)

    def run() -> dict[str, Array]:
        outputs: dict[str, Array] = {}
        for group in groups:
            members = {layer.name for layer in group}
            if len(group) == 1 and not any(feed.producer in members for feed in group[0].inputs):
                layer = group[0]
                outputs[layer.name] = made[layer.name].whole(_input(layer, given, outputs, made, library))
            else:
                outputs |= _loop(group, given, outputs, made, library)
        return outputs

    return run


class _Made:
    """A layer with its weights in the library."""

    def __init__(self, workload: Workload, layer: Layer, parameters: Parameters, library: Library) -> None:
        self.layer = layer
        self.library = library
        looped = any(layer in group and len(group) > 1 for group in loops_in_order(workload)) or any(
            feed.producer == layer.name for feed in layer.inputs
        )
        self.initial: dict[str, Array] = {}
        for state, size in state_sizes(layer).items():
            found = parameters.initial.get((layer.name, state))
            shape = (workload.batch, size)
            self.initial[state] = library.zeros(shape) if found is None else library.array(found)
        self._own = None if looped else library.layer(layer, parameters)
        if self._own is None:
            self._take_weights(parameters)

    @property
    def by_library(self) -> bool:
        """Whether the library has a layer of its own for it."""
        return self._own is not None

    def _take_weights(self, parameters: Parameters) -> None:
        layer, array = self.layer, self.library.array
        if layer.cell not in TORCH_GATES or layer.projection_size:
            what = "an LSTM with a projection" if layer.projection_size else layer.cell
            raise ValueError(f"layer {layer.name!r}: {what} is not written for this engine")
        stacked = stack_gates(layer, parameters, TORCH_GATES[layer.cell])
        self.W = None if layer.skip_input else array(stacked.W).T
        self.added = array(stacked.Wb)
        self.after = array(stacked.Rb)
        size = layer.hidden_size
        if layer.cell == "gru" and layer.reset == "before":
            self.R = array(stacked.R[: 2 * size]).T
            self.Rn = array(stacked.R[2 * size :]).T
        else:
            self.R = array(stacked.R).T

    def products(self, x: Array) -> Array:
        """The gates' sums that need no h, of one step or of all: (..., batch, gates * hidden)."""
        if self.W is not None:
            return x @ self.W + self.added
        gates = len(TORCH_GATES[self.layer.cell])
        return self.library.concat([x] * gates, -1) + self.added

    def whole(self, x: Array) -> Array:
        """All steps on ``x`` (steps, batch, input), both in order of time."""
        backward = self.layer.direction == "backward"
        if self._own is not None:
            h = self._own(self.library.backwards(x) if backward else x)
            return self.library.backwards(h) if backward else h
        steps, batch = self.layer.steps, x.shape[1]
        known = self.products(x.reshape(steps * batch, -1)).reshape(steps, batch, -1)
        state = dict(self.initial)
        found: list[Array] = [None] * steps
        for step in reversed(range(steps)) if backward else range(steps):
            state = self.step(known[step], state)
            found[step] = state["h"]
        return self.library.stack(found)

    def step(self, known: Array, state: dict[str, Array]) -> dict[str, Array]:
        """One step: ``known`` of `products`, and the states of the step before."""
        cell, size, lib = self.layer.cell, self.layer.hidden_size, self.library
        h = state["h"]
        if cell == "lstm":
            sums = known + h @ self.R
            gates = lib.sigmoid(sums)
            i, f, o = gates[:, :size], gates[:, size : 2 * size], gates[:, 3 * size :]
            c = f * state["c"] + i * lib.tanh(sums[:, 2 * size : 3 * size])
            return {"h": o * lib.tanh(c), "c": c}
        if cell == "gru":
            sums = h @ self.R
            if self.layer.reset == "after":
                sums = sums + self.after
            gates = lib.sigmoid(known[:, : 2 * size] + sums[:, : 2 * size])
            r, z = gates[:, :size], gates[:, size:]
            last = (r * h) @ self.Rn if self.layer.reset == "before" else r * sums[:, 2 * size :]
            n = lib.tanh(known[:, 2 * size :] + last)
            return {"h": n + z * (h - n)}
        activation = lib.tanh if cell == "rnn_tanh" else lib.relu
        return {"h": activation(known + h @ self.R)}


def _input(
    layer: Layer, given: dict[str, Array], outputs: dict[str, Array], made: dict[str, _Made], library: Library
) -> Array:
    """The input of all steps of a layer, (steps, batch, input), in order of time."""
    parts = [_part(layer, number, given, outputs, made, library) for number in range(len(layer.inputs))]
    return _joined(layer, parts, library)


def _part(
    layer: Layer,
    number: int,
    given: dict[str, Array],
    outputs: dict[str, Array],
    made: dict[str, _Made],
    library: Library,
) -> Array:
    feed = layer.inputs[number]
    if feed.producer == EXTERNAL:
        first = sum(other.size for other in layer.inputs[:number] if other.producer == EXTERNAL)
        return given[layer.name][:, :, first : first + feed.size]
    values = outputs[feed.producer]
    if feed.time_reduction > 1:
        steps = [values[first :: feed.time_reduction] for first in range(feed.time_reduction)]
        values = sum(steps[1:], steps[0]) if feed.reduction == "sum" else library.concat(steps, 2)
    if feed.delay:
        first_h = made[feed.producer].initial["h"][None]
        backward = layer.direction == "backward"
        parts = [values[1:], first_h] if backward else [first_h, values[:-1]]
        values = library.concat(parts, 0)
    return values


def _joined(layer: Layer, parts: list[Array], library: Library) -> Array:
    if layer.combine == "sum":
        return sum(parts[1:], parts[0])
    return parts[0] if len(parts) == 1 else library.concat(parts, -1)


def _loop(
    group: Sequence[Layer],
    given: dict[str, Array],
    outputs: dict[str, Array],
    made: dict[str, _Made],
    library: Library,
) -> dict[str, Array]:
    """The layers of a feedback loop, one step of each at a time."""
    members = {layer.name for layer in group}
    outside = {
        (layer.name, number): _part(layer, number, given, outputs, made, library)
        for layer in group
        for number, feed in enumerate(layer.inputs)
        if feed.producer not in members
    }
    before = {layer.name: dict(made[layer.name].initial) for layer in group}
    steps = group[0].steps
    found: dict[str, list[Array]] = {layer.name: [None] * steps for layer in group}
    for step in reversed(range(steps)) if group[0].direction == "backward" else range(steps):
        now: dict[str, dict[str, Array]] = {}
        for layer in group:
            parts = [
                (before if feed.delay else now)[feed.producer]["h"]
                if feed.producer in members
                else outside[layer.name, number][step]
                for number, feed in enumerate(layer.inputs)
            ]
            x = _joined(layer, parts, library)
            now[layer.name] = made[layer.name].step(made[layer.name].products(x), before[layer.name])
            found[layer.name][step] = now[layer.name]["h"]
        before = now
    return {name: library.stack(values) for name, values in found.items()}
