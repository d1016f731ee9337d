"""What is known of a value of an ONNX graph: type, number, and where its elements come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Numbers = NDArray[Any]
Ids = NDArray[np.int64]
Term = tuple[Ids, ...]
"""Ids of a value's elements in the first iteration of the loops around it, then for each loop (the
outermost first) what an id grows by in one iteration. -1: an element that no source has."""

TRACE_LIMIT = 1 << 25
"""Elements of a value that are followed through data movements; larger ones count as external."""


@dataclass(frozen=True)
class Value:
    """A value while its graph is walked.

    ``type``: as shape inference gives it. ``data``: its number if it is constant. ``trace``:
    where its elements come from, summed over several terms; None if no source is known.
    ``after``: recurrent nodes that it depends on with none in between.
    """

    type: onnx.TypeProto
    data: Numbers | None = None
    trace: tuple[Term, ...] | None = None
    after: frozenset[int] = frozenset()

    @property
    def dims(self) -> tuple[int | str | None, ...] | None:
        """Sizes, names of symbolic ones, None where nothing is known; None without a rank."""
        if not self.type.tensor_type.HasField("shape"):
            return None
        return tuple(
            dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
            for dim in self.type.tensor_type.shape.dim
        )

    @property
    def shape(self) -> tuple[int, ...] | None:
        """All sizes, or None if one is not known."""
        dims = self.dims
        known = tuple(dim for dim in dims or () if isinstance(dim, int))
        return None if dims is None or len(known) != len(dims) else known


UNKNOWN = Value(onnx.TypeProto())


def tensor_type(kind: int, dims: tuple[int | str | None, ...]) -> onnx.TypeProto:
    """The type of a tensor."""
    return onnx.helper.make_tensor_type_proto(kind, dims)


def constant(data: Numbers) -> Value:
    """The value of a constant."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(data.dtype)
    return Value(tensor_type(kind, data.shape), data)


def bound(kind: onnx.TypeProto, sizes: dict[str, int], name: str = "") -> onnx.TypeProto:
    """A type with the sizes of symbolic dimensions put in.

    With ``name``, nameless dimensions get the name ``name.axis``.
    """
    result = onnx.TypeProto()
    result.CopyFrom(kind)
    for axis, dim in enumerate(result.tensor_type.shape.dim):
        if dim.HasField("dim_value") and (dim.dim_value > 0 or not name):
            continue
        symbol = dim.dim_param or (f"{name}.{axis}" if name else "")
        if symbol in sizes:
            dim.dim_value = sizes[symbol]
        elif symbol:
            dim.dim_param = symbol
    return result


def joined(first: onnx.TypeProto, second: onnx.TypeProto) -> onnx.TypeProto:
    """``first``, with what it leaves open taken from ``second``."""
    if not first.HasField("tensor_type"):
        return second
    if not first.tensor_type.HasField("shape"):
        return second if second.tensor_type.HasField("shape") else first
    result = onnx.TypeProto()
    result.CopyFrom(first)
    dims, others = result.tensor_type.shape.dim, second.tensor_type.shape.dim
    if len(dims) == len(others):
        for dim, other in zip(dims, others, strict=True):
            if not dim.HasField("dim_value") and (other.HasField("dim_value") or not dim.dim_param):
                dim.CopyFrom(other)
    return result


def common(first: onnx.TypeProto, second: onnx.TypeProto) -> onnx.TypeProto:
    """What two types agree on."""
    one, two = Value(first).dims, Value(second).dims
    if one is None or two is None or len(one) != len(two):
        kind = onnx.TypeProto()
        kind.tensor_type.elem_type = first.tensor_type.elem_type
        return kind
    same = tuple(a if a == b else None for a, b in zip(one, two, strict=True))
    return tensor_type(first.tensor_type.elem_type, same)
