"""Result rows on disk: read a folder of Parquet shards, write one shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import UserError
from bench.results.schema import SCHEMA, SCHEMA_VERSION

ROW_GROUP = 65_536
"""Fixed, so that the same rows always give the same bytes."""


def write_results(rows: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write rows of `bench.results.schema.SCHEMA` as one zstd Parquet file.

    Rows are sorted by ``point_id``, and the file appears by rename, so the same rows
    give the same bytes and nobody ever sees half a file. Raises ValueError for a column
    that is missing or unknown, and for two rows of one point in one experiment.
    """
    path = Path(path)
    ordered = sorted((dict(row) for row in rows), key=lambda row: (row["point_id"], row["experiment"]))
    _check_rows(ordered)
    table = pa.Table.from_pylist(ordered, schema=SCHEMA)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    pq.write_table(
        table, partial, compression="zstd", compression_level=9, row_group_size=ROW_GROUP, version="2.6"
    )
    partial.replace(path)


def _check_rows(rows: list[dict[str, Any]]) -> None:
    expected = set(SCHEMA.names)
    required = {field.name for field in SCHEMA if not field.nullable}
    previous = None
    for row in rows:
        point = (row["point_id"], row["experiment"])
        unknown, missing = set(row) - expected, required - set(row)
        if unknown or missing:
            raise ValueError(f"row {point}: unknown columns {sorted(unknown)}, missing {sorted(missing)}")
        if point == previous:
            raise ValueError(f"two rows have the point_id and experiment {point}")
        previous = point


def read_results(folder: str | Path) -> pd.DataFrame:
    """All rows of ``folder/*.parquet`` (or of one file), one frame sorted by ``point_id``.

    Columns are those of the schema; absent values are NaN (numbers) or None (text).
    Raises UserError if there is no shard, a file is not Parquet, or it has another
    schema version.
    """
    folder = Path(folder)
    shards = [folder] if folder.is_file() else sorted(folder.glob("*.parquet"))
    if not shards:
        raise UserError(
            f"{folder}: no *.parquet file with results; expected what `snakemake reproduce-all` writes to "
            "reports/results; run it first, or give --results FOLDER"
        )
    table = pa.concat_tables([_read_shard(shard) for shard in shards])
    frame = table.to_pandas().sort_values(["point_id", "experiment"]).reset_index(drop=True)
    repeated = frame["point_id"][frame.duplicated(["point_id", "experiment"])]
    if len(repeated):
        raise UserError(
            f"{folder}: point_id {repeated.iloc[0]!r} is in more than one shard; "
            "remove the stale file and run `snakemake reproduce-all` again"
        )
    return frame


def _read_shard(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}); remove it and run again") from error
    found = (table.schema.metadata or {}).get(b"schema_version", b"none").decode()
    if found != str(SCHEMA_VERSION) or table.schema.names != SCHEMA.names:
        raise UserError(
            f"{path}: results schema version {found}, expected {SCHEMA_VERSION}; "
            "remove the file and run `snakemake reproduce-all` again"
        )
    return table
