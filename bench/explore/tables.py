"""The exploration of a sweep as files: tables as CSV and Parquet, and figures of them."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pc

from bench.errors import UserError
from bench.explore.break_even import SCHEMA, break_even
from bench.explore.choose import PLAINEST, Choice, chosen
from bench.explore.figures import write_figures
from bench.explore.pareto import OBJECTIVES, fronts
from bench.explore.sensitivity import SCHEMA as SENSITIVITY_SCHEMA
from bench.explore.sensitivity import sensitivity
from bench.sweeps.query import open_results, run_query
from bench.sweeps.store import encode, write_whole

ALL = Choice()


def write_exploration(folder: Path, out: Path) -> dict[str, int]:
    """Write all tables and figures to ``out``; table -> rows. UserError if ``folder`` has no result."""
    with open_results(folder) as connection:
        tables = {
            "pareto": _fronts(connection),
            "fastest": _fastest(connection),
            "break_even": _break_evens(connection),
            "sensitivity": _sensitivity(connection),
        }
    try:
        for name, table in tables.items():
            text = io.BytesIO()
            pc.write_csv(table, text, pc.WriteOptions(quoting_style="needed"))
            write_whole(text.getvalue(), out / f"{name}.csv")
            write_whole(encode(table), out / f"{name}.parquet")
        write_figures(tables, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    return {name: table.num_rows for name, table in tables.items()}


def _fronts(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Fronts of all objectives that are known; energy is left out where no source says what devices draw."""
    known = run_query(connection, "SELECT used_high_w FROM power WHERE used_high_w IS NOT NULL LIMIT 1")
    return fronts(connection, ALL, [name for name in OBJECTIVES if name != "energy" or known.num_rows])


def _fastest(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The fastest point for each workload, link latency and number of FPGAs."""
    rank = f"latency_s, {PLAINEST}, profile, topology, link"
    point = ("partitioner", "parameters", "profile", "topology", "link", "latency_s")
    best = ", ".join(f"arg_min({name}, ({rank})) AS {name}" for name in point)
    return run_query(
        connection,
        f"SELECT workload, link_latency_ns, fpgas, {best} FROM ({chosen(connection, ALL)}) "
        "GROUP BY workload, link_latency_ns, fpgas ORDER BY workload, link_latency_ns, fpgas",
    )


def _break_evens(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Of each number of FPGAs over the next smaller one; empty where one link latency was swept."""
    counted = run_query(connection, "SELECT DISTINCT fpgas FROM solved ORDER BY fpgas").to_pylist()
    latencies = run_query(connection, "SELECT DISTINCT link_latency_ns FROM solved LIMIT 2").num_rows
    pairs = [*pairwise(row["fpgas"] for row in counted)] if latencies > 1 else []
    tables = []
    for over, fpgas in pairs:
        try:
            tables.append(break_even(connection, ALL, fpgas, over))
        except UserError:  # no cluster has both
            continue
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def _sensitivity(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    try:
        return sensitivity(connection, ALL)
    except UserError:  # nothing was swept but names
        return SENSITIVITY_SCHEMA.empty_table()
