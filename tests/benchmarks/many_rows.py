"""Rows of a sweep as often as wanted, each time on another device, to try queries on millions of rows.

Example: python tests/benchmarks/many_rows.py reports/sweep/sweep many 91
         bench sweep tables many
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def replicate(folder: Path, out: Path, copies: int) -> int:
    """Write ``copies`` of all rows in ``folder``, each on a profile of its own; returns how many rows."""
    table = pa.concat_tables(pq.read_table(path) for path in sorted((folder / "points").glob("*.parquet")))
    (out / "points").mkdir(parents=True)
    for n in range(copies):
        profile = pc.binary_join_element_wise(table.column("profile"), f"clock_mhz={250 + n}", "?")
        latency = pc.multiply(table.column("latency_s"), 250 / (250 + n))
        changed = table
        for name, values in (("profile", profile), ("latency_s", latency)):
            changed = changed.set_column(
                changed.schema.get_field_index(name), changed.schema.field(name), values
            )
        pq.write_table(changed, out / "points" / f"{n:05d}.parquet", compression="zstd")
    return table.num_rows * copies


if __name__ == "__main__":
    rows = replicate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    print(f"{rows:,} rows")
