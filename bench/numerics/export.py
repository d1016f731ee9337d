"""A workload as an ONNX model, so that other tools can run the same network.

Cells for which ONNX has an operator become that operator's node, one for each direction; what it
has none for (projected LSTM, mLSTM) and the layers of a feedback loop become a ``Scan`` over the
time steps, whose body holds single operations and nodes of one step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.numerics.onnx_nodes import (
    OPERATORS,
    Names,
    Writer,
    cell_tensors,
    linear,
    spelled_out_step,
    standard_node,
)
from bench.workloads.model import EXTERNAL, Combine, Input, Layer, Workload
from bench.workloads.parameters import Parameters

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""ONNX operator set that is written: old enough for tools in use."""

OPSETS = range(13, 25)
"""Operator sets that can be written: from 13 on ``Squeeze`` and ``ReduceSum`` take their axes as an input."""

LAYERS_OF_INPUT = "layers_of_input"
"""Metadata key: JSON, for each graph input the layers whose external input it is."""


def to_onnx(
    workload: Workload,
    parameters: Parameters,
    *,
    opset: int = OPSET,
    seed: int | None = None,
    relu_nodes: bool = True,
) -> onnx.ModelProto:
    """``workload`` with ``parameters`` as an ONNX model of fixed shapes; the same bytes each time.

    Graph inputs: one for each group of layers that `external_inputs` gives, float32 (steps, batch,
    elements). Graph outputs: each layer's h under the layer's name, (steps, batch, output_size).
    Both are in order of time, a backward layer's too. ``seed`` is written into the metadata
    if it is given. Without ``relu_nodes`` an RNN with ReLU is spelled out: onnx's reference
    evaluator knows no ReLU in RNN nodes.

    Raises KeyError if a matrix is missing, ValueError for an operator set that is not written.
    """
    if opset not in OPSETS:
        raise ValueError(f"opset {opset}; expected {OPSETS.start} to {OPSETS.stop - 1}")
    return _Export(workload, parameters, relu_nodes).model(opset, seed)


def external_inputs(workload: Workload) -> dict[str, tuple[str, ...]]:
    """Graph inputs: name, and the layers that take the data of it from outside.

    ``l0.fwd`` and ``l0.bwd`` share ``l0/x``, every other layer has its own.
    """
    groups: dict[tuple[str, int, int], list[str]] = {}
    for layer in workload.layers:
        width = external_size(layer)
        if width:
            base = layer.name.removesuffix(".fwd").removesuffix(".bwd")
            groups.setdefault((base, width, layer.steps), []).append(layer.name)
    names = Names(layer.name for layer in workload.layers)
    return {names.fresh(f"{base}/x"): tuple(layers) for (base, _, _), layers in groups.items()}


def external_size(layer: Layer) -> int:
    """Elements a step that ``layer`` takes from outside, all its external inputs side by side."""
    return sum(feed.size for feed in layer.inputs if feed.producer == EXTERNAL)


def loops_in_order(workload: Workload) -> list[tuple[Layer, ...]]:
    """Layers in an order in which each can run over all its steps, those of one loop together.

    A loop is a set of layers that feed each other; a delayed input counts as any other.
    """
    producers = {
        layer.name: {feed.producer for feed in layer.inputs} - {EXTERNAL} for layer in workload.layers
    }
    needs = {name: _reachable(producers, name) for name in producers}
    done: set[str] = set()
    groups: list[tuple[Layer, ...]] = []
    while len(done) < len(workload.layers):
        first = next(
            layer.name
            for layer in workload.layers
            if layer.name not in done
            and all(name in done or layer.name in needs[name] for name in needs[layer.name])
        )
        members = {first} | {name for name in needs[first] if first in needs[name]}
        groups.append(tuple(layer for layer in workload.layers if layer.name in members))
        done |= members
    return groups


def _reachable(producers: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    front = set(producers[start])
    while front:
        seen |= front
        front = {name for node in front for name in producers[node]} - seen
    return seen


@dataclass(frozen=True)
class _Fed:
    """A sequence that a Scan hands to its body step by step: name outside, name inside, elements."""

    outer: str
    inner: str
    size: int


class _Export:
    """One model in the making."""

    def __init__(self, workload: Workload, parameters: Parameters, relu_nodes: bool) -> None:
        self.workload = workload
        self.parameters = parameters
        self.relu_nodes = relu_nodes
        self.inputs = external_inputs(workload)
        names = Names([*(layer.name for layer in workload.layers), *self.inputs])
        self.writer = Writer(names)

    def model(self, opset: int, seed: int | None) -> onnx.ModelProto:
        from onnx import helper

        import bench

        for group in loops_in_order(self.workload):
            self._group(group)
        graph = helper.make_graph(
            self.writer.nodes,
            "network",
            [self._value(name, self._layer(layers[0]), None) for name, layers in self.inputs.items()],
            [self._value(layer.name, layer, layer.output_size) for layer in self.workload.layers],
        )
        imports = [helper.make_opsetid("", opset)]
        model = helper.make_model(
            graph,
            producer_name="rnn-fpga-bench",
            producer_version=bench.__version__,
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for(imports),
        )
        tensors = self.writer.tensors
        while tensors:  # one by one: making graph and model copies what they hold, and weights may be GB
            model.graph.initializer.append(tensors.pop(next(iter(tensors))))
        properties = {"workload": self.workload.name}
        if seed is not None:
            properties["seed"] = str(seed)
        properties[LAYERS_OF_INPUT] = json.dumps(self.inputs)
        helper.set_model_props(model, properties)
        return model

    def _layer(self, name: str) -> Layer:
        return self.workload.layer(name)

    def _value(self, name: str, layer: Layer, size: int | None) -> onnx.ValueInfoProto:
        from onnx import TensorProto, helper

        shape = [layer.steps, self.workload.batch, size or external_size(layer)]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    # --- one layer, or one loop -----------------------------------------------------------

    def _group(self, group: tuple[Layer, ...]) -> None:
        layer = group[0]
        looped = any(feed.producer == layer.name for feed in layer.inputs)
        if len(group) > 1 or looped or (layer.cell != "linear" and self._spelled_out(layer)):
            self._scan(group)
            return
        parts = [self._sequence(layer, number) for number in range(len(layer.inputs))]
        x = self._joined(self.writer, layer, parts, layer.combine, axis=2)
        tensors = cell_tensors(self.writer, layer, self.parameters, spelled_out=False)
        if layer.cell == "linear":
            linear(self.writer, layer, tensors, x, layer.name)
            return
        initial = {
            state: self.writer.tensor(value[None], f"{layer.name}/initial.{state}")
            for (owner, state), value in self.parameters.initial.items()
            if owner == layer.name
        }
        every = self.writer.names.fresh(f"{layer.name}/y")
        direction = "reverse" if layer.direction == "backward" else "forward"
        standard_node(self.writer, layer, tensors, x, initial, [every], direction)
        self.writer.op("Squeeze", [every, self.writer.integers(1)], "", layer.name)

    def _spelled_out(self, layer: Layer) -> bool:
        """Whether no node says what ``layer``'s cell does."""
        if layer.cell == "rnn_relu" and not self.relu_nodes:
            return True
        return layer.cell not in OPERATORS or layer.projection_size is not None

    def _joined(self, writer: Writer, layer: Layer, parts: Sequence[str], how: Combine, axis: int) -> str:
        """Parts of a layer's input as one."""
        if len(parts) == 1:
            return parts[0]
        if how == "sum":
            return writer.op("Sum", parts, f"{layer.name}/input")
        return writer.op("Concat", parts, f"{layer.name}/input", axis=axis)

    # --- sequences ------------------------------------------------------------------------

    def _sequence(self, layer: Layer, number: int) -> str:
        """What input ``number`` brings to ``layer``, (steps, batch, size)."""
        feed = layer.inputs[number]
        if feed.producer == EXTERNAL:
            return self._external(layer, number)
        sequence = feed.producer if feed.time_reduction == 1 else self._reduced(layer, feed)
        return self._delayed(layer, feed, sequence) if feed.delay else sequence

    def _external(self, layer: Layer, number: int) -> str:
        """The columns of the layer's graph input that its input ``number`` is."""
        name = next(name for name, layers in self.inputs.items() if layer.name in layers)
        offset = sum(feed.size for feed in layer.inputs[:number] if feed.producer == EXTERNAL)
        size = layer.inputs[number].size
        if size == external_size(layer):
            return name
        return self.writer.cut(name, 2, offset, offset + size, f"{layer.name}/part")

    def _delayed(self, layer: Layer, feed: Input, sequence: str) -> str:
        """The sequence a step later; at the first step the initial h."""
        writer = self.writer
        first = self._initial(self._layer(feed.producer), "h")
        first = writer.op("Unsqueeze", [first, writer.integers(0)], f"{layer.name}/first")
        if layer.steps == 1:
            return first
        backward = layer.direction == "backward"
        kept = (1, layer.steps) if backward else (0, layer.steps - 1)
        others = writer.cut(sequence, 0, *kept, f"{layer.name}/before")
        parts = [others, first] if backward else [first, others]
        return writer.op("Concat", parts, f"{layer.name}/delayed", axis=0)

    def _reduced(self, layer: Layer, feed: Input) -> str:
        """``time_reduction`` consecutive steps as one, side by side or summed."""
        writer, batch, width = self.writer, self.workload.batch, self._layer(feed.producer).output_size
        shape = writer.integers(layer.steps, feed.time_reduction, batch, width)
        wish = f"{layer.name}/reduced"
        grouped = writer.op("Reshape", [feed.producer, shape], wish)
        if feed.reduction == "sum":
            return writer.op("ReduceSum", [grouped, writer.integers(1)], wish, keepdims=0)
        beside = writer.op("Transpose", [grouped], wish, perm=[0, 2, 1, 3])
        return writer.op("Reshape", [beside, writer.integers(layer.steps, batch, feed.size)], wish)

    def _initial(self, layer: Layer, state: str) -> str:
        """The tensor of a layer's initial state, (batch, elements); zeros if none is given."""
        size = layer.output_size if state == "h" else layer.hidden_size
        found = self.parameters.initial.get((layer.name, state))
        values = np.zeros((self.workload.batch, size), np.float32) if found is None else found
        return self.writer.tensor(values, f"{layer.name}/initial.{state}")

    # --- a Scan over the steps of layers that advance together ------------------------------

    def _scan(self, group: tuple[Layer, ...]) -> None:
        """The layers of ``group`` step by step; what other layers make is fed in as whole sequences."""
        from onnx import TensorProto, helper

        body, names = self.writer.body(), self.writer.names
        members = {layer.name for layer in group}
        backward = group[0].direction == "backward"
        fed: list[_Fed] = []
        before = {
            layer.name: {state: names.fresh(f"{layer.name}/{state}.before") for state in _states(layer)}
            for layer in group
        }
        now: dict[str, dict[str, str]] = {}
        for layer in group:
            parts = []
            for number, feed in enumerate(layer.inputs):
                if feed.producer in members:
                    parts.append((before if feed.delay else now)[feed.producer]["h"])
                    continue
                sequence = self._sequence(layer, number)
                if backward:
                    sequence = self.writer.reversed(sequence, f"{layer.name}/reversed")
                fed.append(_Fed(sequence, names.fresh(f"{layer.name}/x.step"), feed.size))
                parts.append(fed[-1].inner)
            x = self._joined(body, layer, parts, layer.combine, axis=1)
            now[layer.name] = self._step(body, layer, x, before[layer.name])

        batch = self.workload.batch

        def value(name: str, *shape: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        states = [(layer, state, _size(layer, state)) for layer in group for state in _states(layer)]
        if not fed:  # a Scan needs a sequence to know its length from
            fed.append(self._clock(group[0]))
        scan_inputs = [value(f.inner, *((batch, f.size) if f.size else ())) for f in fed]
        outputs = [body.op("Identity", [now[layer.name]["h"]], f"{layer.name}/h.step") for layer in group]
        graph = helper.make_graph(
            body.nodes,
            f"step of {group[0].name}",
            [value(before[layer.name][state], batch, size) for layer, state, size in states] + scan_inputs,
            [value(now[layer.name][state], batch, size) for layer, state, size in states]
            + [value(name, batch, layer.output_size) for name, layer in zip(outputs, group, strict=True)],
        )
        sequences = [names.fresh(f"{layer.name}/backwards") if backward else layer.name for layer in group]
        self.writer.ops(
            "Scan",
            [*(self._initial(layer, state) for layer, state, _ in states), *(f.outer for f in fed)],
            [*(names.fresh(f"{layer.name}/{state}.last") for layer, state, _ in states), *sequences],
            body=graph,
            num_scan_inputs=len(fed),
        )
        if backward:
            for layer, sequence in zip(group, sequences, strict=True):
                self.writer.reversed(sequence, "", layer.name)

    def _clock(self, layer: Layer) -> _Fed:
        ticks = self.writer.tensor(np.arange(layer.steps, dtype=np.float32), f"{layer.name}/clock")
        return _Fed(ticks, self.writer.names.fresh(f"{layer.name}/tick"), 0)

    def _step(self, body: Writer, layer: Layer, x: str, before: Mapping[str, str]) -> dict[str, str]:
        """One step of ``layer`` on ``x`` (batch, input); the names of its new states."""
        spelled_out = self._spelled_out(layer)
        tensors = cell_tensors(body, layer, self.parameters, spelled_out=spelled_out)
        if layer.cell == "linear":
            return {"h": linear(body, layer, tensors, x, body.names.fresh(f"{layer.name}/h"))}
        if spelled_out:
            return spelled_out_step(body, layer, tensors, x, before)
        axis = body.integers(0)
        sequence = body.op("Unsqueeze", [x, axis], f"{layer.name}/x.sequence")
        states = {
            state: body.op("Unsqueeze", [name, axis], f"{layer.name}/{state}.initial")
            for state, name in before.items()
        }
        last = [body.names.fresh(f"{layer.name}/{state}.node") for state in states]
        standard_node(body, layer, tensors, sequence, states, ["", *last])
        return {
            state: body.op("Squeeze", [name, axis], f"{layer.name}/{state}")
            for state, name in zip(states, last, strict=True)
        }


def _states(layer: Layer) -> tuple[str, ...]:
    """What a layer keeps from step to step; a linear layer's h is kept for who takes it delayed."""
    return ("h", "c") if layer.cell in ("lstm", "mlstm") else ("h",)


def _size(layer: Layer, state: str) -> int:
    return layer.output_size if state == "h" else layer.hidden_size
