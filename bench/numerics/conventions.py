"""How ONNX and PyTorch order the gates of a cell, and where they put its biases.

Both stack the matrices of all gates into one: input weights W (gates * hidden, input) and
recurrent weights R (gates * hidden, output), with one bias for each of the two products.

| cell | ONNX | PyTorch | here |
| --- | --- | --- | --- |
| lstm | i, o, f, c | i, f, g, o | gates i, f, g, o; ONNX's c is g |
| gru | z, r, h | r, z, n | gates z, r, n; ONNX's h is n |
| rnn_tanh, rnn_relu | i | h | the one gate h |

- A sum's bias goes to the input product; that of the recurrent product is zero. The exception is
  a GRU that resets after the product: the bias of its sum ``n.h`` belongs to the recurrent one.
- GRU: h' = (1 - z) * n + z * h in all three. Reset before the product is ONNX's
  ``linear_before_reset`` 0 and has no counterpart in PyTorch; reset after it is 1 and is PyTorch's.
- ``skip_input`` is W = a unit matrix for every gate.
- A projected LSTM is PyTorch's ``proj_size`` (without a bias); ONNX has no node for it.

Sources: ONNX operator documentation (LSTM, GRU, RNN); PyTorch documentation of torch.nn.LSTM,
GRU and RNN. `tests/numerics` holds each line against running code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.workloads.model import Cell, Layer
from bench.workloads.parameters import Floats, Parameters

ONNX_GATES: Mapping[Cell, tuple[str, ...]] = {
    "lstm": ("i", "o", "f", "g"),
    "gru": ("z", "r", "n"),
    "rnn_tanh": ("h",),
    "rnn_relu": ("h",),
}
TORCH_GATES: Mapping[Cell, tuple[str, ...]] = {
    "lstm": ("i", "f", "g", "o"),
    "gru": ("r", "z", "n"),
    "rnn_tanh": ("h",),
    "rnn_relu": ("h",),
}


@dataclass(frozen=True)
class Stacked:
    """All gates of a layer on top of each other, as both frameworks keep them.

    ``W``: (gates * hidden, input); ``R``: (gates * hidden, output); ``Wb`` and ``Rb``: (gates * hidden,).
    """

    W: Floats
    R: Floats
    Wb: Floats
    Rb: Floats


def stack_gates(layer: Layer, parameters: Parameters, order: Sequence[str]) -> Stacked:
    """The matrices and biases of ``layer`` with its gates in ``order``; KeyError if a matrix is not there."""
    recurrent = {gate: "rh" if _resets_before(layer) and gate == "n" else "h" for gate in order}
    unit = np.eye(layer.hidden_size, dtype=np.float32)
    inputs = [unit if layer.skip_input else parameters.weights[layer.name, f"{gate}.x"] for gate in order]
    hidden = [parameters.weights[layer.name, f"{gate}.{recurrent[gate]}"] for gate in order]
    return Stacked(
        W=np.concatenate(inputs),
        R=np.concatenate(hidden),
        Wb=np.concatenate([bias(layer, parameters, gate) for gate in order]),
        Rb=np.concatenate([bias(layer, parameters, f"{gate}.h") for gate in order]),
    )


def bias(layer: Layer, parameters: Parameters, name: str) -> Floats:
    """The bias of a gate's sum, (hidden,); zero if there is none."""
    found = parameters.biases.get((layer.name, name))
    return np.zeros(layer.hidden_size, np.float32) if found is None else found


def _resets_before(layer: Layer) -> bool:
    return layer.cell == "gru" and layer.reset == "before"
