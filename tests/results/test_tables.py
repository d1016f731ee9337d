"""Tests of bench.results.tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.results.speedups import speedups
from bench.results.tables import failure_counts, failures, main, point_table


def test_every_experiment_has_its_tables(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run writes all tables in three formats, the same bytes the second time."""
    assert main(["--results", str(results), "--out", str(tmp_path / "a")]) == 0
    assert main(["--results", str(results), "--out", str(tmp_path / "b")]) == 0
    first = {path.relative_to(tmp_path / "a"): path.read_bytes() for path in (tmp_path / "a").rglob("*.*")}
    second = {path.relative_to(tmp_path / "b"): path.read_bytes() for path in (tmp_path / "b").rglob("*.*")}
    assert first == second
    for name in ("all_results.csv", "failures.md", "summary_vs_single.tex", "vs_conventional/fig10.csv"):
        assert Path(name) in first
    assert "tables in" in capsys.readouterr().out


def test_failures_carry_their_reasons(frame: pd.DataFrame) -> None:
    """A refusal and a time-out are both rows, and are counted by reason."""
    table = failures(frame)
    assert set(table["status"]) == {"unsupported", "ok"}
    assert set(table["termination"]) == {"none", "timeout"}
    counts = failure_counts(table)
    assert counts["points"].sum() == len(table)


def test_point_table_drops_columns_that_do_not_vary(frame: pd.DataFrame) -> None:
    """Fig. 11 varies the link latency, so it is a column there; profile and topology are not."""
    rows = speedups(frame, "single")
    table = point_table(rows[rows["experiment"] == "fig11"])
    assert list(table.columns) == ["workload", "link_latency_ns", "fpgas", "single", "row-wise"]
