"""Shards on disk, and collecting them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.experiments import Shard, load_config, make_shards
from bench.results.store import read_results
from bench.rows import Row, failure, request_columns
from bench.sealed import read_sealed, write_sealed
from bench.shards import collect, find_shard, show_progress, write_accuracy

CONFIG = """
experiments:
  - name: small
    workloads: [lstm-512-b1-t25]
    profiles: [s10-gx2800-dac20]
    fpgas: [2]
    partitioners: [row-wise]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two points in two shards."""
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def rows_of(shard: Shard) -> list[Row]:
    """A row for each entry, all timed out."""
    outcome = failure("error", "timeout", "stopped")
    return [request_columns(name, point, "digest") | outcome for name, point in shard.entries]


def test_collect_joins_all_shards(config: Path, tmp_path: Path) -> None:
    """Failed points keep their row on the way into Parquet."""
    files = []
    for shard in make_shards(load_config(config)):
        files.append(tmp_path / f"{shard.name}.jsonl")
        write_sealed(rows_of(shard), files[-1])
    collect(config, files, tmp_path / "results.parquet")
    frame = read_results(tmp_path / "results.parquet")
    assert sorted(frame["partitioner"]) == ["row-wise", "single"]
    assert set(frame["termination"]) == {"timeout"}


def test_collect_refuses_a_missing_row(config: Path, tmp_path: Path) -> None:
    """A missing row never helps anyone: nothing is written."""
    shard = make_shards(load_config(config))[0]
    write_sealed(rows_of(shard), tmp_path / "one.jsonl")
    with pytest.raises(UserError, match="1 rows missing, 0 too many"):
        collect(config, [tmp_path / "one.jsonl"], tmp_path / "results.parquet")
    assert not (tmp_path / "results.parquet").exists()


def test_unknown_shard(config: Path) -> None:
    """A name that is not a shard gets the nearest ones."""
    with pytest.raises(UserError, match="all--row-wise"):
        find_shard(load_config(config), "all--rowwise")


def test_plain_progress_says_ten_lines_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal, progress is a line each tenth of the way."""
    with show_progress("shard") as progress:
        for done in range(1, 101):
            progress(done, 100, done // 50)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "shard: 100/100 points, 2 without a result"


def test_accuracies_of_each_workload_and_format(config: Path, tmp_path: Path) -> None:
    """A row each, the same bytes the second time; without the section it says what to add."""
    section = "accuracy: {workloads: [lstm-32-b1-t9], formats: [float32, int8, bfp2], steps: 3}\n"
    asking = tmp_path / "asking.yaml"
    asking.write_text(section + CONFIG, encoding="utf-8")
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for file in files:
        write_accuracy(load_config(asking), file, lambda *_: None)
    rows = read_sealed(files[0])
    assert [(row["workload"], row["format"], row["steps"]) for row in rows] == [
        ("lstm-32-b1-t9", name, 3) for name in ("float32", "int8", "bfp2")
    ]
    assert rows[0]["snr_db"] is None  # equal: infinite
    assert rows[1]["snr_db"] > rows[2]["snr_db"] > 0
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(UserError, match="add a section accuracy"):
        write_accuracy(load_config(config), tmp_path / "none.jsonl", lambda *_: None)
