"""The exploration of a sweep as files, and the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.explore.tables import write_exploration
from tests.explore.made import write_sweep

ROWS: list[dict[str, Any]] = [
    {"fpgas": fpgas, "link_latency_ns": at, "latency_s": 8e-6 / fpgas + fpgas * at * 1e-9}
    for fpgas in (1, 2, 4)
    for at in (50.0, 500.0, 5000.0)
]

KINDS = ("svg", "pdf", "png")


def test_the_exploration_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Four tables and four figures, twice."""
    folder = write_sweep(tmp_path / "sweep", ROWS)
    counts = write_exploration(folder, tmp_path / "a")
    write_exploration(folder, tmp_path / "b")
    assert counts == {"pareto": 3, "fastest": 9, "break_even": 2, "sensitivity": 2}
    written = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    figures = {
        f"{name}.{kind}" for name in ("fronts", "energy", "break_even", "sensitivity") for kind in KINDS
    }
    assert set(written) == figures | {f"{name}.{kind}" for name in counts for kind in ("csv", "parquet")}


def test_a_single_point_has_a_front_and_nothing_else(tmp_path: Path) -> None:
    """Nothing was swept: tables without rows, and no figures of them; no power, so no energy."""
    folder = write_sweep(tmp_path / "sweep", [{"profile": "s10-mx2100"}])
    assert write_exploration(folder, tmp_path / "a") == {
        "pareto": 1, "fastest": 1, "break_even": 0, "sensitivity": 0,
    }  # fmt: skip
    assert {path.stem for path in (tmp_path / "a").glob("*.svg")} == {"fronts"}


def bench(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    result = CliRunner().invoke(app, ["explore", *arguments])
    return result.exit_code, result.output


def test_smallest_says_what_meets_a_latency_and_what_comes_nearest(
    tmp_path: Path,
) -> None:
    """Exit code 1 where nothing meets it; JSON has both alike."""
    folder = str(write_sweep(tmp_path, ROWS))
    assert bench("smallest", folder, "--latency-us", "5")[0] == 0
    code, text = bench("smallest", folder, "--latency-us", "1")
    assert code == 1
    assert "none within 1 us" in text
    code, text = bench("smallest", folder, "--latency-us", "5", "--json")
    (row,) = json.loads(text)
    assert (row["met"], row["fpgas"], row["partitioner"]) == (True, 2, "row-wise")


@pytest.mark.parametrize(
    "arguments",
    [
        ("pareto", "--objectives", "latency,devices,energy,memory"),
        ("smallest", "--latency-us", "5"),
        ("break-even", "--fpgas", "4", "--over", "2"),
        ("sensitivity",),
    ],
)
def test_each_command_prints_a_table_json_and_csv(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The same rows in all three; the table leaves out what is the same in each."""
    folder = str(write_sweep(tmp_path, ROWS))
    name, *options = arguments
    code, text = bench(name, folder, *options)
    assert code == 0
    assert "lstm-96-b1-t9" in text
    rows = json.loads(bench(name, folder, *options, "--json")[1])
    lines = bench(name, folder, *options, "--csv")[1].splitlines()
    assert len(lines) == len(rows) + 1
    assert [column.strip('"') for column in lines[0].split(",")] == [*rows[0]]
