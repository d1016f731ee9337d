"""Weights, biases and initial states of ONNX nodes under the names that they have here.

ONNX stacks LSTM gates as i, o, f, c (c is g here), GRU gates as z, r, h (h is n), and gives the
biases of input and recurrent products side by side (operator documentation of LSTM, GRU, RNN).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import UserError
from bench.workloads.onnx_import.feeds import Connection
from bench.workloads.onnx_import.recurrent import Recurrent
from bench.workloads.parameters import Floats, Parameters

ORDERS = {"LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "n"), "RNN": ("h",)}


def parameters(
    nodes: Sequence[tuple[Recurrent, Connection, Sequence[str]]], batch: int, file: str
) -> Parameters:
    """The numbers of all layers: (node, its inputs, a layer name a direction).

    Raises UserError if W, R or B of a node is no constant.
    """
    weights: dict[tuple[str, str], Floats] = {}
    biases: dict[tuple[str, str], Floats] = {}
    initial: dict[tuple[str, str], Floats] = {}
    for node, connection, layers in nodes:
        for number in (1, 2, 3):
            if node.has(number) and node.input(number).data is None:
                raise UserError(
                    f"{file}: {node.node.op_type} node {node.label!r}: {'XWRB'[number]} is computed at run "
                    "time, so there are no weights to keep; export the model with constant weights"
                )
        for way, layer in enumerate(layers):
            matrices, sums = _stacked(node, connection, way)
            weights |= {(layer, name): values for name, values in matrices.items()}
            biases |= {(layer, name): values for name, values in sums.items()}
            for number, state in ((5, "h"), (6, "c")):
                data = node.input(number).data
                if data is not None and data.any():
                    own = _float(data[:, way] if node.layout else data[way])
                    initial[layer, state] = np.broadcast_to(own, (batch, node.hidden_size)).copy()
    return Parameters(weights, biases, initial)


def _stacked(
    node: Recurrent, connection: Connection, way: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Matrices by name, biases by sum, of one direction."""
    order, hidden = ORDERS[node.node.op_type], node.hidden_size
    W, R, B = (node.input(number).data for number in (1, 2, 3))
    assert W is not None
    assert R is not None
    columns = np.asarray(connection.columns)
    matrices: dict[str, Floats] = {}
    sums: dict[str, Floats] = {}
    biases = _float(B[way]) if B is not None else np.zeros(2 * len(order) * hidden, np.float32)
    for number, gate in enumerate(order):
        rows = slice(number * hidden, (number + 1) * hidden)
        mine, recurrent = biases[rows], biases[len(order) * hidden :][rows]
        apart = node.node.op_type == "GRU" and gate == "n"
        matrices[f"{gate}.x"] = np.ascontiguousarray(_float(W[way, rows])[:, columns])
        operand = "rh" if apart and node.reset == "before" else "h"
        matrices[f"{gate}.{operand}"] = _float(R[way, rows])
        if apart and node.reset == "after":
            sums |= {gate: mine, f"{gate}.h": recurrent}
        else:
            sums[gate] = mine + recurrent
    return matrices, sums if B is not None else {}


def _float(values: np.ndarray) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float32)
