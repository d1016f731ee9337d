"""One RNN, LSTM or GRU node: cells, sizes, options; what is not supported is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import onnx

from bench.errors import UserError
from bench.workloads.model import Cell
from bench.workloads.onnx_import.reading import label
from bench.workloads.onnx_import.values import UNKNOWN, Value, tensor_type

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
_DEFAULTS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
_CELLS: dict[tuple[str, ...], Cell] = {
    ("LSTM", "sigmoid", "tanh", "tanh"): "lstm",
    ("GRU", "sigmoid", "tanh"): "gru",
    ("RNN", "tanh"): "rnn_tanh",
    ("RNN", "relu"): "rnn_relu",
}

Size = int | str | None
"""A size, the name of a symbolic one, or nothing known."""


@dataclass(frozen=True)
class Loop:
    """A Loop or Scan around a node, and how often its body runs."""

    name: str
    kind: str
    trips: Size


@dataclass(frozen=True)
class Recurrent:
    """An RNN, LSTM or GRU node, with the values of its inputs.

    ``cells``: one a direction; ``backward`` likewise. ``steps``: the length of X; ``used``: how
    much of it the longest sequence has, where sequence lengths are constant.
    """

    node: onnx.NodeProto
    cells: tuple[Cell, ...]
    backward: tuple[bool, ...]
    hidden_size: int
    input_size: int
    steps: Size
    batch: Size
    layout: int
    reset: Literal["before", "after"]
    loops: tuple[Loop, ...]
    values: tuple[Value, ...]
    notes: tuple[str, ...] = ()
    used: int | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return label(self.node)

    def input(self, number: int) -> Value:
        """The value of an input: X, W, R, B, sequence lengths, initial h, initial c, P."""
        return self.values[number] if number < len(self.values) else UNKNOWN

    def has(self, number: int) -> bool:
        """Whether the node has an input of this number."""
        return number < len(self.node.input) and bool(self.node.input[number])


def quantised(node: onnx.NodeProto) -> bool:
    """Whether a node is some other recurrent operator, such as a quantised one of ONNX Runtime."""
    standard = node.domain in ("", "ai.onnx")
    named = any(kind in node.op_type for kind in ("LSTM", "GRU")) or node.op_type.endswith("RNN")
    return named and not (standard and node.op_type in GATES)


def read_recurrent(
    node: onnx.NodeProto, inputs: Mapping[str, Value], loops: tuple[Loop, ...], file: str
) -> Recurrent:
    """What an RNN, LSTM or GRU node computes.

    Raises UserError, naming file and node: an activation, clip, peepholes or coupled gates that
    no cell here has, or sizes that are not known.
    """
    where = f"{file}: {node.op_type} node {label(node)!r}"
    options = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    values = tuple(inputs.get(name, UNKNOWN) for name in node.input)
    _refuse(node, options, values, where)
    direction = options.get("direction", b"forward").decode()
    if direction not in ("forward", "reverse", "bidirectional"):
        raise UserError(f"{where}: direction is {direction!r}; expected forward, reverse or bidirectional")
    backward = {"forward": (False,), "reverse": (True,)}.get(direction, (False, True))
    layout = int(options.get("layout", 0))
    hidden = int(options.get("hidden_size", 0)) or _dim(values, 2, 2)
    rows = GATES[node.op_type] * (hidden if isinstance(hidden, int) else 0)
    width = _dim(values, 1, 2)
    width = width if isinstance(width, int) else _dim(values, 0, 2)
    if not rows or not isinstance(hidden, int) or not isinstance(width, int):
        raise UserError(
            f"{where}: its hidden size or input size is not known (W and R have no shape); "
            "simplify the model first, or export it with constant weights"
        )
    for number, cols in ((1, width), (2, hidden)):
        shape = values[number].shape
        if shape is not None and shape != (len(backward), rows, cols):
            raise UserError(
                f"{where}: {'XWR'[number]} has shape {shape}; expected {(len(backward), rows, cols)} "
                f"({len(backward)} directions, {GATES[node.op_type]} gates of {hidden}, {cols} inputs)"
            )
    steps, batch = (_dim(values, 0, axis) for axis in ((1, 0) if layout else (0, 1)))
    if batch is None and len(values) > 5:
        batch = _dim(values, 5, 0 if layout else 1)
    used, notes = _lengths(values, steps)
    return Recurrent(
        node,
        cells=_cells(node, options, len(backward), where),
        backward=backward,
        hidden_size=hidden,
        input_size=width,
        steps=steps,
        batch=batch,
        layout=layout,
        reset="after" if options.get("linear_before_reset", 0) else "before",
        loops=loops,
        values=values,
        notes=notes,
        used=used,
    )


def with_lengths(recurrent: Recurrent, steps: Size, batch: Size) -> onnx.TypeProto:
    """The type of X with these sizes."""
    kind = recurrent.values[0].type.tensor_type.elem_type or onnx.TensorProto.FLOAT
    front = (batch, steps) if recurrent.layout else (steps, batch)
    return tensor_type(kind, (*front, recurrent.input_size))


def _dim(values: tuple[Value, ...], number: int, axis: int) -> Size:
    dims = values[number].dims if number < len(values) else None
    return dims[axis] if dims is not None and axis < len(dims) else None


def _refuse(node: onnx.NodeProto, options: Mapping[str, Any], values: tuple[Value, ...], where: str) -> None:
    for name in ("activation_alpha", "activation_beta"):
        if options.get(name):
            raise UserError(
                f"{where}: {name} is {list(options[name])}, which scales an activation; only plain sigmoid, "
                "tanh and (in an RNN) relu are supported: export the model without it"
            )
    if options.get("clip"):
        raise UserError(
            f"{where}: clip is {options['clip']:g}, and no cell here bounds its sums: export without clip"
        )
    if options.get("input_forget"):
        raise UserError(
            f"{where}: input_forget couples the input and forget gates; supported is an LSTM with four gates"
        )
    peepholes = values[7] if len(values) > 7 else UNKNOWN
    given = len(node.input) > 7 and bool(node.input[7])
    if given and (peepholes.data is None or peepholes.data.any()):
        raise UserError(f"{where}: has peephole weights (input P); supported is an LSTM without them")


def _cells(node: onnx.NodeProto, options: Mapping[str, Any], count: int, where: str) -> tuple[Cell, ...]:
    """The cell of each direction, from the activations."""
    default = _DEFAULTS[node.op_type]
    names = [name.decode().lower() for name in options.get("activations", [])] or [*default] * count
    cells: list[Cell] = []
    for number in range(count):
        own = tuple(names[number * len(default) : (number + 1) * len(default)])
        if (node.op_type, *own) not in _CELLS:
            raise UserError(
                f"{where}: activations are {', '.join(names)}; expected {', '.join(default)}"
                f"{' or relu' if node.op_type == 'RNN' else ''} in each direction"
            )
        cells.append(_CELLS[(node.op_type, *own)])
    if len(set(cells)) > 1:
        raise UserError(f"{where}: its two directions have different activations; split it into two nodes")
    return tuple(cells)


def _lengths(values: tuple[Value, ...], steps: Size) -> tuple[int | None, tuple[str, ...]]:
    """The longest sequence and what to say about the others."""
    if len(values) <= 4 or values[4] is UNKNOWN:
        return None, ()
    lengths = values[4].data
    if lengths is None:
        return None, ("sequence lengths are given at run time: every sequence is taken as full",)
    longest, shortest = int(lengths.max()), int(lengths.min())
    if longest != shortest:
        text = f"sequences have {shortest} to {longest} steps: shorter ones are padded to {longest}"
        return longest, (text + "; numeric checks run without sequence lengths",)
    return longest, (f"all sequences have {longest} steps of {steps}",) if longest != steps else ()
