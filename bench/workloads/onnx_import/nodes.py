"""One node at a time: types of its outputs, their numbers if all is constant, where elements move.

Types come from ONNX's shape inference, numbers from its reference evaluator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from bench.workloads.onnx_import.reading import opset
from bench.workloads.onnx_import.values import (
    TRACE_LIMIT,
    UNKNOWN,
    Numbers,
    Term,
    Value,
    constant,
)

SAME = frozenset({"Identity", "Cast", "CastLike", "Dropout"})
"""Operators whose first output's elements are those of the first input."""

MOVES = frozenset(
    {
        "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Flatten", "Slice", "Split", "Gather", "Expand",
        "ReverseSequence",
    }
)  # fmt: skip
"""Operators that move the elements of their first input, as their other inputs say."""

RANDOM = ("Random", "Multinomial", "Bernoulli")
MOST_TERMS = 64
"""Terms of a sum that are followed at most."""

_SMALL = 4096
_LARGE = 1 << 28


def infer(node: onnx.NodeProto, inputs: Mapping[str, Value], model: onnx.ModelProto) -> list[onnx.TypeProto]:
    """The types of a node's outputs, empty where inference cannot tell."""
    unknown = [onnx.TypeProto() for _ in node.output]
    try:
        schema = onnx.defs.get_schema(node.op_type, opset(model, node.domain), node.domain)
        if not schema.has_type_and_shape_inference_function:
            return unknown
        found = shape_inference.infer_node_outputs(
            schema,
            node,
            {name: value.type for name, value in inputs.items()},
            {
                name: numpy_helper.from_array(np.ascontiguousarray(value.data))
                for name, value in inputs.items()
                if value.data is not None and value.data.size <= _SMALL
            },
            opset_imports=list(model.opset_import),
            ir_version=model.ir_version,
        )
    except (
        onnx.defs.SchemaError,
        onnx.checker.ValidationError,
        shape_inference.InferenceError,
        RuntimeError,
        ValueError,
        KeyError,
    ):
        return unknown
    return [found.get(name, other) for name, other in zip(node.output, unknown, strict=True)]


def fold(
    node: onnx.NodeProto, inputs: Mapping[str, Value], types: Sequence[onnx.TypeProto], model: onnx.ModelProto
) -> list[Numbers] | None:
    """The outputs of a node all of whose inputs are constant, or whose outputs only tell a known shape."""
    if node.domain not in ("", "ai.onnx") or node.op_type.startswith(RANDOM):
        return None
    if node.op_type in ("Shape", "Size"):
        shape = inputs[node.input[0]].shape
        if shape is None:
            return _known_part(node, inputs[node.input[0]])
        begin, end = (_attribute(node, key, default) for key, default in (("start", 0), ("end", len(shape))))
        size = math.prod(shape) if node.op_type == "Size" else shape[begin:end]
        return [np.asarray(size, np.int64)]
    if any(name and inputs[name].data is None for name in node.input):
        return None
    if any(math.prod(Value(kind).shape or (0,)) > _LARGE for kind in types):
        return None
    return evaluate(
        node, {name: value.data for name, value in inputs.items() if value.data is not None}, model
    )


def evaluate(
    node: onnx.NodeProto, inputs: Mapping[str, Numbers], model: onnx.ModelProto
) -> list[Numbers] | None:
    """A node's outputs by ONNX's reference evaluator; None if it cannot."""
    outputs = [name for name in node.output if name]
    graph = onnx.GraphProto(node=[node])
    graph.input.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(node.input) if name)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    try:
        versions = {item.domain: item.version for item in model.opset_import}
        values = ReferenceEvaluator(graph, opsets=versions).run(None, dict(inputs))
    except Exception:  # an operator or type that the evaluator has not, or a wrong node: not known
        return None
    by_name = dict(zip(outputs, values, strict=True))
    return [np.asarray(by_name.get(name, np.zeros(0))) for name in node.output]


def outputs_of(node: onnx.NodeProto, inputs: Mapping[str, Value], model: onnx.ModelProto) -> list[Value]:
    """The outputs of a node without a body."""
    types = infer(node, inputs, model)
    numbers = fold(node, inputs, types, model)
    if numbers is not None:
        return [constant(data) for data in numbers]
    after = frozenset[int]().union(*(value.after for value in inputs.values()))
    values = [Value(kind, after=after) for kind in types]
    traces = moved(node, inputs, values, model)
    return [Value(value.type, None, trace, after) for value, trace in zip(values, traces, strict=True)]


def moved(
    node: onnx.NodeProto, inputs: Mapping[str, Value], outputs: Sequence[Value], model: onnx.ModelProto
) -> list[tuple[Term, ...] | None]:
    """Where the elements of a node's outputs come from: traces of a data movement, or a sum of them."""
    none: list[tuple[Term, ...] | None] = [None] * len(node.output)
    given = [inputs.get(name, UNKNOWN) for name in node.input]
    if node.domain not in ("", "ai.onnx") or all(value.trace is None for value in given):
        return none
    first = given[0].trace
    if node.op_type in SAME:
        return [first, *none[1:]]
    if node.op_type in ("Add", "Sum"):
        full = [_full(value) for value in given]
        if any(trace is None or trace[0][0].shape != outputs[0].shape for trace in full):
            return none
        return [tuple(term for trace in full for term in trace or ())]
    if node.op_type == "Concat":
        full = [_full(value) for value in given]
        terms = {len(trace) for trace in full if trace is not None}
        if len(terms) != 1 or None in full:
            return none
        joined = [_together(node, [trace[n] for trace in full if trace], model) for n in range(terms.pop())]
        return [tuple(term for term in joined if term)] if None not in joined else none
    if node.op_type == "ReduceSum" and first is not None:
        return [_over_axis(node, given, first)]
    constants = {name: value.data for name, value in inputs.items() if value.data is not None}
    if node.op_type not in MOVES or first is None or any(n and n not in constants for n in node.input[1:]):
        return none
    parts = [[evaluate(node, {**constants, node.input[0]: ids}, model) for ids in term] for term in first]
    if any(part is None for term in parts for part in term):
        return none
    return [
        tuple(tuple(part[number] for part in term if part is not None) for term in parts)
        for number in range(len(node.output))
    ]


def reversed_axis(node: onnx.NodeProto, inputs: Mapping[str, Value]) -> int | None:
    """The axis along which a node turns its first input round as a whole; None if it does not."""
    data = [inputs.get(name, UNKNOWN) for name in node.input]
    shape = data[0].shape if data else None
    if shape is None or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "ReverseSequence" and data[1].data is not None:
        axis = int(_attribute(node, "time_axis", 0))
        return axis if bool((data[1].data == shape[axis]).all()) else None
    if node.op_type == "Slice" and len(data) == 5 and data[4].data is not None and data[3].data is not None:
        axes = [int(axis) for axis, by in zip(data[3].data, data[4].data, strict=True) if by == -1]
        return axes[0] % len(shape) if len(axes) == 1 else None
    return None


def _over_axis(
    node: onnx.NodeProto, given: Sequence[Value], trace: tuple[Term, ...]
) -> tuple[Term, ...] | None:
    """A sum over one short axis: a term for each place on it."""
    listed = next((list(item.ints) for item in node.attribute if item.name == "axes"), [])
    axes = listed if len(given) < 2 or given[1].data is None else given[1].data.tolist()
    if len(axes) != 1:
        return None
    axis = axes[0] % trace[0][0].ndim
    length = trace[0][0].shape[axis]
    if length * len(trace) > MOST_TERMS:
        return None
    keep = bool(_attribute(node, "keepdims", 1))
    return tuple(
        tuple(np.asarray(part.take([place] if keep else place, axis)) for part in term)
        for term in trace
        for place in range(length)
    )


def _full(value: Value) -> tuple[Term, ...] | None:
    """A value's trace; that of one from nowhere where it has none and its shape is known."""
    if value.trace is not None or value.shape is None or math.prod(value.shape) > TRACE_LIMIT:
        return value.trace
    return ((np.full(value.shape, -1, np.int64),),)


def _together(node: onnx.NodeProto, terms: list[Term], model: onnx.ModelProto) -> Term | None:
    """The terms side by side, as a Concat node says."""
    depth = max(len(term) for term in terms)
    parts = []
    for number in range(depth):
        arrays = [term[number] if number < len(term) else np.zeros_like(term[0]) for term in terms]
        names = [f"part{n}" for n in range(len(arrays))]
        alike = onnx.helper.make_node(node.op_type, names, node.output, axis=_attribute(node, "axis", 1))
        result = evaluate(alike, dict(zip(names, arrays, strict=True)), model)
        if result is None:
            return None
        parts.append(result[0])
    return tuple(parts)


def _known_part(node: onnx.NodeProto, value: Value) -> list[Numbers] | None:
    """A part of a shape (Shape with start and end) that is known although the whole is not."""
    dims = value.dims
    if dims is None or node.op_type == "Size":
        return None
    part = dims[_attribute(node, "start", 0) : _attribute(node, "end", len(dims))]
    known = [dim for dim in part if isinstance(dim, int)]
    return [np.asarray(known, np.int64)] if len(known) == len(part) else None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
