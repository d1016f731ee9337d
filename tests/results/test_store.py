"""Tests of bench.results.store."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.results.schema import SCHEMA
from bench.results.store import read_results, write_results

from .factory import make_row


def test_round_trip_keeps_rows_sorted_by_point(tmp_path: Path) -> None:
    """What is written comes back, sorted, with absent numbers as NaN."""
    rows = [make_row(fpgas=2), make_row(fpgas=1, status="error", reason="no")]
    write_results(rows, tmp_path / "a.parquet")
    frame = read_results(tmp_path)
    assert list(frame.columns) == SCHEMA.names
    assert list(frame["point_id"]) == sorted(row["point_id"] for row in rows)
    assert frame["latency_s"].isna().sum() == 1


def test_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    """The order in which rows arrive does not reach the file."""
    rows = [make_row(fpgas=n) for n in (1, 2, 4)]
    write_results(rows, tmp_path / "a.parquet")
    write_results(rows[::-1], tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_wrong_columns_and_repeated_points_are_refused(tmp_path: Path) -> None:
    """A row that does not fit the schema writes nothing."""
    row = make_row()
    with pytest.raises(ValueError, match="unknown columns"):
        write_results([{**row, "extra": 1}], tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="two rows"):
        write_results([row, row], tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_reading_tells_what_is_wrong(tmp_path: Path) -> None:
    """No shard, a broken file, another schema, and a point in two shards are user errors."""
    with pytest.raises(UserError, match=r"no \*.parquet"):
        read_results(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match="not a readable"):
        read_results(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="schema version none"):
        read_results(tmp_path)
    write_results([make_row()], tmp_path / "a.parquet")
    write_results([make_row()], tmp_path / "b.parquet")
    with pytest.raises(UserError, match="more than one shard"):
        read_results(tmp_path)
