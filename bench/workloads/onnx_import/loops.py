"""Values that go into the body of a Scan slice by slice, and come out of a body stacked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.workloads.onnx_import.recurrent import Size
from bench.workloads.onnx_import.values import TRACE_LIMIT, UNKNOWN, Ids, Term, Value, tensor_type


def enter(value: Value, axis: int, back: bool, depth: int) -> tuple[Value, Size]:
    """A Scan's input as its body sees it, and how many slices there are.

    ``back``: the last slice comes first. ``depth``: loops around the Scan.
    """
    dims = value.dims
    if dims is None:
        return replace(UNKNOWN, after=value.after), None
    axis %= len(dims)
    kind = tensor_type(value.type.tensor_type.elem_type, (*dims[:axis], *dims[axis + 1 :]))
    trace = None
    if value.trace is not None:
        terms = [_slices(term, axis, back, depth) for term in value.trace]
        trace = None if None in terms else tuple(term for term in terms if term)
    return Value(kind, None, trace, value.after), dims[axis]


def leave(value: Value, axis: int, trips: Size, depth: int, back: bool = False) -> Value:
    """An output that a body makes in each iteration, stacked along ``axis``.

    ``depth``: loops around the one that is left.
    """
    dims = value.dims
    if dims is None:
        return replace(value, data=None, trace=None)
    axis %= len(dims) + 1
    kind = tensor_type(value.type.tensor_type.elem_type, (*dims[:axis], trips, *dims[axis:]))
    trace = None
    if value.trace is not None and isinstance(trips, int) and trips * value.trace[0][0].size <= TRACE_LIMIT:
        trace = tuple(_stacked(term, axis, trips, depth, back) for term in value.trace)
    return Value(kind, None, trace, value.after)


def unrolled(term: Term, trips: tuple[int, ...]) -> Ids:
    """All ids of a term: an axis for each loop, the outermost first, before the value's own."""
    ids = term[0]
    for number in reversed(range(len(trips))):
        grow = term[number + 1] if number + 1 < len(term) else np.zeros_like(term[0])
        iterations = np.arange(trips[number]).reshape(-1, *([1] * ids.ndim))
        ids = ids[None] + iterations * grow.reshape(*([1] * (ids.ndim - grow.ndim)), *grow.shape)[None]
    return ids


def _slices(term: Term, axis: int, back: bool, depth: int) -> Term | None:
    """The ids of slices, if they grow by the same from slice to slice."""
    moved = [np.moveaxis(part, axis, 0) for part in term]
    moved += [np.zeros_like(moved[0])] * (depth + 1 - len(moved))
    ids, *outer = [part[::-1] if back else part for part in moved]
    grow = ids[1] - ids[0] if len(ids) > 1 else np.zeros_like(ids[0])
    even = np.array_equal(ids, ids[0] + np.arange(len(ids)).reshape(-1, *([1] * grow.ndim)) * grow)
    if not even or any((part != part[0]).any() for part in outer):
        return None
    return (ids[0], *(part[0] for part in outer), grow)


def _stacked(term: Term, axis: int, trips: int, depth: int, back: bool) -> Term:
    ids, *grows = term
    grows += [np.zeros_like(ids)] * (depth + 1 - len(grows))  # what comes from outside a loop stays the same
    inner = grows.pop()
    numbers = np.arange(trips)[::-1] if back else np.arange(trips)
    whole = ids[None] + numbers.reshape(-1, *([1] * ids.ndim)) * inner[None]
    outer = [np.broadcast_to(grow[None], whole.shape) for grow in grows]
    return tuple(np.moveaxis(part, 0, axis) for part in (whole, *outer))
