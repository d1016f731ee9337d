"""Pareto fronts: nothing on them can be bettered, and everything else can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.explore import pareto
from bench.explore.choose import Choice
from bench.explore.pareto import Front, fronts, read_objectives
from bench.sweeps.query import open_results
from tests.explore.made import write_sweep

ALL = Choice()
VALUES = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=40)


def better(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Nowhere worse, and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(VALUES, st.integers(1, 40))
def test_a_front_is_all_that_nothing_is_better_than(points: list[tuple[int, ...]], size: int) -> None:
    """Whatever the batches: no point of it is worse than any, and each other is worse than one of it."""
    front = Front(np.empty((0, 3)))
    for start in range(0, len(points), size):
        batch = points[start : start + size]
        rows = pa.RecordBatch.from_pydict({"place": list(range(start, start + len(batch)))})
        front.add(np.array(batch, dtype=np.float64), rows)
    found = [tuple(map(int, one)) for one in front.values]
    assert set(found) == {one for one in points if not any(better(other, one) for other in points)}
    assert len(found) == len(set(found))
    assert front.same == [points.count(one) for one in found]
    assert [row["place"] for row in front.rows] == [points.index(one) for one in found]


def test_each_workload_has_a_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewest devices and least latency, by workload, from batches of two rows; failures are on none."""
    monkeypatch.setattr(pareto, "BATCH", 2)
    rows = [
        {"workload": workload, "fpgas": fpgas, "latency_s": latency}
        for workload in ("a", "b")
        for fpgas, latency in ((1, 8.0), (2, 5.0), (4, 5.0), (4, 3.0), (8, 3.5))
    ]
    rows.append({"workload": "a", "termination": "crash", "fpgas": 1, "latency_s": 0.1})
    with open_results(write_sweep(tmp_path, rows)) as connection:
        found = fronts(connection, ALL, ("latency", "devices")).to_pylist()
    assert [(row["workload"], row["fpgas"], row["latency_s"], row["same"]) for row in found] == [
        (workload, fpgas, latency, 1)
        for workload in ("a", "b")
        for fpgas, latency in ((4, 3.0), (2, 5.0), (1, 8.0))
    ]


def test_what_is_not_known_is_on_no_front(tmp_path: Path) -> None:
    """Energy of a device whose power no source says is null, and such points are left out, not best."""
    rows = [{"profile": "s10-mx2100", "latency_s": 1e-6}, {"latency_s": 2.0}]
    folder = write_sweep(tmp_path, rows)
    with open_results(folder) as connection:
        energies = connection.sql(
            "SELECT energy_j_low, energy_j_high FROM energy ORDER BY latency_s"
        ).fetchall()
        found = fronts(connection, ALL, ("latency", "energy")).to_pylist()
        with pytest.raises(UserError, match="no chosen point has all of latency, energy"):
            fronts(connection, Choice(where="profile = 's10-mx2100'"), ("latency", "energy"))
    assert energies == [(None, None), (84.4, 450.0)]
    assert [row["latency_s"] for row in found] == [2.0]


def test_power_may_be_swept(tmp_path: Path) -> None:
    """A number behind the question mark counts, and is nobody's measurement."""
    rows = [{"profile": "s10-nx2100"}, {"profile": "s10-nx2100?board_power.peak_w=100"}]
    with open_results(write_sweep(tmp_path, rows)) as connection:
        found = connection.sql("SELECT energy_j_high, power_measured FROM energy ORDER BY profile").fetchall()
    assert found == [(0.07, True), (0.1, False)]


def test_points_that_experiments_share_count_once(tmp_path: Path) -> None:
    """In the results of a run a point has a row for each experiment."""
    folder = write_sweep(tmp_path / "sweep", [{}])
    table = pq.read_table(folder / "points/00000.parquet")
    both = [table.append_column("experiment", pa.array([name])) for name in ("a", "b")]
    (tmp_path / "run/results").mkdir(parents=True)
    pq.write_table(pa.concat_tables(both), tmp_path / "run/results/results.parquet")
    with open_results(tmp_path / "run") as connection:
        found = fronts(connection, ALL, ("latency", "devices")).to_pylist()
    assert [row["same"] for row in found] == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency", "expected two or more"),
        ("latency,latency", "expected two or more"),
        ("latency,power", "unknown objective 'power'"),
    ],
)
def test_objectives_that_make_no_front_are_refused(text: str, said: str) -> None:
    """One alone, one twice, an unknown one."""
    with pytest.raises(UserError, match=said):
        read_objectives(text)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(workload="gru-*"), "no point with a result has workload 'gru-\\*'"),
        (Choice(where="fpga = 1"), "fpga"),
        (Choice(where="1 = 1) --"), "query: "),
    ],
)
def test_a_choice_of_nothing_says_so(tmp_path: Path, choice: Choice, said: str) -> None:
    """No such workload, no such column, no condition."""
    with open_results(write_sweep(tmp_path, [{}])) as connection, pytest.raises(UserError, match=said):
        fronts(connection, choice, ("latency", "devices"))
