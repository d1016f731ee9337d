"""Tests of bench.results.paper and bench.results.series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.results.frames import prepare
from bench.results.paper import compare, main, share_within, summarize, winners
from bench.results.published import read_figures
from bench.results.series import Point, emulated_rows, emulated_value

from .factory import make_row


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The published figures."""
    return read_figures()


def test_every_published_row_has_an_emulated_value(frame: pd.DataFrame, published: pd.DataFrame) -> None:
    """No figure, series or metric of the paper is without its counterpart."""
    points = compare(frame, published)
    assert len(points) == len(published)
    assert points["emulated"].notna().all()


def test_no_result_is_outside_every_tolerance(published: pd.DataFrame) -> None:
    """Without rows nothing counts as close, and no winner agrees."""
    points = compare(prepare(pd.DataFrame([make_row(workload="other")])), published)
    counted = points[points["counted"]]
    assert counted["emulated"].isna().all()
    assert (
        not points.loc[points["emulated"].isna(), ["within_step", "within_15pct", "within_8pct"]].any().any()
    )
    assert share_within(counted, 15) == 0.0
    assert not winners(points)["agrees"].any()


def test_values_by_definition_are_not_counted(frame: pd.DataFrame, published: pd.DataFrame) -> None:
    """Ideal parts of stacks and one FPGA over itself stay out; utilisation on one FPGA counts."""
    points = compare(frame, published)
    left_out = points[~points["counted"]]
    assert ((left_out["fpgas"] == 1) | left_out["series"].str.endswith("base (no overhead)")).all()
    single = points[(points["figure"] == "12") & (points["fpgas"] == 1)]
    assert single["counted"].all()


def test_deviation_and_tolerances(published: pd.DataFrame) -> None:
    """10 % too fast is within 15 % but not within 8 % or a step of Fig. 10."""
    value = published.query("figure == '10' and series == 'row-wise (ours)' and num_fpgas == 4").iloc[0]
    rows = [
        make_row(workload="dac20/lstm-2048", latency_s=1.1 * value["value"]),
        make_row(workload="dac20/lstm-2048", fpgas=4, partitioner="row-wise", latency_s=1.0),
    ]
    points = compare(prepare(pd.DataFrame(rows)), published)
    point = points.query("figure == '10' and series == 'row-wise (ours)' and workload == 'dac20/lstm-2048'")
    point = point[point["fpgas"] == 4].iloc[0]
    assert point["deviation_pct"] == pytest.approx(10.0)
    assert (point["within_15pct"], point["within_8pct"], point["within_step"]) == (True, False, False)


def test_stacks_add_up(frame: pd.DataFrame, published: pd.DataFrame) -> None:
    """Ideal time, waiting and communication make the total of each bar of Figs. 4b and 5c."""
    points = compare(frame, published)
    stacks = points[points["figure"].isin(["4b", "5c"]) & (points["fpgas"] > 1)]
    stacks = stacks.assign(strategy=stacks["series"].str.partition(": ")[0])
    for _, group in stacks.groupby(["figure", "workload", "strategy", "fpgas"]):
        total = group["series"].str.endswith("total (stack top)")
        assert group.loc[~total, "emulated"].sum() == pytest.approx(group.loc[total, "emulated"].item())


def test_winners_need_a_margin_over_one_step(frame: pd.DataFrame, published: pd.DataFrame) -> None:
    """Encoder-8 on two FPGAs is within one step in the paper, so it decides nothing."""
    table = winners(compare(frame, published)).set_index(["figure", "workload", "at"])
    assert not table.loc[("8", "dac20/encoder-8", "2 FPGAs"), "decided"]
    assert table.loc[("8", "dac20/blstm-4", "8 FPGAs"), "decided"]
    assert table.loc[("10", "dac20/gru-2048", "4 FPGAs"), "published_winner"] == "input-wise"
    assert table.loc[("10", "dac20/lstm-2048", "2 FPGAs"), "published_winner"] == "row-wise"
    assert str(table.loc[("9", "dac20/encoder-8", "layer/row-wise"), "published_winner"]) == "32"


def test_perfect_results_agree_everywhere(frame: pd.DataFrame, published: pd.DataFrame) -> None:
    """Were emulated equal to published, every share would be 1 and every decided winner the same."""
    points = compare(frame, published).assign(within_step=True, within_15pct=True, within_8pct=True)
    points["emulated"] = points["published"]
    assert (summarize(points)["within_15pct_or_step"] == 1.0).all()
    table = winners(points)
    assert table.loc[table["decided"], "agrees"].all()


def test_unknown_series_is_an_error(frame: pd.DataFrame) -> None:
    """A series that the mapping does not know is not silently skipped."""
    point = Point(emulated_rows(frame), "dac20/lstm-2048", 2)
    with pytest.raises(ValueError, match="unknown series"):
        emulated_value("10", "diagonal", "speedup_vs_single_fpga", point)
    missing = Point({}, "dac20/lstm-2048", 2)
    assert np.isnan(emulated_value("10", "gate-wise", "speedup_vs_single_fpga", missing))


def test_command_writes_all_tables(results: Path, tmp_path: Path) -> None:
    """Points, summary, winners and one table a figure appear."""
    assert main(["--results", str(results), "--out", str(tmp_path)]) == 0
    assert len(list((tmp_path / "paper").glob("fig*.csv"))) == 9
    assert (tmp_path / "paper_winners.tex").is_file()
