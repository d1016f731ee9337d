"""Writing ONNX nodes: a graph in the making, and each cell as a standard node or spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.numerics.conventions import ONNX_GATES, stack_gates
from bench.workloads.model import Layer
from bench.workloads.parameters import Floats, Parameters

if TYPE_CHECKING:
    import onnx

OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
"""Cells that are an ONNX node, and which."""


class Names:
    """Value names of a model and of the bodies within it, each given out once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, wish: str) -> str:
        """``wish``, with underscores behind it if the name is taken."""
        while wish in self._taken:
            wish += "_"
        self._taken.add(wish)
        return wish


class Writer:
    """The nodes of one graph in order; a body's writer shares names and tensors with the graph around it."""

    def __init__(self, names: Names, tensors: dict[str, onnx.TensorProto] | None = None) -> None:
        self.names = names
        self.tensors = {} if tensors is None else tensors
        self.nodes: list[onnx.NodeProto] = []

    def body(self) -> Writer:
        """The writer of a graph within this one."""
        return Writer(self.names, self.tensors)

    def op(self, kind: str, inputs: Sequence[str], wish: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output; the output's name: ``output``, or a fresh one like ``wish``."""
        return self.ops(kind, inputs, [output or self.names.fresh(wish)], **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **attributes: Any
    ) -> Sequence[str]:
        """Append a node with these outputs; an empty output is one that nobody needs.

        ``name``: of the node; without it the node is named after its kind and its output.
        """
        from onnx import helper

        name = name or f"{kind}:{next(output for output in outputs if output)}"
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, **attributes))
        return outputs

    def tensor(self, values: Floats, wish: str) -> str:
        """Add a float32 initializer; its name."""
        from onnx import numpy_helper

        name = self.names.fresh(wish)
        contiguous = np.ascontiguousarray(values, dtype=np.float32)
        self.tensors[name] = numpy_helper.from_array(contiguous, name)
        return name

    def integers(self, *values: int) -> str:
        """The initializer that holds these integers as a vector (int64): axes, shapes, bounds."""
        from onnx import numpy_helper

        name = "integers" + "".join(f",{value}" for value in values)
        if name not in self.tensors:
            array: NDArray[np.int64] = np.array(values, dtype=np.int64)
            self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def cut(self, value: str, axis: int, first: int, end: int, wish: str, step: int = 1) -> str:
        """Elements from ``first`` to before ``end`` along ``axis``."""
        bounds = [self.integers(number) for number in (first, end, axis, step)]
        return self.op("Slice", [value, *bounds], wish)

    def reversed(self, value: str, wish: str, output: str = "") -> str:
        """The sequence ``value`` with its steps (axis 0) from the last to the first."""
        bounds = [self.integers(number) for number in (-1, np.iinfo(np.int64).min, 0, -1)]
        return self.op("Slice", [value, *bounds], wish, output)


def cell_tensors(
    writer: Writer, layer: Layer, parameters: Parameters, *, spelled_out: bool
) -> dict[str, str]:
    """Add the matrices and biases of ``layer``; names by what they are.

    As a standard node: W, R and B (left out if all biases are zero); linear: ``h.x`` transposed;
    spelled out: each matrix and bias by its own name.
    """
    if layer.cell == "linear":
        matrix = {"h.x": parameters.weights[layer.name, "h.x"].T}
        return _add(writer, layer, matrix | _biases(layer, parameters))
    if spelled_out:
        own = {name: value for (owner, name), value in parameters.weights.items() if owner == layer.name}
        return _add(writer, layer, own | _biases(layer, parameters))
    stacked = stack_gates(layer, parameters, ONNX_GATES[layer.cell])
    tensors = {"W": stacked.W[None], "R": stacked.R[None]}
    if _biases(layer, parameters):
        tensors["B"] = np.concatenate([stacked.Wb, stacked.Rb])[None]
    return _add(writer, layer, tensors)


def _biases(layer: Layer, parameters: Parameters) -> dict[str, Floats]:
    return {f"b.{name}": value for (owner, name), value in parameters.biases.items() if owner == layer.name}


def _add(writer: Writer, layer: Layer, tensors: Mapping[str, Floats]) -> dict[str, str]:
    return {name: writer.tensor(value, f"{layer.name}/{name}") for name, value in tensors.items()}


def linear(writer: Writer, layer: Layer, tensors: Mapping[str, str], x: str, output: str) -> str:
    """Append h = W x for a step or a whole sequence: (..., input) to (..., hidden)."""
    if "b.h" not in tensors:
        return writer.op("MatMul", [x, tensors["h.x"]], "", output)
    product = writer.op("MatMul", [x, tensors["h.x"]], f"{layer.name}/product")
    return writer.op("Add", [product, tensors["b.h"]], "", output)


def standard_node(
    writer: Writer,
    layer: Layer,
    tensors: Mapping[str, str],
    x: str,
    initial: Mapping[str, str],
    outputs: Sequence[str],
    direction: str = "forward",
) -> None:
    """The LSTM, GRU or RNN node of ``layer``, named as the layer, on ``x`` (steps, batch, input).

    ``initial``: initial states (1, batch, hidden) by ``h`` and ``c``; ``outputs``: names of the
    node's outputs: all h (steps, 1, batch, hidden), the last h, and an LSTM's last c.
    """
    inputs = [x, tensors["W"], tensors["R"], tensors.get("B", ""), "", initial.get("h", "")]
    inputs.append(initial.get("c", ""))
    while not inputs[-1]:
        inputs.pop()
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size}
    if direction != "forward":
        attributes["direction"] = direction
    if layer.cell == "gru":
        attributes["linear_before_reset"] = int(layer.reset == "after")
    if layer.cell == "rnn_relu":
        attributes["activations"] = ["Relu"]
    writer.ops(OPERATORS[layer.cell], inputs, outputs, layer.name, **attributes)


def spelled_out_step(
    writer: Writer, layer: Layer, tensors: Mapping[str, str], x: str, state: Mapping[str, str]
) -> dict[str, str]:
    """One step of an LSTM (projected or not), mLSTM or plain RNN from single operations.

    ``x``: (batch, input); ``state``: h and c of the step before; result: the same of this step.
    """

    def product(matrix: str, operand: str, added: str) -> str:
        inputs = [operand, tensors[matrix], *([added] if added else [])]
        return writer.op("Gemm", inputs, f"{layer.name}/sum.{matrix}", transB=1)

    def from_input(gate: str) -> str:
        bias = tensors.get(f"b.{gate}", "")
        if not layer.skip_input:
            return product(f"{gate}.x", x, bias)
        return writer.op("Add", [x, bias], f"{layer.name}/sum.{gate}.x") if bias else x

    def apply(kind: str, *operands: str, wish: str) -> str:
        return writer.op(kind, list(operands), f"{layer.name}/{wish}")

    if layer.cell in ("rnn_tanh", "rnn_relu"):
        activation = {"rnn_tanh": "Tanh", "rnn_relu": "Relu"}[layer.cell]
        return {"h": apply(activation, product("h.h", state["h"], from_input("h")), wish="h")}
    operand = "h"
    recurrent = state["h"]
    if layer.cell == "mlstm":
        operand = "m"
        of_h = product("m.h", state["h"], tensors.get("b.m.h", ""))
        recurrent = apply("Mul", from_input("m"), of_h, wish="m")
    gates = {
        gate: apply(
            "Tanh" if gate == "g" else "Sigmoid",
            product(f"{gate}.{operand}", recurrent, from_input(gate)),
            wish=gate,
        )
        for gate in ("i", "f", "g", "o")
    }
    kept = apply("Mul", gates["f"], state["c"], wish="kept")
    c = apply("Add", kept, apply("Mul", gates["i"], gates["g"], wish="new"), wish="c")
    h = apply("Mul", gates["o"], apply("Tanh", c, wish="tanh.c"), wish="mem")
    if layer.projection_size:
        h = product("p.mem", h, tensors.get("b.p", ""))
    return {"h": h, "c": c}
