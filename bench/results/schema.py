"""The one schema of results: a row is a point, and a failure is a row too."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 3
"""History: 1, the first; 2, whether the plan computes the right numbers; 3, who made it, and the budget."""

STATUSES = ("ok", "unsupported", "error")
"""What the partitioner said: a plan, a refusal with its reason, or an exception."""

TERMINATIONS = (
    "none",
    "timeout",
    "crash",
    "out of memory",
    "invalid plan",
    "does not fit",
    "wrong numbers",
    "misbehaved",
)
"""What the harness did: nothing, or why it threw the point out."""

_FIELDS: list[pa.Field[Any]] = [
    # what was asked for
    pa.field("point_id", pa.string(), nullable=False),
    pa.field("experiment", pa.string(), nullable=False),
    pa.field("workload", pa.string(), nullable=False),
    pa.field("cell", pa.string(), nullable=False),  # of the first layer
    pa.field("hidden_size", pa.int64(), nullable=False),  # of the first layer
    pa.field("layers", pa.int64(), nullable=False),  # unidirectional ones
    pa.field("steps", pa.int64(), nullable=False),
    pa.field("batch", pa.int64(), nullable=False),
    pa.field("products", pa.string(), nullable=False),  # "input+recurrent", "recurrent" or "input"
    pa.field("weights", pa.int64(), nullable=False),
    pa.field("macs", pa.int64(), nullable=False),
    pa.field("profile", pa.string(), nullable=False),
    pa.field("topology", pa.string(), nullable=False),
    pa.field("link", pa.string(), nullable=False),
    pa.field("link_latency_ns", pa.float64(), nullable=False),
    pa.field("fpgas", pa.int64(), nullable=False),
    pa.field("partitioner", pa.string(), nullable=False),
    pa.field("parameters", pa.string(), nullable=False),  # JSON, sorted keys
    pa.field("budget_s", pa.float64(), nullable=False),  # limit of the search for a plan
    pa.field("backend", pa.string(), nullable=False),  # "emulated"
    # how it ended
    pa.field("status", pa.string(), nullable=False),
    pa.field("termination", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),  # "" when all is well; else why not, or who was stopped
    # what came out; null where there is no result
    pa.field("latency_s", pa.float64()),
    pa.field("cycles", pa.int64()),
    pa.field("bound_cycles", pa.int64()),  # no plan on these devices takes fewer (docs/bounds.md)
    pa.field("split_bound_cycles", pa.int64()),  # no plan split by rows does; null for plans that are not
    pa.field("cycles_per_step", pa.float64()),
    pa.field("utilization", pa.float64()),
    pa.field("communication_share", pa.float64()),
    pa.field("devices_used", pa.int64()),
    pa.field("weight_bytes_per_device", pa.int64()),  # the fullest device
    pa.field("fits_on_chip", pa.bool_()),
    pa.field("plan_id", pa.string()),
    pa.field("plan_notes", pa.string()),
    # what the plan computes; null where its numbers were not checked
    pa.field("numerics", pa.string()),  # "exact", "within 1e-5", or "failed: " and where and why
    pa.field("numerics_full_size", pa.bool_()),  # false: on a network of the same structure, scaled down
    # where it comes from
    pa.field("version", pa.string(), nullable=False),
    pa.field("source_digest", pa.string(), nullable=False),  # of all that the row depends on
    pa.field("partitioner_version", pa.string(), nullable=False),  # "" where it has none
    pa.field("partitioner_source", pa.string(), nullable=False),  # hash over its own files
    pa.field("log", pa.string()),  # what a plug-in printed, in the folder of the outputs; null if built in
]

SCHEMA = pa.schema(_FIELDS, metadata={"schema_version": str(SCHEMA_VERSION)})
