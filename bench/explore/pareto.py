"""Pareto fronts: the points that no other point is better than, workload by workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.errors import UserError, unknown_name
from bench.explore.choose import SETUP, Choice, chosen
from bench.sweeps.query import run_query

OBJECTIVES = {
    "latency": "latency_s",
    "devices": "fpgas",
    "energy": "energy_j_high",
    "memory": "weight_bytes_per_device",
}
"""What can be made small -> its column. Devices are those of the cluster, energy is its upper bound,
memory the weights on the fullest device."""

SHOWN = ("devices_used", "latency_s", "energy_j_low", "energy_j_high", "power_measured",
         "weight_bytes_per_device")  # fmt: skip

BATCH = 65_536
"""Rows at a time: what is in memory beside the fronts."""

Values = NDArray[np.float64]


@dataclass
class Front:
    """The best points of a workload so far."""

    values: Values
    """[points, objectives], all different."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The first point with these values, in the order of the results."""
    same: list[int] = field(default_factory=list)
    """How many points have these values."""

    def add(self, values: Values, rows: pa.RecordBatch) -> None:
        """Take in further points; ``values``: [points, objectives] of ``rows``."""
        left = np.flatnonzero(~_worse(values, self.values))
        if not left.size:
            return
        distinct, first, counts = np.unique(values[left], axis=0, return_index=True, return_counts=True)
        known = {tuple(one): place for place, one in enumerate(self.values.tolist())}
        new = []
        for place, one in enumerate(distinct.tolist()):
            if (old := known.get(tuple(one))) is None:
                new.append(place)
            else:
                self.same[old] += int(counts[place])
        both = np.concatenate([self.values, distinct[new]])
        kept = undominated(both)
        size = len(self.values)
        taken = {
            place: rows.slice(int(left[first[new[place - size]]]), 1).to_pylist()[0]
            for place in kept
            if place >= size
        }
        counted = [*self.same, *(int(counts[place]) for place in new)]
        self.rows = [taken[place] if place in taken else self.rows[place] for place in kept]
        self.same = [counted[place] for place in kept]
        self.values = both[kept]


def _worse(values: Values, front: Values) -> NDArray[np.bool_]:
    """Which of ``values`` some point of ``front`` is better than."""
    worse = np.zeros(len(values), dtype=np.bool_)
    for one in front:
        worse |= (values >= one).all(axis=1) & (values > one).any(axis=1)
    return worse


def undominated(values: Values) -> list[int]:
    """Places of the rows that no other row is better than: nowhere greater, and somewhere smaller.

    ``values``: [points, objectives], all rows different. In the order of the first objective, then the
    second and so on, of what is left the first row is on the front, as nothing behind it can be better.
    """
    left = np.lexsort(values.T[::-1])
    kept: list[int] = []
    while left.size:
        kept.append(int(left[0]))
        left = left[~(values[left] >= values[left[0]]).all(axis=1)]
    return kept


def read_objectives(text: str) -> tuple[str, ...]:
    """The names in ``latency,devices``; UserError for an unknown one, for one alone, or one twice."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES)
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(
            f"objectives: got {text!r}; expected two or more different of {', '.join(OBJECTIVES)}"
        )
    return names


def fronts(connection: duckdb.DuckDBPyConnection, choice: Choice, objectives: Sequence[str]) -> pa.Table:
    """The front of each workload, sorted by workload and objectives; ``same``: points with equal values.

    Points of which an objective is not known (energy, where no source says what a device draws) are on no
    front. Raises UserError if that leaves none, or if no point is chosen.
    """
    keys = [OBJECTIVES[name] for name in objectives]
    wanted = ", ".join(dict.fromkeys([*SETUP, *SHOWN, *keys]))
    known = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    query = f"SELECT {wanted} FROM ({chosen(connection, choice)}) WHERE {known}"
    found: dict[str, Front] = {}
    schema = run_query(connection, f"SELECT * FROM ({query}) LIMIT 0").schema
    for batch in connection.sql(query).to_arrow_reader(BATCH):
        values = np.column_stack([batch.column(key).to_numpy(zero_copy_only=False) for key in keys])
        codes = batch.column("workload").dictionary_encode()
        for code, workload in enumerate(codes.dictionary.to_pylist()):
            places = np.flatnonzero(codes.indices.to_numpy() == code)
            front = found.setdefault(workload, Front(np.empty((0, len(keys)))))
            front.add(values[places].astype(np.float64), batch.take(pa.array(places)))
    if not found:
        raise UserError(f"no chosen point has all of {', '.join(objectives)}; leave one out")
    rows = [
        {**row, "same": same}
        for front in found.values()
        for row, same in zip(front.rows, front.same, strict=True)
    ]
    rows.sort(key=lambda row: (row["workload"], *(row[key] for key in keys)))
    return pa.Table.from_pylist(rows, schema=schema.append(pa.field("same", pa.int64())))
