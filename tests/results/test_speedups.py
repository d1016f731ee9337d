"""Tests of bench.results.speedups and bench.results.frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results.frames import prepare, strategy_key, strategy_name
from bench.results.speedups import geomean, speedups, summary
from bench.results.tables import failures, point_table

from .factory import make_row


def _frame(*rows: dict[str, object]) -> pd.DataFrame:
    return prepare(pd.DataFrame(rows))


def test_speedup_over_one_fpga_ignores_experiment_and_pipelining() -> None:
    """The baseline is the unpipelined single point of the workload, whatever experiment has it."""
    frame = _frame(
        make_row(experiment="a", latency_s=8.0),
        make_row(experiment="a", latency_s=4.0, pipelined=True),
        make_row(experiment="b", fpgas=2, partitioner="row-wise", latency_s=2.0),
    )
    rows = speedups(frame, "single").set_index(["experiment", "strategy"])["speedup"]
    assert rows["b", "row-wise"] == 4.0
    assert rows["a", "single + pipelining"] == 2.0


def test_speedup_over_the_best_conventional_at_the_same_fpgas() -> None:
    """The fastest of the conventional partitioners that solved the point is the baseline."""
    frame = _frame(
        make_row(latency_s=8.0),
        make_row(fpgas=2, partitioner="gate-wise", latency_s=6.0),
        make_row(fpgas=2, partitioner="input-wise", latency_s=5.0),
        make_row(fpgas=2, partitioner="layer-wise", status="unsupported", reason="one layer"),
        make_row(fpgas=2, partitioner="full", latency_s=2.5),
        make_row(fpgas=4, partitioner="full", latency_s=2.5),
    )
    rows = speedups(frame, "conventional").set_index(["fpgas", "strategy"])
    assert rows.loc[(2, "full"), "speedup"] == 2.0
    assert rows.loc[(2, "full"), "baseline"] == "input-wise"
    assert np.isnan(rows.loc[(2, "layer-wise"), "speedup"])
    assert np.isnan(rows.loc[(4, "full"), "speedup"])


def test_summary_counts_failures_and_never_rewards_them() -> None:
    """A failed point leaves the common mean and enters the other one as 1.0."""
    rows = [make_row(workload=f"w{n}", latency_s=8.0) for n in range(2)]
    rows += [make_row(workload=f"w{n}", fpgas=2, partitioner="full", latency_s=2.0) for n in range(2)]
    rows += [
        make_row(workload="w0", fpgas=2, partitioner="row-wise", latency_s=4.0),
        make_row(workload="w1", fpgas=2, partitioner="row-wise", termination="timeout", reason="60 s"),
        make_row(workload="w0", fpgas=2, partitioner="layer-wise", status="unsupported", reason="one layer"),
    ]
    table = summary(speedups(_frame(*rows), "single"))
    table = table[table["fpgas"] == 2].set_index("strategy")
    assert table["n"].tolist() == [2, 2, 2]
    assert table["n_ok"].to_dict() == {"layer-wise": 0, "row-wise": 1, "full": 2}
    assert table["n_common"].tolist() == [1, 1, 1]
    assert table.loc["row-wise", "geomean_common"] == pytest.approx(2.0)
    assert table.loc["row-wise", "geomean_all"] == pytest.approx(2.0**0.5)
    assert table.loc["full", "geomean_all"] == pytest.approx(4.0)
    assert np.isnan(table.loc["layer-wise", "geomean_common"])
    assert table.loc["layer-wise", "geomean_all"] == 1.0


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=20))
def test_geomean_lies_between_its_values_and_inverts(values: list[float]) -> None:
    """It is within the range, and the mean of inverses is the inverse of the mean."""
    series = pd.Series(values)
    mean = geomean(series)
    assert min(values) * (1 - 1e-9) <= mean <= max(values) * (1 + 1e-9)
    assert geomean(1 / series) == pytest.approx(1 / mean)


def test_strategy_names_and_order() -> None:
    """Pipelining is a suffix, other parameters stand in brackets, baselines come first."""
    assert strategy_name("full", {}) == "full"
    assert strategy_name("row-wise", {"software_pipelining": False}) == "row-wise"
    names = ["zigzag", "full", "row-wise + pipelining", "row-wise", "single"]
    assert sorted(names, key=strategy_key) == [
        "single",
        "row-wise",
        "row-wise + pipelining",
        "full",
        "zigzag",
    ]


def _seeded(latency_s: float, seed: int) -> dict[str, object]:
    row = make_row(fpgas=2, partitioner="random", latency_s=latency_s)
    return row | {"parameters": f'{{"seed":{seed}}}', "point_id": f"seed {seed}"}


def test_repeated_runs_are_one_row_with_their_median() -> None:
    """Seeds make no other strategy: the middle run stands for all, with the least and the most."""
    runs = [_seeded(latency, seed) for seed, latency in enumerate((4.0, 1.0, 2.0))]
    rows = speedups(_frame(make_row(latency_s=8.0), make_row(fpgas=2, partitioner="full"), *runs), "single")
    (row,) = rows[rows["strategy"] == "random"].to_dict("records")
    found = [row[name] for name in ("speedup_least", "speedup", "speedup_most", "repeats", "solved")]
    assert found == [2.0, 4.0, 8.0, 3, True]
    table = point_table(rows)
    assert list(table.columns[-4:]) == ["full", "random", "random, least", "random, most"]
    assert table.loc[table["fpgas"] == 2, "random, least"].tolist() == [2.0]
    counted = summary(rows).set_index(["fpgas", "strategy"]).loc[(2, "random")]
    assert (counted["n_ok"], counted["n"]) == (1, 1)


@pytest.mark.parametrize(("failed", "median"), [(1, 2.0), (2, None), (3, None)])
def test_failed_repeats_cannot_improve_a_median(failed: int, median: float | None) -> None:
    """A run without a result counts as slower than any other."""
    runs = [_seeded(float(seed + 2), seed) for seed in range(3)]
    for run in runs[:failed]:
        run |= {"termination": "timeout", "latency_s": None}
    rows = speedups(_frame(make_row(latency_s=8.0), *runs), "single")
    (row,) = rows[rows["strategy"] == "random"].to_dict("records")
    assert row["speedup"] == median if median else np.isnan(row["speedup"])
    assert row["solved"] == (median is not None)


def test_failures_name_the_log_of_a_plug_in() -> None:
    """The column is there where a plug-in has failed, and only there."""
    built_in = make_row(partitioner="full", termination="timeout")
    plugin = make_row(partitioner="greedy", termination="crash") | {"log": "logs/plugins/greedy/0.log"}
    assert "log" not in failures(_frame(built_in))
    assert failures(_frame(built_in, plugin))["log"].dropna().tolist() == ["logs/plugins/greedy/0.log"]
