"""The rows of a sweep as Parquet: what a segment of the cache holds, and what a shard writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import __version__
from bench.experiments import Point, read_profile, read_workload
from bench.partitioners.sources import find_source
from bench.results.schema import SCHEMA
from bench.rows import MEASURES, Row
from bench.sealed import SEAL, UNSEALED, seal_parquet
from bench.sweeps.keys import Address, code_digest
from bench.variants import split_reference

OUTCOME = (
    "status", "termination", "reason", *MEASURES, "bound_cycles", "split_bound_cycles",
    "plan_id", "plan_notes", "numerics", "numerics_full_size",
)  # fmt: skip
"""Columns that say what came out, as in `bench.results.schema`."""

ASKED = (
    "point_id", "workload", "cell", "hidden_size", "layers", "steps", "batch", "weights", "macs",
    "profile", "clock_mhz", "topology", "link", "link_latency_ns", "link_gbps", "fpgas", "partitioner",
    "parameters",
)  # fmt: skip
"""Columns that say what was asked for."""

_OWN = {"clock_mhz": pa.float64(), "link_gbps": pa.float64()}

ROW_GROUP = 65_536

OUTCOME_SCHEMA = pa.schema([SCHEMA.field(name) for name in OUTCOME])

SEGMENT_SCHEMA = pa.schema([pa.field("key", pa.binary(16), nullable=False), *OUTCOME_SCHEMA])


def rows_schema(columns: Sequence[str]) -> pa.Schema:
    """The columns of a sweep; ``columns``: those of its own, paths in a profile."""
    asked = [pa.field(name, _OWN.get(name) or SCHEMA.field(name).type, nullable=False) for name in ASKED]
    swept = [pa.field(column_name(path), pa.float64()) for path in columns]
    kept = [SCHEMA.field(name) for name in ("version", "source_digest")]
    return pa.schema([*asked, *swept, *OUTCOME_SCHEMA, *kept])


def column_name(path: str) -> str:
    """How a column is called that holds the values of an axis.

    >>> column_name("overlay.tiles")
    'overlay_tiles'
    """
    return path.replace(".", "_")


def rows_table(
    points: Sequence[Point], addresses: Sequence[Address], outcomes: Sequence[Row], columns: Sequence[str]
) -> pa.Table:
    """The rows of a shard, in the order of its points."""
    schema = rows_schema(columns)
    rows = []
    known: dict[tuple[str, str, str, str], Row] = {}
    for point, address in zip(points, addresses, strict=True):
        key = (point.workload, point.profile, point.link, point.partitioner)
        if key not in known:
            known[key] = _about(point, columns)
        rows.append(
            {
                "point_id": address.key.hex()[:16],
                "topology": point.topology,
                "link_latency_ns": point.link_latency_ns,
                "fpgas": point.fpgas,
                "parameters": point.parameters,
                **known[key],
            }
        )
    made = pa.Table.from_pylist(outcomes, schema=OUTCOME_SCHEMA)
    asked = pa.Table.from_pylist(rows, schema=pa.schema([f for f in schema if f.name not in OUTCOME]))
    arrays = [(made if name in OUTCOME else asked).column(name) for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)


def _about(point: Point, columns: Sequence[str]) -> Row:
    """What points of one workload, profile, link and partitioner have in common."""
    workload, profile = read_workload(point.workload), read_profile(point.profile)
    first, link = workload.layers[0], profile.link(point.link)
    _, changes = split_reference(point.profile)
    swept: dict[str, Any] = {}
    for path in columns:
        text = changes.get(path.replace("link.", f"links.{point.link}.", 1))
        swept[column_name(path)] = None if text is None else float({"true": 1, "false": 0}.get(text, text))
    return {
        "workload": point.workload,
        "cell": first.cell,
        "hidden_size": first.hidden_size,
        "layers": len(workload.layers),
        "steps": workload.steps,
        "batch": workload.batch,
        "weights": workload.weights,
        "macs": workload.macs,
        "profile": point.profile,
        "clock_mhz": profile.clock_mhz,
        "link": point.link,
        "link_gbps": link.bandwidth_gbps,
        "partitioner": find_source(point.partitioner).name,
        "version": __version__,
        "source_digest": code_digest(point.partitioner),
        **swept,
    }


def encode(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file; the same rows give the same bytes."""
    return _encode(table, {})


def encode_sealed(table: pa.Table) -> bytes:
    """The same with a hash of itself, which `bench.sealed.find_damage` looks at."""
    return seal_parquet(_encode(table, {SEAL: UNSEALED}))


def _encode(table: pa.Table, metadata: dict[str, str]) -> bytes:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, table.schema, compression="zstd", compression_level=3, version="2.6"
    ) as writer:
        writer.write_table(table, ROW_GROUP)
        writer.add_key_value_metadata(metadata)
    return sink.getvalue().to_pybytes()


def write_whole(content: bytes, path: Path) -> None:
    """Write a file that appears by rename, whole or not at all; OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
