"""The Workload value: a graph of unidirectional RNN layers with time steps and batch size.

A bidirectional layer is two `Layer` values, ``name.fwd`` and ``name.bwd``, that share
their inputs. Everything after reading a workload sees unidirectional layers only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Cell = Literal["lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm", "linear"]
Direction = Literal["forward", "backward"]
Combine = Literal["concat", "sum"]

EXTERNAL = "input"
"""Name of the producer that stands for data from outside the network."""


@dataclass(frozen=True, slots=True)
class Input:
    """One vector that a layer's input is made of.

    ``producer`` is a layer name or `EXTERNAL`; ``size`` the elements it contributes
    (after ``time_reduction``); ``delay`` 1 for decoder feedback (the producer's output
    of the step before). ``time_reduction`` r: r consecutive producer steps become one
    consumer step, joined as ``reduction`` says.
    """

    producer: str
    size: int
    delay: int = 0
    time_reduction: int = 1
    reduction: Combine = "concat"


@dataclass(frozen=True, slots=True)
class Layer:
    """One unidirectional RNN layer, or a matrix-vector product each step (cell ``linear``, h = W x).

    Shapes: a gate's input matrix is (hidden_size, input_size), its recurrent matrix
    (hidden_size, output_size), which a linear layer has not; with ``projection_size`` there
    is one more matrix (projection_size, hidden_size). ``inputs`` are concatenated or summed as ``combine``
    says. ``skip_input``: no input product is computed (cuDNN's skip-input mode, as
    DeepBench runs). ``reset``: whether a GRU resets the hidden vector before the
    candidate's product or after it. ``after``: layers that must have ended first although
    no vector flows (a decoder behind attention).
    """

    name: str
    cell: Cell
    input_size: int
    hidden_size: int
    steps: int
    inputs: tuple[Input, ...] = (Input(EXTERNAL, 0),)
    combine: Combine = "concat"
    direction: Direction = "forward"
    projection_size: int | None = None
    reset: Literal["before", "after"] = "before"
    skip_input: bool = False
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Give the default input its size: a lone input from outside is all of the input."""
        if self.inputs == (Input(EXTERNAL, 0),):
            object.__setattr__(self, "inputs", (Input(EXTERNAL, self.input_size),))

    @property
    def output_size(self) -> int:
        """Elements of the hidden vector h that the layer outputs each step."""
        return self.projection_size or self.hidden_size

    @property
    def input_terms(self) -> int:
        """Vectors that are added up to make the layer's input; 1: nothing is added."""
        counts = [feed.time_reduction if feed.reduction == "sum" else 1 for feed in self.inputs]
        return sum(counts) if self.combine == "sum" else max(counts)

    @property
    def gate_count(self) -> int:
        """Gates that have an input matrix (mLSTM: four gates and the multiplicative state)."""
        return {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1, "mlstm": 5, "linear": 1}[self.cell]

    @property
    def weights(self) -> int:
        """Elements of all weight matrices (biases not counted)."""
        recurrent = 0 if self.cell == "linear" else self.output_size
        width = (0 if self.skip_input else self.input_size) + recurrent
        projection = self.hidden_size * (self.projection_size or 0)
        return self.gate_count * self.hidden_size * width + projection


@dataclass(frozen=True, slots=True)
class Workload:
    """A named graph of layers with one batch size; layers are in topological order."""

    name: str
    layers: tuple[Layer, ...]
    batch: int = 1
    source: str = ""
    assumptions: tuple[str, ...] = field(default=())

    def layer(self, name: str) -> Layer:
        """The layer called ``name``; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    @property
    def weights(self) -> int:
        """Elements of all weight matrices."""
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run: all layers, steps and batch items."""
        return self.batch * sum(layer.weights * layer.steps for layer in self.layers)

    @property
    def steps(self) -> int:
        """The largest number of time steps of any layer."""
        return max(layer.steps for layer in self.layers)


def phases(workload: Workload) -> tuple[tuple[Layer, ...], ...]:
    """Group layers into phases: the layers of a phase advance through time together.

    A layer shares its producer's phase when both run in the same direction over the
    same number of steps; otherwise it must wait until the producer has seen its whole
    sequence, so it starts a later phase.
    """
    index: dict[str, int] = {}
    for layer in workload.layers:
        earliest = 0
        for name in layer.after:
            earliest = max(earliest, index[name] + 1)
        for feed in layer.inputs:
            if feed.producer == EXTERNAL or feed.delay:
                continue
            producer = workload.layer(feed.producer)
            together = producer.direction == layer.direction and producer.steps == layer.steps
            earliest = max(earliest, index[producer.name] + (0 if together else 1))
        index[layer.name] = earliest
    return tuple(_grouped(workload.layers, index))


def _grouped(layers: Iterable[Layer], index: dict[str, int]) -> list[tuple[Layer, ...]]:
    members = list(layers)
    return [
        tuple(layer for layer in members if index[layer.name] == number)
        for number in range(max(index.values()) + 1)
    ]


def feedback_layers(workload: Workload) -> frozenset[str]:
    """Layers on a feedback loop: their output comes back to them through later layers' outputs."""
    after: dict[str, set[str]] = {layer.name: set() for layer in workload.layers}
    for layer in workload.layers:
        for feed in layer.inputs:
            if feed.producer != EXTERNAL:
                after[feed.producer].add(layer.name)
    return frozenset(name for name in after if name in _reachable(after, name))


def _reachable(after: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    front = set(after[start])
    while front:
        seen |= front
        front = {name for node in front for name in after[node]} - seen
    return seen
