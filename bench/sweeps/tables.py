"""The tables of a sweep: speed-ups by topology, number of FPGAs and partitioner, made by SQL."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.csv as pc

from bench.errors import UserError
from bench.sweeps.query import open_results, run_query
from bench.sweeps.store import encode, write_whole

TABLES = {
    "speedups": "SELECT * FROM speedup_table",
    "best": "SELECT topology, fpgas, link_latency_ns, partitioner, count(*) AS points,"
    " geomean(over_single) AS geomean_over_single FROM best GROUP BY ALL"
    " ORDER BY topology, fpgas, link_latency_ns, partitioner",
    "failures": "SELECT * FROM failures",
}
"""Table -> the query that makes it; rows in a fixed order."""


def remove_stale(folder: Path, jobs: set[str]) -> None:
    """Remove the rows of jobs that a changed sweep file no longer has, and what a killed job left behind."""
    for file in [*(folder / "points").glob("*.parquet"), *(folder / "points").glob(".*.partial")]:
        if file.stem not in jobs:
            file.unlink()


def write_tables(folder: Path, out: Path, memory_mib: int) -> dict[str, int]:
    """Write each table as CSV and Parquet to ``out``; table -> rows. UserError if one cannot be written."""
    sizes = {}
    with open_results(folder, memory_mib) as connection:
        for name, query in TABLES.items():
            table = run_query(connection, query)
            text = io.BytesIO()
            pc.write_csv(table, text, pc.WriteOptions(quoting_style="needed"))
            try:
                write_whole(text.getvalue(), out / f"{name}.csv")
                write_whole(encode(table), out / f"{name}.parquet")
            except OSError as error:
                raise UserError(f"{out}: cannot be written ({error.strerror})") from None
            sizes[name] = table.num_rows
    return sizes
