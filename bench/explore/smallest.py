"""The smallest cluster that meets a latency, workload by workload."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from bench.explore.choose import PLAINEST, Choice, chosen
from bench.sweeps.query import run_query

POINT = ("fpgas", "latency_s", "partitioner", "parameters", "profile", "topology", "link", "link_latency_ns",
         "devices_used", "energy_j_low", "energy_j_high")  # fmt: skip
"""Columns that are shown of a point, and by which equal ones are ordered."""


def smallest(connection: duckdb.DuckDBPyConnection, choice: Choice, latency_s: float) -> pa.Table:
    """For each workload the point with the fewest FPGAs whose latency is at most ``latency_s``.

    Of these the fastest. ``met`` is false where no point is fast enough: then it is the fastest of all,
    and ``over`` says how many times the wanted latency it takes. Raises UserError if no point is chosen.
    """
    point = f"struct_pack({', '.join(f'{name} := {name}' for name in POINT)})"
    rank = f"{PLAINEST}, {', '.join(POINT[4:8])}"
    met = f"latency_s <= {latency_s!r}"
    query = f"""
        SELECT workload, met, latency_s / {latency_s!r} AS over, {", ".join(POINT)} FROM (
            SELECT workload, bool_or({met}) AS met, unnest(CASE WHEN bool_or({met})
                THEN arg_min({point}, (fpgas, latency_s, {rank})) FILTER ({met})
                ELSE arg_min({point}, (latency_s, fpgas, {rank})) END)
            FROM ({chosen(connection, choice)}) GROUP BY workload
        ) ORDER BY workload"""
    return run_query(connection, query)
