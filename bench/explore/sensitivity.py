"""Sensitivities: by what factor latency changes where one axis changes and all others stay."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from bench.errors import UserError
from bench.explore.choose import Choice, chosen, columns
from bench.sweeps.query import run_query
from bench.sweeps.store import ASKED, OUTCOME

GENERAL = ("fpgas", "link_latency_ns", "hidden_size", "steps", "batch", "clock_mhz")
"""Axes that have a column in all results; the last one in those of sweeps alone."""

KEPT = ("version", "source_digest")

FIXED = ("network", "device", "topology", "link", "partitioner", "parameters")
"""What is never an axis here; network and device are without the numbers behind their question mark."""

_TYPES: dict[str, pa.DataType] = {
    "workload": pa.string(),
    "partitioner": pa.string(),
    "axis": pa.string(),
    "pairs": pa.int64(),
    "from": pa.float64(),
    "to": pa.float64(),
    "elasticity": pa.float64(),
    "least": pa.float64(),
    "most": pa.float64(),
}

SCHEMA = pa.schema(_TYPES)


def sensitivity(connection: duckdb.DuckDBPyConnection, choice: Choice) -> pa.Table:
    """For each workload, partitioner and axis: the slope of log latency over log axis.

    A pair is two neighbouring values of the axis on points that are equal in all other axes; its slope is
    ``ln(latency ratio) / ln(axis ratio)``: -1 on ``fpgas`` is perfect scaling, 0 no effect, 1 proportional.
    ``elasticity`` is the median over ``pairs``, with the least and the most; values of 0 have no logarithm
    and are in no pair. Columns: `SCHEMA`. Raises UserError if no axis has two values.
    """
    own = _own_axes(connection)
    axes = [name for name in (*GENERAL, *own) if name in columns(connection)]
    base = (
        "SELECT split_part(workload, '?', 1) AS network, split_part(profile, '?', 1) AS device, "
        f"topology, link, partitioner, parameters, {', '.join(axes)}, latency_s "
        f"FROM ({chosen(connection, choice)})"
    )
    counts = ", ".join(f"count(DISTINCT {axis}) AS {axis}" for axis in axes)
    (varied,) = run_query(connection, f"SELECT {counts} FROM ({base})").to_pylist()
    swept = [axis for axis in axes if varied[axis] > 1]
    tables = [run_query(connection, _slopes(base, axis, axes)).cast(SCHEMA) for axis in swept]
    table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    if not table.num_rows:
        raise UserError(
            "sensitivity: no two chosen points differ in one axis alone; choose more, or sweep an axis"
        )
    return table.sort_by([("workload", "ascending"), ("partitioner", "ascending"), ("axis", "ascending")])


def _own_axes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Columns that a sweep has for axes of its own; none in the results of a run."""
    names = columns(connection)
    if "experiment" in names:
        return []
    general = {*ASKED, *OUTCOME, *KEPT}
    return [name for name in names if name not in general]


def _slopes(base: str, axis: str, axes: list[str]) -> str:
    """The table of one axis, which has no logarithm at 0."""
    others = ", ".join([*FIXED, *(name for name in axes if name != axis)])
    step = f"OVER (PARTITION BY {others} ORDER BY {axis})"
    return f"""
        SELECT network AS workload, partitioner, '{axis}' AS axis, count(*) AS pairs,
            min(before)::DOUBLE AS "from", max({axis})::DOUBLE AS "to",
            median(slope) AS elasticity, min(slope) AS least, max(slope) AS most
        FROM (
            SELECT *, ln(latency_s / latency_before) / ln({axis}::DOUBLE / before) AS slope FROM (
                SELECT *, lag({axis}) {step} AS before, lag(latency_s) {step} AS latency_before
                FROM ({base}) WHERE {axis} > 0
            ) WHERE {axis} > before
        ) GROUP BY network, partitioner"""
