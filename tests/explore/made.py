"""Results of a made-up sweep, as Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.sweeps.store import rows_schema

SCHEMA = rows_schema(("overlay.tiles",))

POINT: dict[str, Any] = {
    "workload": "lstm-96-b1-t9",
    "profile": "s10-gx2800-dac20",
    "topology": "ring",
    "link": "dac20-ring",
    "link_latency_ns": 500.0,
    "fpgas": 1,
    "partitioner": "row-wise",
    "parameters": "{}",
    "status": "ok",
    "termination": "none",
    "hidden_size": 96,
    "steps": 9,
    "batch": 1,
    "clock_mhz": 250.0,
    "latency_s": 1e-3,
    "weight_bytes_per_device": 1000,
}


def write_sweep(folder: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows, each of which states what differs from `POINT`, as a sweep writes them; its folder."""
    whole = [
        {"devices_used": row.get("fpgas", 1), "point_id": f"{place:08x}", **POINT, **row}
        for place, row in enumerate(rows)
    ]
    columns = []
    for field in SCHEMA:
        empty = "" if pa.types.is_string(field.type) else 0
        columns.append(
            pa.array([row.get(field.name, None if field.nullable else empty) for row in whole], field.type)
        )
    (folder / "points").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), folder / "points/00000.parquet")
    return folder
