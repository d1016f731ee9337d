"""Tests of the tables: measured, published and emulated times, apart and in the same units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.baselines.stored import Row, write_machine
from bench.errors import UserError
from bench.results.baselines import ALL_COLUMNS, all_rows, main, measured_rows, overview
from bench.results.frames import prepare
from bench.results.published import read_gpu_latencies
from bench.results.store import write_results
from bench.site.baselines import baselines_section
from bench.site.parts import Sources
from bench.workloads.catalogue import load_workload
from tests.results.factory import make_row

LSTM = "dac20/lstm-2048"
SKIPPING = "deepbench-skip-input/inference_server/lstm-2048-b1-t25"
MACS = load_workload(LSTM).macs
ROW = Row(
    LSTM, "numpy", "2.4", "cpu", "float32", 1, 1, MACS, "ok", "", 9, 1, 0.02, 0.01, 0.001, 0.04, 1e-7, 1.0
)
NONE = replace(Row(*list(vars(ROW).values())[:8], status="unsupported"), engine="torch", reason="no module")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with one machine: numpy with 1 and 2 threads, and an engine that cannot."""
    rows = [ROW, replace(ROW, threads=2, median_s=0.015), NONE]
    write_machine(tmp_path / "stored", "cpu", {"cores": 2}, rows)
    return tmp_path / "stored"


@pytest.fixture
def results() -> list[dict[str, object]]:
    """Emulated rows: one FPGA, and the full search on two and four."""
    rows = [
        make_row(workload=LSTM, partitioner="single", latency_s=4e-4),
        make_row(workload=LSTM, partitioner="full", fpgas=2, latency_s=3e-4),
        make_row(workload=LSTM, partitioner="full", fpgas=4, latency_s=2e-4),
        make_row(workload="dac20/gru-1024", partitioner="single"),
    ]
    return [{**row, "macs": MACS, "parameters": "{}"} for row in rows]


def table(stored: Path, results: list[dict[str, object]]) -> pd.DataFrame:
    """All rows of both, with what is published."""
    from bench.baselines.stored import read_machines

    return all_rows(read_machines(stored), read_gpu_latencies(), prepare(pd.DataFrame(results)))


def test_kinds_are_apart_and_in_one_unit(stored: Path, results: list[dict[str, object]]) -> None:
    """A network's rows say which kind they are; TOPS are 2 x MACs over the latency for each."""
    rows = table(stored, results)
    ours = rows[rows["workload"] == LSTM]
    assert ours["kind"].tolist() == ["measured"] * 3 + ["emulated"] * 2
    assert ours["what"].tolist() == [
        "numpy 2.4, float32, 1 thread",
        "numpy 2.4, float32, 2 threads",
        "torch 2.4, float32, 1 thread",
        "full, 4 FPGAs",
        "single, 1 FPGA",
    ]
    assert ours["latency_ms"].fillna(0).tolist() == pytest.approx([20, 15, 0, 0.2, 0.4])
    tops = [2 * MACS / seconds / 1e12 for seconds in (0.02, 0.015, 2e-4, 4e-4)]
    assert ours["effective_tops"].dropna().tolist() == pytest.approx(tops)
    assert ours["reason"].tolist()[2] == "no module"
    assert "dac20/gru-1024" not in set(rows["workload"])


def test_spread_is_of_measured_rows_alone(stored: Path, results: list[dict[str, object]]) -> None:
    """Quartiles, least, 99th percentile and rounds stand where something was measured."""
    rows = table(stored, results)
    timed = rows[(rows["kind"] == "measured") & rows["latency_ms"].notna()]
    columns = ["iqr_ms", "least_ms", "p99_ms", "rounds"]
    assert timed[columns].iloc[0].tolist() == pytest.approx([1, 10, 40, 9])
    assert rows.loc[rows["kind"] != "measured", columns].isna().all().all()


def test_published_times_are_of_recurrent_products(stored: Path, results: list[dict[str, object]]) -> None:
    """DeepBench's GPU times at batch 1 are of its skip-input networks, whose operations count."""
    rows = table(stored, results)
    published = rows[rows["kind"] == "published"]
    assert len(published) == 3 * 23
    titan = published[(published["workload"] == SKIPPING) & published["what"].str.startswith("Titan Xp")]
    expected = read_gpu_latencies().query(
        "device == 'Titan Xp' and cell == 'lstm' and hidden_size == 2048 and batch_size == 1"
    )["time_ms"]
    assert titan["latency_ms"].tolist() == expected.tolist()
    operations = 2 * 25 * 4 * 2048 * 2048
    assert titan["effective_tops"].iloc[0] == pytest.approx(operations / (expected.iloc[0] * 1e-3) / 1e12)


def test_overview_takes_the_fastest(stored: Path, results: list[dict[str, object]]) -> None:
    """An engine's fewest milliseconds, and TOPS of the fastest of each kind."""
    wide = overview(table(stored, results)).set_index("workload")
    ours = wide.loc[LSTM]
    assert ours["measured: numpy"] == pytest.approx(15)
    assert ours["measured TOPS"] == pytest.approx(2 * MACS / 0.015 / 1e12)
    assert ours["emulated: single"] == pytest.approx(0.4)
    assert ours["emulated: full"] == pytest.approx(0.2)
    assert ours["full on"] == "4 FPGAs"
    assert pd.isna(ours["published: Titan Xp"])
    assert "measured: torch" not in wide


def test_a_network_that_has_changed_is_refused() -> None:
    """A time of another number of multiply-accumulates than the network has now does not count."""
    frame = pd.DataFrame([{"machine": "cpu", **vars(replace(ROW, macs=7))}])
    with pytest.raises(
        UserError, match=r"baselines of cpu: dac20/lstm-2048 had 7 mult.*run `bench baseline`"
    ):
        measured_rows(frame)


def test_a_run_without_stored_times_has_published_ones(
    tmp_path: Path, results: list[dict[str, object]]
) -> None:
    """With an empty folder the table holds what others have published."""
    assert set(table(tmp_path, results)["kind"]) == {"published"}


def test_tables_and_section(tmp_path: Path, stored: Path, results: list[dict[str, object]]) -> None:
    """The command writes both tables, and the page's section shows kinds in parts of their own."""
    write_results(results, tmp_path / "results" / "r.parquet")
    out = tmp_path / "tables"
    assert main(["--results", str(tmp_path / "results"), "--out", str(out), "--stored", str(stored)]) == 0
    assert list(pd.read_csv(out / "baselines_all.csv").columns) == ALL_COLUMNS
    section = baselines_section(Sources(tmp_path / "results", tmp_path))
    assert section is not None
    folded = [part.folded for part in section.parts if part.folded]
    assert folded == ["All 3 measured rows", "All 69 published rows", "All 2 emulated rows"]
    first = section.parts[0].table
    assert first is not None
    titles = [column.title for column in first.columns]
    assert "measured: numpy" in titles
    assert not [title for title in titles if title.startswith("published")]


def test_no_section_without_tables(tmp_path: Path) -> None:
    """A run that has no such table has no such section."""
    assert baselines_section(Sources(tmp_path, tmp_path)) is None
