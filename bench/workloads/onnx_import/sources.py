"""Numbers for the elements of recurrent layers' outputs, to be followed through data movements."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from bench.workloads.onnx_import.recurrent import Recurrent
from bench.workloads.onnx_import.values import TRACE_LIMIT, Ids, Term, Value

Traces = tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Source:
    """Elements numbered from ``base`` on, as (steps, batch, hidden) in the order of ONNX's Y.

    ``node``: index of the recurrent node, None for data from outside whose steps alone count.
    """

    base: int
    node: int | None
    way: int
    steps: int
    batch: int
    hidden: int


@dataclass
class Sources:
    """All that is numbered, in rising order of numbers."""

    made: list[Source] = field(default_factory=list)
    end: int = 0

    def layers(self, number: int, recurrent: Recurrent) -> Traces | None:
        """Traces of Y and Y_h of a node (Y_c: of nothing); None if they are too large, or sizes unknown."""
        steps, batch, hidden = recurrent.steps, recurrent.batch, recurrent.hidden_size
        trips = [loop.trips for loop in recurrent.loops]
        known = [trip for trip in trips if isinstance(trip, int)]
        if not isinstance(steps, int) or not isinstance(batch, int) or len(known) != len(trips):
            return None
        ways = len(recurrent.backward)
        if steps * batch * hidden * ways > TRACE_LIMIT:
            return None
        step = batch * hidden
        total = steps * math.prod(known)
        bases = [self._add(number, way, total, batch, hidden) for way in range(ways)]
        ids: Ids = (
            np.arange(steps)[:, None, None, None] * step
            + np.asarray(bases)[None, :, None, None]
            + np.arange(step).reshape(batch, hidden)
        ).astype(np.int64)
        last = np.stack([ids[0 if back else -1, way] for way, back in enumerate(recurrent.backward)])
        if recurrent.layout:
            ids, last = ids.transpose(2, 0, 1, 3), last.transpose(1, 0, 2)
        grows = [steps * step * math.prod(known[depth + 1 :]) for depth in range(len(known))]
        whole, final = (
            ((part, *(np.full(part.shape, grow, np.int64) for grow in grows)),) for part in (ids, last)
        )
        nothing = ((np.full(last.shape, -1, np.int64),),)
        return whole, final, nothing

    def outside(self, value: Value, axis: int, depth: int) -> Value:
        """A value from outside with its places along ``axis`` (time) numbered."""
        shape = value.shape
        if shape is None or math.prod(shape) > TRACE_LIMIT:
            return value
        axis %= len(shape)
        base = self._add(None, 0, shape[axis], 1, 1)
        along = [1] * len(shape)
        along[axis] = shape[axis]
        ids = np.broadcast_to(base + np.arange(shape[axis]).reshape(along), shape).astype(np.int64)
        return replace(value, trace=((ids, *(np.zeros_like(ids) for _ in range(depth))),))

    def of(self, ids: Ids) -> Ids:
        """Index into ``made`` of each id."""
        return np.searchsorted([source.base for source in self.made], ids, side="right") - 1

    def _add(self, node: int | None, way: int, steps: int, batch: int, hidden: int) -> int:
        base = self.end
        self.made.append(Source(base, node, way, steps, batch, hidden))
        self.end += steps * batch * hidden
        return base
